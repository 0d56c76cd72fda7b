use std::{
    io::{Read, Write},
    net::TcpListener,
    thread::JoinHandle,
    time::Duration,
};

use wardline_org::http::{HttpConfigError, HttpOptions, HttpTransport};
use wardline_org::{Request, Transport, TransportError};

/// Answers one connection with these bytes and returns what was asked.
fn serve(answer: Vec<u8>) -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut chunk = [0; 4096];
        while !asked.ends_with(b"the body") {
            let read = socket.read(&mut chunk).unwrap();
            asked.extend_from_slice(&chunk[..read]);
        }
        socket.write_all(&answer).unwrap();
        asked
    });
    (address, served)
}

fn request() -> Request {
    Request {
        path: "/wardline.v1.Relay/Head".into(),
        headers: vec![("signature".into(), "wardline=:AA==:".into())],
        body: b"the body".as_slice().into(),
    }
}

fn transport(address: &str, max_response_bytes: usize) -> HttpTransport {
    HttpTransport::new(
        address,
        HttpOptions {
            max_response_bytes,
            ..Default::default()
        },
    )
    .unwrap()
}

#[tokio::test]
async fn a_call_is_posted_with_its_headers_and_any_status_is_an_answer() {
    let (address, served) =
        serve(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\n\r\nno!".to_vec());
    let answer = transport(&address, 1024).call(request()).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (403, b"no!".as_slice()));

    let asked = String::from_utf8(served.join().unwrap()).unwrap();
    assert!(asked.starts_with("POST /wardline.v1.Relay/Head HTTP/1.1\r\n"));
    assert!(asked.contains("signature: wardline=:AA==:"));
}

#[tokio::test]
async fn an_answer_above_the_limit_is_refused_even_without_a_length() {
    let mut answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    answer.extend(vec![b'x'; 2000]);
    let (address, _served) = serve(answer);
    let refused = transport(&address, 1024).call(request()).await;
    assert_eq!(refused, Err(TransportError::TooLarge));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (address, _served) = serve(
        b"HTTP/1.1 307 Moved\r\nlocation: http://other.example/\r\ncontent-length: 0\r\n\r\n"
            .to_vec(),
    );
    assert_eq!(
        transport(&address, 1024)
            .call(request())
            .await
            .unwrap()
            .status,
        307
    );
}

#[tokio::test]
async fn no_relay_at_the_address_is_retryable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let failed = transport(&address, 1024).call(request()).await.unwrap_err();
    assert_eq!(failed, TransportError::Unreachable);
    assert!(failed.retryable());
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_is_retryable() {
    let (address, _served) = serve(Vec::new());
    let failed = transport(&address, 1024).call(request()).await.unwrap_err();
    assert_eq!(failed, TransportError::Interrupted);
    assert!(failed.retryable());
}

#[test]
fn addresses_that_would_leak_or_break_calls_are_refused() {
    let refused = |address: &str| {
        HttpTransport::new(address, HttpOptions::default())
            .map(|_| ())
            .unwrap_err()
    };
    assert_eq!(
        refused("http://relay.mercy.example"),
        HttpConfigError::Plaintext
    );
    assert_eq!(
        refused("https://relay.mercy.example/api"),
        HttpConfigError::Address
    );
    assert_eq!(
        refused("ftp://relay.mercy.example"),
        HttpConfigError::Address
    );
    assert_eq!(refused("relay.mercy.example"), HttpConfigError::Address);

    let short = HttpOptions {
        request_timeout: Duration::from_secs(30),
        ..Default::default()
    };
    let refused = HttpTransport::new("https://relay.mercy.example", short)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refused, HttpConfigError::Timeout);

    let behind_proxy = HttpOptions {
        allow_plaintext: true,
        ..Default::default()
    };
    assert!(HttpTransport::new("http://relay:8080", behind_proxy).is_ok());
}
