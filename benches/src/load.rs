//! Load on a socket: ready-made requests over some connections, each waiting for its answer.
//!
//! The client does as little as it can, because it takes its time from the server on the same machine.

use std::{net::SocketAddr, time::Duration, time::Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};
use wardline_org::Request;

/// A request as it goes over the line.
pub type Bytes = Vec<u8>;

/// The bytes of a request over HTTP/1.1.
pub fn encode(request: &Request) -> Bytes {
    let mut bytes = format!("POST {} HTTP/1.1\r\nhost: relay\r\n", request.path);
    for (name, value) in &request.headers {
        bytes += &format!("{name}: {value}\r\n");
    }
    bytes += &format!("content-length: {}\r\n\r\n", request.body.len());
    let mut bytes = bytes.into_bytes();
    bytes.extend_from_slice(&request.body);
    bytes
}

/// Sends every request over so many connections; answers how long it took until the last answer.
pub async fn run(address: SocketAddr, requests: Vec<Bytes>, connections: usize) -> Duration {
    let mut shares: Vec<Vec<Bytes>> = (0..connections).map(|_| Vec::new()).collect();
    for (number, request) in requests.into_iter().enumerate() {
        shares[number % connections].push(request);
    }
    let mut lines = Vec::new();
    for share in shares {
        let line = TcpStream::connect(address).await.unwrap();
        line.set_nodelay(true).unwrap();
        lines.push((line, share));
    }
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for (mut line, share) in lines {
        tasks.spawn(async move {
            let mut answer = Vec::with_capacity(64 * 1024);
            for request in share {
                line.write_all(&request).await.unwrap();
                read_answer(&mut line, &mut answer).await;
            }
        });
    }
    tasks.join_all().await;
    started.elapsed()
}

async fn read_answer(line: &mut TcpStream, answer: &mut Vec<u8>) {
    answer.clear();
    loop {
        assert_ne!(
            line.read_buf(answer).await.unwrap(),
            0,
            "the server hung up"
        );
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap()
            .parse()
            .unwrap();
        if answer.len() >= end + 4 + length {
            return;
        }
    }
}
