//! Ten thousand connections that never say hello. Both ends of them are more files than one process may have, so the crowd
//! is a process of its own: this test program once more.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use carillon_wire::CallId;
use carillon_wire::frame::{ClientFrame, Event, ServerFrame};
use tokio::task::spawn_blocking;

use crate::support::{LIMIT, Reply, TestServer, boxed, create};

const CROWD: usize = 10_000;
/// Files of a process beside those of the crowd.
const OTHER_FILES: u64 = 500;
/// Longer than it takes to connect them all on a slow machine. The server's clock is moved by hand.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Where the crowd connects to.
const ADDRESS: &str = "CARILLON_TEST_CROWD";
const CALL: CallId = CallId::new([1; 16]);

#[tokio::test]
async fn ten_thousand_who_never_say_hello_take_nothing_from_the_others() {
    if rlimit::increase_nofile_limit(CROWD as u64 + OTHER_FILES).unwrap() < CROWD as u64 + OTHER_FILES {
        println!("skipped: the system does not let a process have {CROWD} connections");
        return;
    }
    let server = TestServer::start_with(|config| {
        config.max_connections = CROWD + 100;
        config.max_connections_per_address = CROWD + 100;
        config.timings.hello = PATIENCE;
        config.timings.header = PATIENCE;
    })
    .await;
    let ada = server.somebody("ada").await;
    let grace = server.somebody("grace").await;
    let mut caller = server.connect(&ada).await;
    let mut callee = server.connect(&grace).await;
    let (mut crowd, mut said) = spawn_crowd(&server.authority());
    let (connected, mut said) =
        spawn_blocking(move || (line_after("connected ", &mut said), said)).await.unwrap();
    assert_eq!(connected, CROWD.to_string());
    assert!(server.counts(&format!("carillon_connections {}", CROWD + 2)), "all of them at once");

    assert_eq!(caller.asks(create(CALL, &[&grace])).await, Reply::Created, "others go on");
    assert!(matches!(callee.event().await, Event::Ring { .. }));
    assert_eq!(callee.asks(ClientFrame::Accept { call: CALL, sealed: boxed(7) }).await, Reply::Accepted);

    server.hands.pass(PATIENCE);
    let (told, rest) = spawn_blocking(move || (line_after("told ", &mut said), said)).await.unwrap();
    assert_eq!(told, (CROWD / 2).to_string(), "who asked for a socket is told why it ends");
    let ended = spawn_blocking(move || {
        // What it still says is of no interest, but somebody must hear it.
        rest.lines().for_each(drop);
        crowd.wait().unwrap()
    });
    assert!(ended.await.unwrap().success());
    assert_eq!(caller.request(ClientFrame::Ping {}).await, ServerFrame::Pong {});
    assert_eq!(callee.request(ClientFrame::Ping {}).await, ServerFrame::Pong {});
}

/// Starts this program again, as the crowd.
fn spawn_crowd(address: &str) -> (Child, BufReader<ChildStdout>) {
    let mut crowd = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crowd::the_crowd", "--ignored", "--nocapture"])
        .env(ADDRESS, address)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(crowd.stdout.take().unwrap());
    (crowd, said)
}

/// What stands after this in the line that begins with it.
fn line_after(start: &str, said: &mut BufReader<ChildStdout>) -> String {
    for line in said.lines() {
        let line = line.unwrap();
        if let Some((_, rest)) = line.split_once(start) {
            return rest.to_owned();
        }
    }
    panic!("the crowd has gone without saying {start:?}")
}

#[test]
#[ignore = "the other process of the test above"]
fn the_crowd() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    rlimit::increase_nofile_limit(CROWD as u64 + OTHER_FILES).unwrap();
    let upgrade = format!(
        "GET /v1/socket HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    let mut crowd: Vec<_> = (0..CROWD)
        .map(|index| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            // Every other one does not even ask for a socket.
            if index % 2 == 1 {
                stream.write_all(upgrade.as_bytes()).unwrap();
                // The server takes connections in order: who is answered is in, and so is whoever came before.
                stream.read_exact(&mut [0; 12]).unwrap();
            }
            stream
        })
        .collect();
    println!("connected {CROWD}");
    let mut told = 0;
    for stream in &mut crowd {
        stream.set_read_timeout(Some(LIMIT * 6)).unwrap();
        let mut answer = Vec::new();
        // A reset is an end as well; a time-out is none.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
        told += usize::from(String::from_utf8_lossy(&answer).contains("hello_timeout"));
    }
    println!("told {told}");
}
