// SPDX-License-Identifier: GPL-2.0-only
//! What tls_client.h is for clients in C: connections, threads, requests and answers of a
//! test client in Rust, whatever its TLS library.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::Arc;
use std::{env, process, thread};

pub trait Tls: Send + Sync + 'static {
    type Stream: Read;

    /// A verified connection.
    fn open(&self, socket: TcpStream, name: &str) -> io::Result<Self::Stream>;

    fn write(&self, stream: &mut Self::Stream, head: &[u8], body: &[u8]) -> io::Result<()>;
}

pub fn setting(name: &str, otherwise: Option<&str>) -> String {
    match (env::var(name), otherwise) {
        (Ok(value), _) => value,
        (Err(_), Some(value)) => value.to_string(),
        (Err(_), None) => {
            eprintln!("{name} is not set");
            process::exit(2)
        }
    }
}

fn number(name: &str, otherwise: &str) -> usize {
    setting(name, Some(otherwise)).parse().expect(name)
}

fn make_body(size: usize, key: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> = (0..size).map(|i| b'a' + (i % 26) as u8).collect();
    if size >= 3 * key.len() {
        for at in [0, size / 2, size - key.len()] {
            body[at..at + key.len()].copy_from_slice(key);
        }
    }
    body
}

fn make_head(connection: usize, count: usize, key: &str, body: usize) -> String {
    let method = if body > 0 { "POST" } else { "GET" };
    let name = setting("TEST_NAME", None);
    let mut head = format!("{method} /{connection}/{count} HTTP/1.1\r\nHost: {name}\r\n");
    head += &format!("X-Api-Key: {key}\r\n");
    if body > 0 {
        head += &format!("Content-Length: {body}\r\n");
    }
    head + "\r\n"
}

/// Reads one response with its body, which Content-Length tells.
fn read_response(stream: &mut impl Read) -> io::Result<()> {
    let mut text = Vec::new();
    let mut whole = None;
    while whole.map_or(true, |size| text.len() < size) {
        let mut chunk = [0; 4096];
        let size = stream.read(&mut chunk)?;
        if size == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        text.extend_from_slice(&chunk[..size]);
        if whole.is_none() {
            whole = response_size(&text);
        }
    }
    match text.starts_with(b"HTTP/1.1 200") {
        true => Ok(()),
        false => Err(io::Error::other("not 200")),
    }
}

fn response_size(text: &[u8]) -> Option<usize> {
    let head = text.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let lower = String::from_utf8_lossy(&text[..head]).to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
    Some(head + length.map_or(0, |value| value.trim().parse().unwrap_or(0)))
}

fn run_connection(tls: &impl Tls, connection: usize) -> io::Result<()> {
    let address = setting("TEST_ADDRESS", None);
    let socket = TcpStream::connect((address.as_str(), number("TEST_PORT", "443") as u16))?;
    socket.set_nodelay(true)?;
    let mut stream = tls.open(socket, &setting("TEST_NAME", None))?;
    let key = setting("API_KEY", None);
    let body = make_body(number("TEST_BODY", "0"), key.as_bytes());
    for count in 0..number("TEST_REQUESTS", "1") {
        let head = make_head(connection, count, &key, body.len());
        tls.write(&mut stream, head.as_bytes(), &body)?;
        read_response(&mut stream)?;
    }
    Ok(())
}

fn run_worker(tls: &impl Tls, first: usize, threads: usize) -> bool {
    (first..number("TEST_CONNECTIONS", "1")).step_by(threads).all(|connection| {
        let done = run_connection(tls, connection);
        if let Err(error) = &done {
            eprintln!("connection {connection}: {error}");
        }
        done.is_ok()
    })
}

pub fn run(tls: impl Tls) {
    let threads = number("TEST_THREADS", "1");
    let tls = Arc::new(tls);
    let workers: Vec<_> = (0..threads)
        .map(|first| {
            let tls = tls.clone();
            thread::spawn(move || run_worker(&*tls, first, threads))
        })
        .collect();
    let mut good = true;
    for worker in workers {
        good &= worker.join().unwrap_or(false);
    }
    if env::var("TEST_WAIT").is_ok() {
        println!("ready");
        io::stdin().read_line(&mut String::new()).expect("stdin");
    }
    process::exit(if good { 0 } else { 1 });
}
