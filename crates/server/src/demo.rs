//! The four small services that `nuncio demo` offers on loopback, for the embedded example to have
//! upstreams.

use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The services' names and ports, as in `examples/demo.yaml`.
const SERVICES: [(&str, u16); 4] = [
    ("app1", 10001),
    ("app2", 10002),
    ("web-1", 10003),
    ("web-2", 10004),
];
/// A request's head may be this long.
const HEAD_BYTES: usize = 64 * 1024;

/// What to try, for whoever started the example.
pub const HINT: &str = "\
nuncio demo: a listener on http://127.0.0.1:10000 in front of four small services, the admin on
http://127.0.0.1:9901. Try:

  curl http://127.0.0.1:10000/            (split over web-1 and web-2)
  curl http://127.0.0.1:10000/app1
  curl http://127.0.0.1:10000/app2
  curl -i http://127.0.0.1:10000/admin    (403)
  curl http://127.0.0.1:9901/clusters
  curl http://127.0.0.1:9901/stats?filter=front

The configuration is examples/demo.yaml; Ctrl-C ends it.
";

/// Starts the services on this thread's event loop.
///
/// # Errors
/// Where a port is taken.
pub async fn start() -> io::Result<()> {
    for (name, port) in SERVICES {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("cannot bind 127.0.0.1:{port}: {error}"),
                )
            })?;
        tokio::task::spawn_local(accept(name, listener));
    }
    Ok(())
}

async fn accept(name: &'static str, listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::task::spawn_local(async move {
            // A client that goes away ends its connection, nothing else.
            let _ = serve(name, stream).await;
        });
    }
}

/// Answers each request without a body; one with a body gets its answer and the end.
async fn serve(name: &str, mut stream: TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            if head.len() > HEAD_BYTES || stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        };
        let text = String::from_utf8_lossy(&head[..end]).into_owned();
        head.drain(..end);
        let target = text.split_whitespace().nth(1).unwrap_or("/");
        let body = format!("{name} answers {target}\n");
        let has_body = text.to_ascii_lowercase().lines().any(|line| {
            line.starts_with("transfer-encoding:")
                || (line.starts_with("content-length:") && !line.ends_with(": 0"))
        });
        let connection = if has_body { "close" } else { "keep-alive" };
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\
             connection: {connection}\r\n\r\n",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await?;
        if !text.starts_with("HEAD ") {
            stream.write_all(body.as_bytes()).await?;
        }
        if has_body {
            return Ok(());
        }
    }
}
