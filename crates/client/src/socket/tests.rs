//! The line against a server that is played by hand, over a pipe, under a clock that tokio holds.

use carillon_e2e::challenge::{Challenge, Purpose};
use carillon_wire::frame::{self, EndReason, Numbered};
use carillon_wire::{Bytes32, CallId, PROTOCOL, UnixMillis};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::dial::{Dialing, Stream};
use super::*;

const AUDIENCE: &str = "calls.example.org";
const NONCE: Bytes32 = carillon_wire::bytes::Fixed([9; 32]);
const CALL: CallId = CallId::new([1; 16]);
const HEARTBEAT: Millis = Millis::from_secs(30);

/// Hands the other end of each connection to the test; without a test there is no server.
struct Pipe(mpsc::Sender<DuplexStream>);

impl Dial for Pipe {
    fn dial(&self) -> Dialing {
        let sender = self.0.clone();
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(256 * 1024);
            sender.send(theirs).await.map_err(std::io::Error::other)?;
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}

struct Scene {
    socket: Socket,
    events: mpsc::Receiver<SocketEvent>,
    connections: mpsc::Receiver<DuplexStream>,
    identity: Arc<Identity>,
}

/// The server's end of a connection.
struct Server(WebSocketStream<DuplexStream>);

impl Scene {
    fn new() -> Self {
        let identity = Arc::new(Identity::new_account(UnixMillis(1_800_000_000_000)).unwrap());
        let (sender, connections) = mpsc::channel(1);
        let (events_in, events) = mpsc::channel(64);
        let config = SocketConfig {
            identity: Arc::clone(&identity),
            account: identity.account(),
            audience: AUDIENCE.to_owned(),
            url: "ws://calls.example.org/v1/socket".to_owned(),
            dial: Arc::new(Pipe(sender)),
            chance: || 1.0,
        };
        Self { socket: Socket::start(config, events_in), events, connections, identity }
    }

    async fn connection(&mut self) -> Server {
        let stream = self.connections.recv().await.unwrap();
        let mut server = Server(accept_async(stream).await.unwrap());
        server.say(ServerFrame::Challenge { nonce: NONCE, protocols: vec![PROTOCOL] }).await;
        server
    }

    /// Waits for the device and lets it in. Gives the number it resumes at.
    async fn welcome(&mut self) -> (Server, Option<u64>) {
        let mut server = self.connection().await;
        let ClientFrame::Hello { resume, .. } = server.hear().await.frame else { panic!("no hello") };
        server.say(self.welcome_frame(false)).await;
        (server, resume)
    }

    fn welcome_frame(&self, lost: bool) -> ServerFrame {
        ServerFrame::Welcome {
            account: self.identity.account(),
            proto: PROTOCOL,
            now: UnixMillis(0),
            heartbeat: HEARTBEAT,
            lost,
        }
    }

    /// The next event that is not about the line itself.
    async fn news(&mut self) -> SocketEvent {
        loop {
            match self.events.recv().await.unwrap() {
                SocketEvent::Connecting | SocketEvent::Online { .. } | SocketEvent::Offline { .. } => {}
                event => return event,
            }
        }
    }

    /// Waits until the line is given up, and says for how long.
    async fn offline(&mut self) -> (Duration, Option<Code>) {
        loop {
            if let SocketEvent::Offline { retry_in, code } = self.events.recv().await.unwrap() {
                return (retry_in, code);
            }
        }
    }
}

impl Server {
    async fn say(&mut self, frame: ServerFrame) {
        self.say_numbered(Numbered::bare(frame)).await;
    }

    async fn say_numbered(&mut self, frame: Numbered<ServerFrame>) {
        self.0.send(Message::text(frame::encode(&frame))).await.unwrap();
    }

    async fn hear(&mut self) -> Numbered<ClientFrame> {
        loop {
            if let Message::Text(text) = self.0.next().await.unwrap().unwrap() {
                return frame::decode_client(text.as_str()).unwrap();
            }
        }
    }

