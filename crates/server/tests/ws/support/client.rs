//! A client that speaks the protocol by hand.

use std::collections::VecDeque;

use carillon_wire::frame::{
    BoxFor, ClientFrame, Event, Media, Numbered, ServerFrame, TakenKind, decode_server, encode,
};
use carillon_wire::{Blob, Bytes32, CallId, Code, Millis, PROTOCOL};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use super::{Device, TestServer, soon};

/// What a test compares a reply with: the frame without what varies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Done,
    Created,
    Refused,
    Accepted,
    Taken(TakenKind),
    Error(Code),
    Other(ServerFrame),
}

impl From<ServerFrame> for Reply {
    fn from(frame: ServerFrame) -> Self {
        match frame {
            ServerFrame::Done {} => Self::Done,
            ServerFrame::Created { .. } => Self::Created,
            ServerFrame::Refused { .. } => Self::Refused,
            ServerFrame::Accepted { .. } => Self::Accepted,
            ServerFrame::Taken { kind, .. } => Self::Taken(kind),
            ServerFrame::Error { code, .. } => Self::Error(code),
            other => Self::Other(other),
        }
    }
}

/// A box with this number in it.
pub(crate) fn boxed(number: u8) -> Blob {
    Blob(vec![number; 600])
}

/// A call with a box for each of these devices, numbered from 0.
pub(crate) fn create(call: CallId, devices: &[&Device]) -> ClientFrame {
    create_with(call, devices, Millis(30_000))
}

pub(crate) fn create_with(call: CallId, devices: &[&Device], expires_in: Millis) -> ClientFrame {
    let boxes = (0u8..).zip(devices).map(|(n, one)| BoxFor { device: one.device, sealed: boxed(n) });
    ClientFrame::Create {
        call,
        callee: devices[0].account,
        media: Media::Video,
        expires_in,
        boxes: boxes.collect(),
    }
}

/// A connection.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
    next: u64,
    /// What came while a reply was waited for.
    inbox: VecDeque<ServerFrame>,
    /// The last mailbox number that was delivered.
    pub(crate) seen: u64,
}

impl Client {
    /// A connection that has not even read the challenge.
    pub(crate) async fn open(server: &TestServer) -> Self {
        Self::over(TcpStream::connect(server.authority()).await.unwrap(), server).await
    }

    /// A WebSocket over this stream.
    pub(crate) async fn over(stream: TcpStream, server: &TestServer) -> Self {
        stream.set_nodelay(true).unwrap();
        let request = format!("ws://{}/v1/socket", server.authority()).into_client_request().unwrap();
        let opened = tokio_tungstenite::client_async(request, stream);
        let (socket, _) = soon("the upgrade", opened).await.unwrap();
        Self { socket, next: 0, inbox: VecDeque::new(), seen: 0 }
    }

    /// A connection, signed in and welcomed.
    pub(crate) async fn connect(server: &TestServer, device: &Device, resume: Option<u64>) -> Self {
        let mut client = Self::open(server).await;
        client.seen = resume.unwrap_or_default();
        client.sign_in(server, device, resume).await;
        client
    }

    /// Reads the challenge.
    pub(crate) async fn challenge(&mut self) -> Bytes32 {
        match self.read().await.map(|numbered| numbered.frame) {
            Some(ServerFrame::Challenge { nonce, .. }) => nonce,
            other => panic!("a challenge, not {other:?}"),
        }
    }

    /// Answers the challenge and waits for the welcome, which it answers with.
    pub(crate) async fn sign_in(
        &mut self,
        server: &TestServer,
        device: &Device,
        resume: Option<u64>,
    ) -> ServerFrame {
        let nonce = self.challenge().await;
        let signature = device.hello(&nonce, &server.authority());
        let hello = ClientFrame::Hello { proto: PROTOCOL, device: device.device, signature, resume };
        let welcome = self.request(hello).await;
        assert!(matches!(welcome, ServerFrame::Welcome { .. }), "a welcome, not {welcome:?}");
        welcome
    }

    /// Sends text as it is.
    pub(crate) async fn say(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.unwrap();
    }

    /// Sends a frame without waiting for the reply; its number is the answer.
    pub(crate) async fn send(&mut self, frame: ClientFrame) -> u64 {
        let reference = self.next;
        self.next += 1;
        self.say(encode(&Numbered::new(reference, frame))).await;
        reference
    }

    /// Sends a frame and waits for the reply to it.
    pub(crate) async fn request(&mut self, frame: ClientFrame) -> ServerFrame {
        let reference = self.send(frame).await;
        self.reply_to(reference).await
    }

    /// Sends a frame and waits for the reply to it, for comparison.
    pub(crate) async fn asks(&mut self, frame: ClientFrame) -> Reply {
        self.request(frame).await.into()
    }

    /// Waits for the reply with this number.
    pub(crate) async fn reply_to(&mut self, reference: u64) -> ServerFrame {
        loop {
            let Some(Numbered { reference: of, frame }) = self.read().await else {
                panic!("the connection ended before the reply")
            };
            if of == Some(reference) {
                return frame;
            }
            self.inbox.push_back(frame);
        }
    }

    /// The next frame that is no reply to what is waited for.
    pub(crate) async fn frame(&mut self) -> ServerFrame {
        match self.inbox.pop_front() {
            Some(frame) => frame,
            None => match self.read().await {
                Some(numbered) => numbered.frame,
                None => panic!("the connection ended before the frame"),
            },
        }
    }

    /// The next message of the mailbox; other frames before it are passed over.
    pub(crate) async fn letter(&mut self) -> (u64, Event) {
        loop {
            if let ServerFrame::Deliver { seq, event } = self.frame().await {
                self.seen = seq;
                return (seq, event);
            }
        }
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Event {
        self.letter().await.1
    }

    /// The next presence.
    pub(crate) async fn presence(&mut self) -> (carillon_wire::AccountId, bool) {
        loop {
            if let ServerFrame::Presence { account, online } = self.frame().await {
                return (account, online);
            }
        }
    }

    /// Everything that has come, as far as the reply to a `ping` shows it.
    pub(crate) async fn all_frames(&mut self) -> Vec<ServerFrame> {
        assert_eq!(self.request(ClientFrame::Ping {}).await, ServerFrame::Pong {});
        self.inbox.drain(..).collect()
    }

    /// Waits for the error that ends the connection.
    pub(crate) async fn refusal(&mut self) -> ServerFrame {
        loop {
            match self.read().await.map(|numbered| numbered.frame) {
                Some(error @ ServerFrame::Error { .. }) => return error,
                Some(_) => {}
                None => panic!("the connection ended without an error"),
            }
        }
    }

    /// Waits for the error that ends the connection, and for its end.
    pub(crate) async fn refused(&mut self) -> Code {
        let ServerFrame::Error { code, .. } = self.refusal().await else { panic!("an error") };
        self.end().await;
        code
    }

    /// Waits for the end of the connection; answers with the close code, if there was one.
    pub(crate) async fn end(&mut self) -> Option<CloseCode> {
        let mut code = None;
        loop {
            match soon("the end", self.socket.next()).await {
                Some(Ok(Message::Close(close))) => code = close.map(|close: CloseFrame| close.code),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return code,
            }
        }
    }

    /// Says that the device goes away.
    pub(crate) async fn goes_away(mut self) {
        let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        self.socket.close(Some(close)).await.unwrap();
        self.end().await;
    }

    /// The line drops.
    pub(crate) fn drops(self) {
        drop(self.socket);
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) async fn read(&mut self) -> Option<Numbered<ServerFrame>> {
        loop {
            match soon("a frame", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return Some(decode_server(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}
