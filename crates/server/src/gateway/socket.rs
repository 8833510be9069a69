//! A WebSocket that speaks frames, and the ways in which it ends.

use std::sync::Arc;
use std::time::Duration;

use carillon_wire::Code;
use carillon_wire::frame::{Numbered, Ref, ServerFrame, encode};
use carillon_wire::limits::MAX_FRAME_BYTES;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rand::random_range;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::app::App;
use crate::bus::Line;
use crate::metrics::Metrics;
use crate::net::linger;
use crate::store::Parting;

/// Read and write buffer of a socket, each. Frames of a call that rings are larger, and rare.
const BUFFER: usize = 4096;

/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The other side has gone.
    Gone(Parting),
    /// This error ends it.
    Refused(ServerFrame),
    /// A message that the WebSocket layer did not assemble.
    TooLarge,
    /// A text that is not UTF-8, or a violation of RFC 6455.
    Violation,
    /// It takes nothing of what is sent to it.
    SlowReader,
    /// It has to end, or to check whether it must, in the middle of a write.
    MustGo,
    /// The server shuts down.
    Restarting,
}

impl End {
    /// An `error` with the code's own sentence.
    pub(super) fn refused(code: Code) -> Self {
        Self::Refused(ServerFrame::error(code))
    }

    /// What the end means for the device: reachable for a while, or gone.
    pub(super) const fn parting(&self) -> Parting {
        match self {
            Self::Gone(parting) => *parting,
            Self::Refused(_)
            | Self::TooLarge
            | Self::Violation
            | Self::SlowReader
            | Self::MustGo
            | Self::Restarting => Parting::Lost,
        }
    }
}

/// What came.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message.
    Binary,
    /// A sign of life.
    Life,
}

/// A connection's WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    stream: WebSocketStream<TokioIo<Upgraded>>,
    stall: Duration,
    reconnect_window: u64,
    metrics: Arc<Metrics>,
}

impl Socket {
    pub(super) async fn new(stream: TokioIo<Upgraded>, app: &App) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER)
            .max_write_buffer_size(4 * MAX_FRAME_BYTES)
            .max_message_size(Some(MAX_FRAME_BYTES))
            .max_frame_size(Some(MAX_FRAME_BYTES));
        Self {
            stream: WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await,
            stall: app.config.timings.stall,
            reconnect_window: app.config.reconnect_window_ms,
            metrics: Arc::clone(&app.metrics),
        }
    }

    /// The next message. Cancelling it loses nothing.
    pub(super) async fn receive(&mut self) -> Result<Incoming, End> {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => Ok(Incoming::Text(text)),
            Some(Ok(Message::Binary(_))) => Ok(Incoming::Binary),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(Incoming::Life),
            Some(Ok(Message::Close(Some(close)))) if close.code == CloseCode::Normal => {
                Err(End::Gone(Parting::Clean))
            }
            Some(Ok(Message::Close(_))) | None => Err(End::Gone(Parting::Lost)),
            Some(Err(Error::Capacity(_))) => Err(End::TooLarge),
            Some(Err(Error::Utf8(_) | Error::Protocol(_))) => Err(End::Violation),
            Some(Err(_)) => Err(End::Gone(Parting::Lost)),
        }
    }

    /// Puts a frame into the write buffer, which [`flush`](Self::flush) sends.
    pub(super) async fn feed(
        &mut self,
        reference: Option<Ref>,
        frame: ServerFrame,
        line: Option<&Line>,
    ) -> Result<(), End> {
        if let ServerFrame::Error { code, .. } = &frame {
            self.metrics.error(*code);
        }
        let text = encode(&Numbered { reference, frame });
        let stall = self.stall;
        guarded(stall, line, self.stream.feed(Message::text(text))).await
    }

    /// Sends what is in the write buffer.
    pub(super) async fn flush(&mut self, line: Option<&Line>) -> Result<(), End> {
        let stall = self.stall;
        guarded(stall, line, self.stream.flush()).await
    }

    /// Sends a frame.
    pub(super) async fn send(
        &mut self,
        reference: Option<Ref>,
        frame: ServerFrame,
        line: Option<&Line>,
    ) -> Result<(), End> {
        self.feed(reference, frame, line).await?;
        self.flush(line).await
    }

    /// Asks for a sign of life.
    pub(super) async fn ping(&mut self, line: Option<&Line>) -> Result<(), End> {
        let stall = self.stall;
        guarded(stall, line, self.stream.send(Message::Ping(Vec::new().into()))).await
    }

    /// Says why it ends, as far as the other side listens, and closes.
    pub(super) async fn finish(mut self, end: End) {
        let (frame, code) = match end {
            End::Gone(Parting::Clean) => (None, None),
            End::Gone(Parting::Lost) => return,
            End::Refused(frame) => (Some(frame), Some(CloseCode::Policy)),
            End::TooLarge => (None, Some(CloseCode::Size)),
            End::Violation => (None, Some(CloseCode::Protocol)),
            End::SlowReader => (Some(ServerFrame::error(Code::SlowReader)), Some(CloseCode::Policy)),
            End::MustGo => (None, Some(CloseCode::Policy)),
            End::Restarting => (Some(self.restarting()), Some(CloseCode::Restart)),
        };
        if let Some(ServerFrame::Error { code, .. }) = &frame {
            self.metrics.error(*code);
        }
        let stream = &mut self.stream;
        let farewell = async move {
            if let Some(frame) = frame {
                stream.feed(Message::text(encode(&Numbered::bare(frame)))).await?;
            }
            match code {
                Some(code) => stream.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await,
                None => stream.flush().await,
            }
        };
        let _ = timeout(FAREWELL, farewell).await;
        linger(self.stream.get_mut()).await;
    }

    /// Everybody comes back at another time, so that they don't all come at once.
    fn restarting(&self) -> ServerFrame {
        let reconnect_in = carillon_wire::Millis(random_range(0..=self.reconnect_window));
        ServerFrame::Restarting { reconnect_in }
    }
}

/// A write that ends when nothing is taken, or when the connection must go.
async fn guarded(
    stall: Duration,
    line: Option<&Line>,
    write: impl Future<Output = Result<(), Error>>,
) -> Result<(), End> {
    let must_go = async {
        match line {
            Some(line) => line.must_go().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        written = timeout(stall, write) => match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone(Parting::Lost)),
            Err(_) => Err(End::SlowReader),
        },
        () = must_go => Err(End::MustGo),
    }
}