    async fn deliver(&mut self, seq: u64) {
        let event = Event::Ended { call: CALL, reason: EndReason::HungUp };
        self.say(ServerFrame::Deliver { seq, event }).await;
    }
}

fn ringing(number: u8) -> ClientFrame {
    ClientFrame::Ringing { call: CallId::new([number; 16]) }
}

#[tokio::test(start_paused = true)]
async fn the_device_signs_the_challenge_for_this_server() {
    let mut scene = Scene::new();
    let mut server = scene.connection().await;
    let ClientFrame::Hello { proto, device, signature, resume } = server.hear().await.frame else {
        panic!("no hello")
    };
    assert_eq!((proto, device, resume), (PROTOCOL, scene.identity.device(), None));
    let keys = carillon_e2e::verify_certificate(
        &scene.identity.account_key(),
        &scene.identity.certificate(),
        UnixMillis(1_800_000_000_000),
    );
    let challenge =
        Challenge { purpose: Purpose::Hello, nonce: &NONCE, device, protocol: proto, audience: AUDIENCE };
    challenge.verify(&keys.unwrap().device_key(), &signature).unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_not_answered_is_asked_again_after_a_reconnect() {
    let mut scene = Scene::new();
    let (mut server, _) = scene.welcome().await;
    scene.socket.command(SocketCommand::Request(ringing(1)));
    scene.socket.command(SocketCommand::Request(ringing(2)));
    let first = server.hear().await;
    let second = server.hear().await;
    server.say_numbered(Numbered { reference: first.reference, frame: ServerFrame::Done {} }).await;
    assert_eq!(scene.news().await, SocketEvent::Reply { request: ringing(1), frame: ServerFrame::Done {} });
    drop(server);

    let (mut server, _) = scene.welcome().await;
    assert_eq!(server.hear().await, second);
    server.say_numbered(Numbered { reference: second.reference, frame: ServerFrame::Done {} }).await;
    assert_eq!(scene.news().await, SocketEvent::Reply { request: ringing(2), frame: ServerFrame::Done {} });
}

#[tokio::test(start_paused = true)]
async fn the_mailbox_goes_on_where_it_was_and_nothing_comes_twice() {
    let mut scene = Scene::new();
    let (mut server, _) = scene.welcome().await;
    server.deliver(7).await;
    server.deliver(8).await;
    assert!(matches!(scene.news().await, SocketEvent::Deliver { seq: 7, .. }));
    assert!(matches!(scene.news().await, SocketEvent::Deliver { seq: 8, .. }));
    drop(server);

    let (mut server, resume) = scene.welcome().await;
    assert_eq!(resume, Some(8));
    server.deliver(8).await;
    server.deliver(9).await;
    assert!(matches!(scene.news().await, SocketEvent::Deliver { seq: 9, .. }));
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_go_out_in_bunches() {
    let mut scene = Scene::new();
    let (mut server, _) = scene.welcome().await;
    for seq in 1..=20 {
        server.deliver(seq).await;
        assert!(matches!(scene.news().await, SocketEvent::Deliver { .. }));
        scene.socket.command(SocketCommand::Ack(seq));
    }
    assert_eq!(server.hear().await.frame, ClientFrame::Ack { seq: 20 });
}

#[tokio::test(start_paused = true)]
async fn an_idle_line_is_kept_alive_and_a_silent_one_is_dead() {
    let mut scene = Scene::new();
    let (mut server, _) = scene.welcome().await;
    let start = Instant::now();
    assert_eq!(server.hear().await.frame, ClientFrame::Ping {});
    assert_eq!(start.elapsed().as_secs(), 30);
    server.say(ServerFrame::Pong {}).await;
    let answered = Instant::now();
    // From here on the server says nothing: two and a half heartbeats later the line is given up.
    let (_server, _) = scene.welcome().await;
    assert_eq!(answered.elapsed().as_secs(), 75);
}

#[tokio::test(start_paused = true)]
async fn a_request_on_a_dead_line_is_asked_again_on_a_new_one_within_seconds() {
    let mut scene = Scene::new();
    let (mut server, _) = scene.welcome().await;
    scene.socket.command(SocketCommand::Request(ringing(1)));
    let asked = server.hear().await;
    let start = Instant::now();
    let (mut again, _) = scene.welcome().await;
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(again.hear().await, asked);
}

#[tokio::test(start_paused = true)]
async fn the_waits_between_tries_double_and_start_again_after_a_good_line() {
    let mut scene = Scene::new();
    let offline = |millis| SocketEvent::Offline { retry_in: Duration::from_millis(millis), code: None };
    for wait in [None, Some(250), Some(500), Some(1000)] {
        assert_eq!(scene.events.recv().await, Some(SocketEvent::Connecting));
        drop(scene.connections.recv().await.unwrap());
        if let Some(wait) = wait {
            assert_eq!(scene.events.recv().await, Some(offline(wait)));
        }
    }

    let (mut server, _) = scene.welcome().await;
    assert_eq!(server.hear().await.frame, ClientFrame::Ping {});
    drop(server);
    drop(scene.connections.recv().await.unwrap());
    assert_eq!(scene.offline().await.0, Duration::from_millis(250));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_restarts_is_given_the_time_it_asks_for() {
    let mut scene = Scene::new();
    let (mut server, _) = scene.welcome().await;
    let reconnect_in = Millis(3456);
    server.say(ServerFrame::Restarting { reconnect_in }).await;
    assert_eq!(scene.news().await, SocketEvent::Frame(ServerFrame::Restarting { reconnect_in }));
    drop(server);
    assert_eq!(scene.offline().await, (Duration::from_millis(3456), Some(Code::Restarting)));
    let start = Instant::now();
    scene.welcome().await;
    assert_eq!(start.elapsed().as_millis(), 3456);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_network_is_tried_at_once() {
    let mut scene = Scene::new();
    let (mut server, _) = scene.welcome().await;
    server.say(ServerFrame::Restarting { reconnect_in: Millis::from_secs(50) }).await;
    drop(server);
    scene.offline().await;
    let start = Instant::now();
    scene.socket.command(SocketCommand::Reconnect);
    scene.welcome().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_network_while_connecting_begins_anew() {
    let mut scene = Scene::new();
    // To an address that nobody has any longer: it is taken, and nothing ever comes.
    let dead = scene.connections.recv().await.unwrap();
    let start = Instant::now();
    scene.socket.command(SocketCommand::Reconnect);
    scene.welcome().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    drop(dead);
}

#[tokio::test(start_paused = true)]
async fn a_removed_device_does_not_knock_again() {
    let mut scene = Scene::new();
    let (mut server, _) = scene.welcome().await;
    server.say(ServerFrame::error(Code::DeviceRevoked)).await;
    assert_eq!(scene.news().await, SocketEvent::SignedOut(Code::DeviceRevoked));
    assert_eq!(scene.events.recv().await, None);
    assert!(scene.connections.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn another_version_of_the_protocol_is_said_and_tried_again_late() {
    let mut scene = Scene::new();
    let stream = scene.connections.recv().await.unwrap();
    let mut server = Server(accept_async(stream).await.unwrap());
    server.say(ServerFrame::Challenge { nonce: NONCE, protocols: vec![PROTOCOL + 1] }).await;
    assert_eq!(scene.offline().await, (Duration::from_secs(30), Some(Code::ProtocolUnsupported)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_names_another_account_is_not_believed() {
    let mut scene = Scene::new();
    let mut server = scene.connection().await;
    server.hear().await;
    let frame = ServerFrame::Welcome {
        account: AccountId::new([5; 16]),
        proto: PROTOCOL,
        now: UnixMillis(0),
        heartbeat: HEARTBEAT,
        lost: false,
    };
    server.say(frame).await;
    assert_eq!(scene.offline().await.1, Some(Code::Internal));
}

#[tokio::test(start_paused = true)]
async fn lost_messages_are_told() {
    let mut scene = Scene::new();
    let mut server = scene.connection().await;
    server.hear().await;
    let frame = scene.welcome_frame(true);
    server.say(frame).await;
    assert_eq!(scene.events.recv().await, Some(SocketEvent::Connecting));
    assert_eq!(scene.events.recv().await, Some(SocketEvent::Online { lost: true }));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_understood_changes_nothing() {
    let mut scene = Scene::new();
    let (mut server, _) = scene.welcome().await;
    for text in ["", "[]", r#"{"type":"from_the_future"}"#, r#"{"type":"deliver"}"#] {
        server.0.send(Message::text(text)).await.unwrap();
    }
    server.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    server.deliver(1).await;
    assert!(matches!(scene.news().await, SocketEvent::Deliver { seq: 1, .. }));
}

#[tokio::test(start_paused = true)]
async fn an_event_of_a_later_version_is_passed_on_with_its_number_and_not_a_second_time() {
    let mut scene = Scene::new();
    let (mut server, _) = scene.welcome().await;
    let later = r#"{"type":"deliver","seq":5,"event":{"type":"hand_over","to":[1]}}"#;
    server.0.send(Message::text(later)).await.unwrap();
    assert_eq!(scene.news().await, SocketEvent::Deliver { seq: 5, event: Event::Unknown });
    drop(server);
    let (_, resume) = scene.welcome().await;
    assert_eq!(resume, Some(5));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_says_so() {
    let mut scene = Scene::new();
    let (mut server, _) = scene.welcome().await;
    let closing = tokio::spawn(scene.socket.close());
    let close = loop {
        match server.0.next().await {
            Some(Ok(Message::Close(frame))) => break frame,
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(close.unwrap().code, CloseCode::Normal);
    closing.await.unwrap();
}
