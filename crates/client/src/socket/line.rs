//! One connection, from its handshake to its end.

use std::time::Duration;

use carillon_e2e::challenge::Purpose;
use carillon_wire::frame::{self, ClientFrame, Numbered, ServerFrame};
use carillon_wire::limits::{HEARTBEAT, MAX_FRAME_BYTES};
use carillon_wire::{Code, Millis, PROTOCOL};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::SocketConfig;
use super::dial::Stream;

/// How long one message may take to be written.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// A request that waits this long, while nothing at all comes, waits on a dead line. No answer of the protocol takes
/// longer than a second.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Acknowledgements of this span go out as one.
const ACK_DELAY: Duration = Duration::from_millis(50);
/// How long a clean close may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a line ended, or did not come about.
#[derive(Debug)]
pub(super) enum End {
    /// We closed it.
    Closed,
    /// It broke, or there is no server.
    Lost,
    /// The server wants us back after this time.
    Later(Duration),
    /// The server does not want this connection now.
    Refused(Code),
    /// The server does not want this device ever again.
    SignedOut(Code),
}

/// Whether an `error` with this code that answers no request ends the connection.
pub(super) const fn ends_the_line(code: Code) -> bool {
    matches!(
        code,
        Code::ProtocolUnsupported
            | Code::BadSignature
            | Code::DeviceRevoked
            | Code::DeviceUnknown
            | Code::AccountSuspended
            | Code::HelloTimeout
            | Code::Replaced
            | Code::SlowReader
            | Code::Overloaded
            | Code::ChallengeExpired
            | Code::NotSignedIn
    )
}

/// What to do after such an error.
pub(super) const fn end(code: Code) -> End {
    match code {
        Code::DeviceRevoked | Code::DeviceUnknown => End::SignedOut(code),
        Code::HelloTimeout | Code::SlowReader | Code::ChallengeExpired | Code::NotSignedIn => End::Lost,
        _ => End::Refused(code),
    }
}

/// A connection that is signed in.
pub(super) struct Line {
    socket: WebSocketStream<Box<dyn Stream>>,
    heartbeat: Duration,
    heard: Instant,
    said: Instant,
    /// The highest number to acknowledge, and when.
    ack: Option<(u64, Instant)>,
    /// Messages were dropped before this connection.
    pub(super) lost: bool,
    /// The server said that it restarts.
    pub(super) reconnect_in: Option<Duration>,
}

/// Connects, answers the challenge, and waits for `welcome`.
pub(super) async fn sign_in(config: &SocketConfig, resume: Option<u64>) -> Result<Line, End> {
    let stream = config.dial.dial().await.map_err(|_| End::Lost)?;
    let limits = WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES));
    let (mut socket, _) =
        client_async_with_config(config.url.as_str(), stream, Some(limits)).await.map_err(|_| End::Lost)?;
    loop {
        let Some(numbered) = read(socket.next().await)? else { continue };
        match numbered.frame {
            ServerFrame::Challenge { nonce, protocols } => {
                if !protocols.contains(&PROTOCOL) {
                    return Err(End::Refused(Code::ProtocolUnsupported));
                }
                let signature = config.identity.sign_challenge(Purpose::Hello, &nonce, &config.audience);
                let hello = ClientFrame::Hello {
                    proto: PROTOCOL,
                    device: config.identity.device(),
                    signature,
                    resume,
                };
                write(&mut socket, &Numbered::bare(hello)).await?;
            }
            ServerFrame::Welcome { account, heartbeat, lost, .. } => {
                if account != config.account {
                    return Err(End::Refused(Code::Internal));
                }
                let now = Instant::now();
                let heartbeat = sensible(heartbeat);
                return Ok(Line {
                    socket,
                    heartbeat,
                    heard: now,
                    said: now,
                    ack: None,
                    lost,
                    reconnect_in: None,
                });
            }
            ServerFrame::Restarting { reconnect_in } => {
                return Err(End::Later(super::within_reason(reconnect_in)));
            }
            ServerFrame::Error { code, .. } => return Err(end(code)),
            _ => {}
        }
    }
}

