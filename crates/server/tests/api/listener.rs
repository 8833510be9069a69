use carillon_e2e::challenge::audience;
use carillon_server::admin::{Command, run};
use carillon_server::config::Config;
use carillon_server::{RunningServer, Server};
use carillon_wire::limits::MAX_PICTURE_BYTES;
use carillon_wire::rest::{Challenge, ErrorBody, Me, Session};
use carillon_wire::{Code, Handle};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::Phone;

/// A request over a connection of its own, written by hand; the whole body is sent before the answer is read.
async fn exchange(server: &RunningServer, head: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    let length = body.len();
    let host = server.addr();
    let head = format!("{head}\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&answer[..end]).unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_off(end + 4))
}

async fn ok<T: DeserializeOwned>(server: &RunningServer, head: &str, body: &[u8]) -> T {
    let (status, body) = exchange(server, head, body).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

async fn code(server: &RunningServer, head: &str, body: &[u8]) -> Code {
    let (status, body) = exchange(server, head, body).await;
    let error: ErrorBody = serde_json::from_slice(&body).unwrap();
    assert_eq!(status, error.code.status());
    error.code
}

/// A server on a port of its own, with Ada signed up.
async fn server_with_ada() -> (RunningServer, Phone, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Config::local(folder.path())).await.unwrap();
    let mut phone = Phone::new(1, 1);
    let nonce = ok::<Challenge>(&server, "POST /v1/challenges HTTP/1.1", b"").await.nonce;
    let device = carillon_wire::rest::NewDevice {
        credentials: carillon_wire::signed::Credentials {
            account_key: phone.account.public(),
            certificate: phone.certificate(1, server.app().clock.wall()),
            badge: None,
        },
        device_name: "Phone".to_owned(),
        signature: phone.sign(&nonce, &audience(server.url()).unwrap()),
        nonce,
    };
    let request =
        carillon_wire::rest::SignUp { handle: "ada".to_owned(), name: None, invitation: None, device };
    let body = serde_json::to_vec(&request).unwrap();
    phone.session = Some(ok::<Session>(&server, "POST /v1/accounts HTTP/1.1", &body).await);
    (server, phone, folder)
}

fn with_token(line: &str, phone: &Phone) -> String {
    format!("{line} HTTP/1.1\r\nauthorization: Bearer {}", phone.token())
}

#[tokio::test]
async fn somebody_signs_up_over_a_real_connection() {
    let (server, ada, _folder) = server_with_ada().await;
    let me: Me = ok(&server, &with_token("GET /v1/me", &ada), b"").await;
    assert_eq!(me.profile.handle.as_str(), "ada");
}

#[tokio::test]
async fn who_sends_far_too_much_still_learns_that_it_was_too_much() {
    let (server, ada, _folder) = server_with_ada().await;
    let large = vec![b'x'; MAX_PICTURE_BYTES + (1 << 20)];
    assert_eq!(code(&server, "POST /v1/accounts HTTP/1.1", &large).await, Code::TooLarge);
    assert_eq!(code(&server, &with_token("PUT /v1/me/picture", &ada), &large).await, Code::PictureTooLarge);
}

#[tokio::test]
async fn the_operators_commands_work_beside_a_running_server() {
    let (server, ada, folder) = server_with_ada().await;
    let beside = Server::open_store(&Config::local(folder.path())).await.unwrap();
    let handle = Handle::parse("ada").unwrap();
    let command = Command::Block { handle: handle.clone() };
    run(&beside, &command, server.app().clock.wall()).await.unwrap();
    assert_eq!(code(&server, &with_token("GET /v1/me", &ada), b"").await, Code::AccountSuspended);
    run(&beside, &Command::Unblock { handle }, server.app().clock.wall()).await.unwrap();
    ok::<Me>(&server, &with_token("GET /v1/me", &ada), b"").await;
    beside.close().await;
}
