//! Requests without a library, so that they can also be wrong.

use carillon_wire::rest::ErrorBody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Device, TestServer, soon};

/// Sends these bytes on a new connection and reads until the server closes it.
pub(crate) async fn talk(server: &TestServer, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.authority()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    soon("the end of the connection", stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Sends a request of a signed-in device; answers with status and body.
pub(crate) async fn ask(
    server: &TestServer,
    device: &Device,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, String) {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        server.authority(),
        device.token,
        body.len()
    );
    split(&talk(server, request.as_bytes()).await)
}

fn split(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The code in an answer that is not a success.
pub(crate) fn code_in(answer: &str) -> carillon_wire::Code {
    let (_, body) = split(answer);
    serde_json::from_str::<ErrorBody>(&body).unwrap().code
}
