// SPDX-License-Identifier: GPL-2.0-only
//! A test client with native-tls; what it does and how it is told: ../../tls_client.h.

#[path = "../../http.rs"]
mod http;

use std::io::{self, Write};
use std::net::TcpStream;

use native_tls::{Certificate, TlsConnector, TlsStream};

struct NativeTls(TlsConnector);

impl NativeTls {
    fn new() -> Self {
        let pem = std::fs::read(http::setting("TEST_CA", None)).expect("TEST_CA");
        let certificate = Certificate::from_pem(&pem).expect("PEM");
        let connector = TlsConnector::builder().add_root_certificate(certificate).build();
        NativeTls(connector.expect("connector"))
    }
}

impl http::Tls for NativeTls {
    type Stream = TlsStream<TcpStream>;

    fn open(&self, socket: TcpStream, name: &str) -> io::Result<Self::Stream> {
        self.0.connect(name, socket).map_err(|error| io::Error::other(error.to_string()))
    }

    fn write(&self, stream: &mut Self::Stream, head: &[u8], body: &[u8]) -> io::Result<()> {
        stream.write_all(&[head, body].concat())
    }
}

fn main() {
    http::run(NativeTls::new())
}
