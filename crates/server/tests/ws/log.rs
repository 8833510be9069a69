//! What the log says of people: nothing.

use std::io;
use std::sync::{Arc, Mutex};

use carillon_wire::CallId;
use carillon_wire::frame::ClientFrame;
use tokio::net::TcpSocket;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::support::{Client, Reply, TestServer, ask, create};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn the_log_of_a_run_names_nobody() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("warn,carillon_server=trace")
        .with_writer(lines.clone())
        .finish();
    // Other tests of this program may be logging too: whatever they write must name nobody either.
    subscriber.try_init().unwrap();
    let server = TestServer::start().await;
    let ada = server.somebody("ada_nobody_logs").await;
    let grace = server.somebody("grace_nobody_logs").await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 77], 0).into()).unwrap();
    let stream = socket.connect(server.running().addr()).await.unwrap();
    let mut caller = Client::over(stream, &server).await;
    caller.sign_in(&server, &ada, None).await;
    let _callee = server.connect(&grace).await;
    let call = CallId::new([1; 16]);
    assert_eq!(caller.asks(create(call, &[&grace])).await, Reply::Created);
    assert_eq!(caller.asks(ClientFrame::Cancel { call }).await, Reply::Done);
    assert_eq!(ask(&server, &ada, "GET", "/v1/me", "").await.0, 200);
    assert_eq!(ask(&server, &ada, "GET", "/v1/accounts?q=grace", "").await.0, 200);
    drop(server);
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("the server listens"), "something is logged: {log}");
    let ids = [ada.account.to_string(), ada.device.to_string(), call.to_string()];
    let texts = ["nobody_logs", "of the tests", "127.0.0.77", ada.token.as_str()];
    for text in texts.into_iter().chain(ids.iter().map(String::as_str)) {
        assert!(!log.contains(text), "{text} in\n{log}");
    }
}
