//! The relay on a real socket: the protocol's rules, TLS, slow callers, shutting down.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use reqwest::{Client, StatusCode, header};
use wardline_org::{
    RelayCode, Response,
    connect::Refusal,
    http::{HttpOptions, HttpTransport},
};
use wardline_proto::{Bytes, Message as _, v1};
use wardline_relay::{ServeError, Server, ServerOptions, TlsFiles};

use crate::{
    hospital::Device,
    world::{RELAY, World, call_over, cast, submission},
};

#[tokio::test]
async fn calls_over_http_do_what_they_do_in_process() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    let server = serve(&world).await;
    let transport = HttpTransport::new(&server.url(), HttpOptions::default()).unwrap();
    let send = v1::SendRequest {
        submissions: vec![submission("over the wire", &[&cast.ben])],
        checkpoint: 1,
    };
    let ada = cast.ada.calls(RELAY);
    call_over(&transport, &ada, &send, world.now())
        .await
        .unwrap();
    let ben = cast.ben.calls(RELAY);
    let receive = v1::ReceiveRequest::default();
    let answer = call_over(&transport, &ben, &receive, world.now())
        .await
        .unwrap();
    assert_eq!(answer.envelopes[0].content.as_ref(), b"over the wire");

    let stranger = Device::new("mercy", "eve", 9).calls(RELAY);
    let refused = call_over(&transport, &stranger, &receive, world.now()).await;
    assert_eq!(refused.unwrap_err().code, RelayCode::UnknownDevice);
    server.stop().await;
}