/// A heartbeat that neither floods the line nor leaves it without a sign for hours.
fn sensible(heartbeat: Millis) -> Duration {
    heartbeat.duration().clamp(Duration::from_secs(1), HEARTBEAT.duration() * 4)
}

impl Line {
    /// Sends a request.
    pub(super) async fn send(&mut self, request: &Numbered<ClientFrame>) -> Result<(), End> {
        self.said = Instant::now();
        write(&mut self.socket, request).await
    }

    /// Acknowledges soon.
    pub(super) fn ack(&mut self, seq: u64) {
        let (highest, at) = self.ack.unwrap_or((seq, Instant::now() + ACK_DELAY));
        self.ack = Some((highest.max(seq), at));
    }

    /// The next frame; `None` when it was none for us, or when [`due`](Self::due) has something to do. Cancelling it
    /// loses nothing.
    pub(super) async fn next(
        &mut self,
        waiting_since: Option<Instant>,
    ) -> Result<Option<Numbered<ServerFrame>>, End> {
        let ping = self.said + self.heartbeat;
        let ack = self.ack.map_or(ping, |(_, at)| at);
        let wake = self.dead_at(waiting_since).min(ping).min(ack);
        tokio::select! {
            message = self.socket.next() => {
                self.heard = Instant::now();
                read(message)
            }
            () = sleep_until(wake) => Ok(None),
        }
    }

    /// Acknowledges or pings where it is time to, and notices a line that has died.
    pub(super) async fn due(&mut self, waiting_since: Option<Instant>) -> Result<(), End> {
        let now = Instant::now();
        if now >= self.dead_at(waiting_since) {
            return Err(End::Lost);
        }
        if let Some((seq, _)) = self.ack.take_if(|(_, at)| *at <= now) {
            self.send(&Numbered::bare(ClientFrame::Ack { seq })).await?;
        }
        if now >= self.said + self.heartbeat {
            self.send(&Numbered::bare(ClientFrame::Ping {})).await?;
        }
        Ok(())
    }

    /// When this line counts as dead if nothing comes.
    fn dead_at(&self, waiting_since: Option<Instant>) -> Instant {
        let silent = self.heard + self.heartbeat.mul_f64(2.5);
        match waiting_since {
            // The answer's time runs from the last sign of life: a busy line is a living one.
            Some(since) => silent.min(since.max(self.heard) + ANSWER_TIMEOUT),
            None => silent,
        }
    }

    /// Says that this device goes away.
    pub(super) async fn close(mut self) {
        let close = async {
            if let Some((seq, _)) = self.ack.take() {
                let _ = write(&mut self.socket, &Numbered::bare(ClientFrame::Ack { seq })).await;
            }
            let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            let _ = self.socket.close(Some(frame)).await;
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        // A server that does not answer finds out by itself.
        let _ = timeout(CLOSE_TIMEOUT, close).await;
    }
}

async fn write(
    socket: &mut WebSocketStream<Box<dyn Stream>>,
    numbered: &Numbered<ClientFrame>,
) -> Result<(), End> {
    let message = Message::text(frame::encode(numbered));
    match timeout(SEND_TIMEOUT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Lost),
    }
}

/// A frame out of a message; `None` for one that is not for us: pings, and what a newer server might say.
fn read(message: Option<Result<Message, tungstenite::Error>>) -> Result<Option<Numbered<ServerFrame>>, End> {
    match message {
        Some(Ok(Message::Text(text))) => match frame::decode_server(text.as_str()) {
            Ok(numbered) => Ok(Some(numbered)),
            Err(error) => {
                tracing::debug!(code = %error.code, "a frame of the server was not understood");
                Ok(None)
            }
        },
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Lost),
        Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
    }
}
