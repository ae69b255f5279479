// SPDX-License-Identifier: GPL-2.0-only
//! A test client with rustls and ring; what it does and how it is told: ../../tls_client.h.
//! TEST_WRITE=vectored writes head and body as two slices at once.

#[path = "../../http.rs"]
mod http;

use std::io::{self, BufReader, IoSlice, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

struct Rustls {
    config: Arc<ClientConfig>,
    vectored: bool,
}

impl Rustls {
    fn new() -> Self {
        let file = std::fs::File::open(http::setting("TEST_CA", None)).expect("TEST_CA");
        let mut roots = RootCertStore::empty();
        for certificate in rustls_pemfile::certs(&mut BufReader::new(file)) {
            roots.add(certificate.expect("PEM")).expect("certificate");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let vectored = http::setting("TEST_WRITE", Some("write")) == "vectored";
        Rustls { config: Arc::new(config), vectored }
    }
}

impl http::Tls for Rustls {
    type Stream = StreamOwned<ClientConnection, TcpStream>;

    fn open(&self, socket: TcpStream, name: &str) -> io::Result<Self::Stream> {
        let name = ServerName::try_from(name.to_owned()).expect("TEST_NAME");
        let session = ClientConnection::new(self.config.clone(), name).map_err(io::Error::other)?;
        Ok(StreamOwned::new(session, socket))
    }

    fn write(&self, stream: &mut Self::Stream, head: &[u8], body: &[u8]) -> io::Result<()> {
        if !self.vectored {
            return stream.write_all(&[head, body].concat());
        }
        let mut slices = [IoSlice::new(head), IoSlice::new(body)];
        let mut rest = &mut slices[..];
        while !rest.is_empty() {
            let taken = stream.write_vectored(rest)?;
            IoSlice::advance_slices(&mut rest, taken);
        }
        Ok(())
    }
}

fn main() {
    http::run(Rustls::new())
}