#[tokio::test]
async fn same_calls_go_over_http2() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let server = serve(&world).await;
    let client = Client::builder().http2_prior_knowledge().build().unwrap();
    let head = signed(&world, &cast.ada, &v1::HeadRequest::default());
    let answer = post(&client, &server, head).await;
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/proto");
    let body = answer.bytes().await.unwrap();
    assert!(!v1::HeadResponse::decode(body).unwrap().head.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn answers_follow_the_connect_protocol() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let server = serve(&world).await;
    let client = Client::new();
    let url = |path: &str| format!("{}{path}", server.url());
    let head = url("/wardline.v1.Relay/Head");

    let get = client.get(&head).send().await.unwrap();
    assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(get.headers()[header::ALLOW], "POST");

    let json = client
        .post(&head)
        .header(header::CONTENT_TYPE, "application/json");
    let json = json.body("{}").send().await.unwrap();
    assert_eq!(json.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(json.headers()["accept-post"], "application/proto");

    let proto = |url: &str| {
        client
            .post(url)
            .header(header::CONTENT_TYPE, "application/proto")
    };
    for (request, status, connect, code) in [
        (
            proto(&url("/wardline.v1.Relay/Fly")),
            404,
            "unimplemented",
            "WL-RELAY-UNSUPPORTED",
        ),
        (
            proto(&url("/other")),
            404,
            "unimplemented",
            "WL-RELAY-UNSUPPORTED",
        ),
        (
            proto(&head).header(header::CONTENT_ENCODING, "gzip"),
            501,
            "unimplemented",
            "WL-RELAY-UNSUPPORTED",
        ),
        (
            proto(&head).header("connect-timeout-ms", "soon"),
            400,
            "invalid_argument",
            "WL-RELAY-MALFORMED",
        ),
        (
            proto(&head).header("connect-protocol-version", "9"),
            400,
            "invalid_argument",
            "WL-RELAY-MALFORMED",
        ),
        (proto(&head), 401, "unauthenticated", "WL-RELAY-UNSIGNED"),
        (
            proto(&head).header("x-note", header::HeaderValue::from_bytes(&[0xff]).unwrap()),
            400,
            "invalid_argument",
            "WL-RELAY-MALFORMED",
        ),
    ] {
        let answer = request.body("").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
        let body = answer.bytes().await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains(&format!(r#""code":"{connect}""#)), "{text}");
        let read = Refusal::from_response(&Response { status, body });
        assert_eq!(read.code.as_str(), code);
    }
    server.stop().await;
}

#[tokio::test]
async fn body_above_the_limit_is_refused_unread() {
    let cast = cast();
    let world = World::with_devices(&[&cast.ada], |config| {
        config.limits.body_bytes = 1000;
    })
    .await;
    let server = serve(&world).await;
    // Announced and not sent: the answer does not wait for it. In chunks: a stranger's are not read.
    for (framing, status) in [
        ("content-length: 1001", 429),
        ("transfer-encoding: chunked", 401),
    ] {
        assert_eq!(status_of(&server, "Send", framing).await, status);
    }
    // In chunks from somebody known: cut off where the limit is.
    let client = Client::builder().http2_prior_knowledge().build().unwrap();
    let mut large = submission("", &[&cast.ada]);
    large.content = Bytes::from(vec![0; 2000]);
    let send = v1::SendRequest {
        submissions: vec![large],
        checkpoint: 0,
    };
    let answer = post(&client, &server, signed(&world, &cast.ada, &send)).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    server.stop().await;
}

#[tokio::test]
async fn large_body_is_taken_only_from_whom_the_relay_knows() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    let server = serve(&world).await;
    for method in ["Send", "PublishHead", "Enroll"] {
        // None of it is sent: a relay that waited for it would answer after its time-out.
        let status = status_of(&server, method, "content-length: 1000000").await;
        let expected = if method == "Enroll" { 429 } else { 401 };
        assert_eq!(status, expected, "{method}");
    }
    let mut large = submission("", &[&cast.ben]);
    large.content = Bytes::from(vec![7; 500_000]);
    let send = v1::SendRequest {
        submissions: vec![large],
        checkpoint: 0,
    };
    let transport = HttpTransport::new(&server.url(), HttpOptions::default()).unwrap();
    let ada = cast.ada.calls(RELAY);
    call_over(&transport, &ada, &send, world.now())
        .await
        .unwrap();
    let ben = world.receive(&cast.ben).await.unwrap();
    assert_eq!(ben.envelopes[0].content.len(), 500_000);
    server.stop().await;
}

#[tokio::test]
async fn refusal_reaches_a_caller_that_sends_everything_first() {
    let world = World::empty().await;
    let server = serve(&world).await;
    for (framing, status) in [
        ("content-length: 12582912", "429"),
        ("content-length: 1000000", "401"),
    ] {
        let address = server.address();
        let call = move || {
            let mut socket = TcpStream::connect(address).unwrap();
            let head = format!(
                "POST /wardline.v1.Relay/Send HTTP/1.1\r\nhost: relay\r\n\
                 content-type: application/proto\r\n{framing}\r\n\r\n"
            );
            let length: usize = framing.split(": ").last().unwrap().parse().unwrap();
            socket.write_all(head.as_bytes()).unwrap();
            socket.write_all(&vec![0; length]).unwrap();
            let mut answer = [0; 12];
            socket.read_exact(&mut answer).unwrap();
            String::from_utf8(answer.to_vec()).unwrap()
        };
        let answer = tokio::task::spawn_blocking(call).await.unwrap();
        assert!(answer.ends_with(status), "{answer}");
    }
    server.stop().await;
}

/// Sends the head of an unsigned call and no body, and reads the status.
async fn status_of(server: &Server, method: &str, framing: &str) -> u16 {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    let head = format!(
        "POST /wardline.v1.Relay/{method} HTTP/1.1\r\nhost: relay\r\n\
         content-type: application/proto\r\n{framing}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    let read = move || {
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).unwrap();
        String::from_utf8(answer.to_vec()).unwrap()
    };
    let answer = tokio::task::spawn_blocking(read).await.unwrap();
    answer.strip_prefix("HTTP/1.1 ").unwrap().parse().unwrap()
}

#[tokio::test]
async fn slow_caller_is_let_go() {
    let world = World::empty().await;
    let options = ServerOptions {
        read_timeout: Duration::from_millis(200),
        ..ServerOptions::local()
    };
    let server = Server::start(world.relay.clone(), options).await.unwrap();
    for beginning in [
        "",
        "POST /wardline.v1.Relay/Head HT",
        "POST /wardline.v1.Relay/Head HTTP/1.1\r\ncontent-type: application/proto\r\n\
         host: relay\r\ncontent-length: 10\r\n\r\nab",
    ] {
        let mut socket = TcpStream::connect(server.address()).unwrap();
        socket.write_all(beginning.as_bytes()).unwrap();
        // Ends when the relay closes the connection; a relay that waits for ever fails the test run.
        let read = move || socket.read_to_end(&mut Vec::new());
        let _ = tokio::task::spawn_blocking(read).await.unwrap();
    }
    server.stop().await;
}

#[tokio::test]
async fn operator_sees_health_readiness_and_metrics() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let server = serve(&world).await;
    let get = async |path: &str| {
        let answer = Client::new().get(format!("{}{path}", server.url())).send();
        let answer = answer.await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    assert_eq!(get("/healthz").await, (StatusCode::OK, "ok\n".into()));
    assert_eq!(get("/readyz").await, (StatusCode::OK, "ready\n".into()));
    let (status, text) = get("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains(r#"wardline_relay_calls_total{method="PublishHead",code="ok"} 1"#));
    assert!(text.ends_with("# EOF\n"));

    world.relay.close().await;
    assert_eq!(get("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get("/healthz").await.0, StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn stopping_answers_waiting_polls_and_finishes_calls() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    let server = serve(&world).await;
    let poll = v1::ReceiveRequest {
        wait_ms: 50_000,
        ..Default::default()
    };
    let (url, now, ben) = (server.url(), world.now(), cast.ben.calls(RELAY));
    let waits = tokio::spawn(async move {
        let transport = HttpTransport::new(&url, HttpOptions::default()).unwrap();
        call_over(&transport, &ben, &poll, now).await
    });
    while !world.relay.metrics().contains("wardline_relay_polls 1\n") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let address = server.address();
    server.stop().await;
    assert!(waits.await.unwrap().unwrap().envelopes.is_empty());
    assert!(TcpStream::connect(address).is_err());
}

#[tokio::test]
async fn taken_port_is_named() {
    let world = World::empty().await;
    let server = serve(&world).await;
    let taken = ServerOptions::new(server.address());
    let second = Server::start(world.relay.clone(), taken).await;
    let Err(ServeError::Bind { address, .. }) = second else {
        panic!("{second:?}");
    };
    assert_eq!(address, server.address());
    server.stop().await;
}

#[tokio::test]
async fn tls_with_the_operators_certificate() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles {
        cert: folder.path().join("cert.pem"),
        key: folder.path().join("key.pem"),
    };
    let options = || ServerOptions {
        tls: Some(files.clone()),
        ..ServerOptions::local()
    };
    let missing = Server::start(world.relay.clone(), options()).await;
    assert!(matches!(missing, Err(ServeError::Certificate(_))));

    std::fs::write(&files.cert, include_str!("tls/cert.pem")).unwrap();
    std::fs::write(&files.key, include_str!("tls/key.pem")).unwrap();
    let server = Server::start(world.relay.clone(), options()).await.unwrap();
    assert!(server.url().starts_with("https://"));
    let trusting = HttpOptions {
        extra_roots_pem: vec![include_bytes!("tls/ca.pem").to_vec()],
        ..HttpOptions::default()
    };
    let transport = HttpTransport::new(&server.url(), trusting).unwrap();
    let head = v1::HeadRequest::default();
    call_over(&transport, &cast.ada.calls(RELAY), &head, world.now())
        .await
        .unwrap();
    server.reload_certificate().await.unwrap();
    std::fs::write(&files.key, "not a key").unwrap();
    server.reload_certificate().await.unwrap_err();
    call_over(&transport, &cast.ada.calls(RELAY), &head, world.now())
        .await
        .unwrap();
    server.stop().await;
}

async fn serve(world: &World) -> Server {
    Server::start(world.relay.clone(), ServerOptions::local())
        .await
        .unwrap()
}

fn signed<C: wardline_org::transport::RelayCall>(
    world: &World,
    device: &Device,
    call: &C,
) -> wardline_org::Request {
    let mut request = wardline_org::Request::new(call);
    device.calls(RELAY).sign(&mut request, world.now()).unwrap();
    request
}

async fn post(
    client: &Client,
    server: &Server,
    request: wardline_org::Request,
) -> reqwest::Response {
    let mut builder = client.post(format!("{}{}", server.url(), request.path));
    for (name, value) in request.headers {
        builder = builder.header(name, value);
    }
    let body: Bytes = request.body;
    builder.body(body).send().await.unwrap()
}
