//! A push gateway on a socket that does as each test says.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
};

/// A gateway on a port; what it answers is decided post by post.
pub(crate) struct Gateway {
    pub(crate) address: std::net::SocketAddr,
    posts: mpsc::Receiver<Posted>,
    serving: tokio::task::JoinHandle<()>,
}

/// A post that waits for its answer. Dropping it hangs up.
pub(crate) struct Posted {
    pub(crate) head: String,
    pub(crate) body: String,
    answer: oneshot::Sender<Vec<u8>>,
}

impl Gateway {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, posts) = mpsc::channel(16);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, sender.clone()));
            }
        });
        Self {
            address,
            posts,
            serving,
        }
    }

    pub(crate) async fn next(&mut self) -> Posted {
        self.posts.recv().await.unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Posted {
    pub(crate) async fn answer(self, status: &str) {
        let text = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        self.answer.send(text.into_bytes()).unwrap();
    }

    pub(crate) async fn garbage(self) {
        self.answer.send(b"\0\xff garbage\r\n".to_vec()).unwrap();
    }

    pub(crate) fn hang_up(self) {}
}

/// Reads one request of a connection and writes its answer.
async fn serve(mut stream: TcpStream, posts: mpsc::Sender<Posted>) {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(bytes.drain(..end + 4).collect()).unwrap();
        let lower = head.to_lowercase();
        let length = lower.split("content-length: ").nth(1).unwrap();
        break (head, length.lines().next().unwrap().parse().unwrap());
    };
    while bytes.len() < length {
        stream.read_buf(&mut bytes).await.unwrap();
    }
    let (answer, answered) = oneshot::channel();
    let body = String::from_utf8(bytes).unwrap();
    let posted = Posted { head, body, answer };
    if posts.send(posted).await.is_ok()
        && let Ok(answer) = answered.await
    {
        // The relay may have given up.
        let _ = stream.write_all(&answer).await;
    }
}
