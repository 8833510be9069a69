//! The line to the server: one task that keeps a WebSocket up for as long as the client lives.
//!
//! It signs in with the device key, says what it is doing ([`SocketEvent::Connecting`], `Online`, `Offline`), repeats
//! after a reconnect whatever was not answered, resumes the mailbox where it was, drops what it has seen, and
//! acknowledges in bunches. What the frames mean is the actor's business.

mod dial;
mod line;
mod pending;

pub(crate) use dial::{Dial, NetworkDial};

use std::sync::Arc;
use std::time::Duration;

use carillon_wire::frame::{ClientFrame, Event, ServerFrame};
use carillon_wire::{AccountId, Code, Millis};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::backoff::Backoff;
use crate::identity::Identity;
use line::{End, Line};
use pending::Pending;

/// How long connecting and signing in may take, all in all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// What the actor asks of the line.
#[derive(Debug)]
pub(crate) enum SocketCommand {
    /// Ask the server; asked again after a reconnect until it answers.
    Request(ClientFrame),
    /// Everything up to this mailbox number is handled.
    Ack(u64),
    /// The network changed: try now.
    Reconnect,
    /// This device goes away: close cleanly and end.
    Close,
}

/// What the line tells the actor.
#[derive(Debug, PartialEq)]
pub(crate) enum SocketEvent {
    /// Trying.
    Connecting,
    /// Signed in.
    Online {
        /// Messages for this device were dropped meanwhile.
        lost: bool,
    },
    /// Not connected; the next try comes by itself.
    Offline {
        /// After this time.
        retry_in: Duration,
        /// Why, where the server said it.
        code: Option<Code>,
    },
    /// The server does not take this device any longer: there will be no further try.
    SignedOut(Code),
    /// A message out of the mailbox, each number once.
    Deliver {
        /// To be acknowledged.
        seq: u64,
        /// The message.
        event: Event,
    },
    /// The answer to a request.
    Reply {
        /// What was asked.
        request: ClientFrame,
        /// What came back.
        frame: ServerFrame,
    },
    /// A frame that nobody asked for.
    Frame(ServerFrame),
}

/// The actor's end of the line.
#[derive(Debug)]
pub(crate) struct Socket {
    commands: mpsc::UnboundedSender<SocketCommand>,
    task: tokio::task::JoinHandle<()>,
}

/// What the task needs.
pub(crate) struct SocketConfig {
    /// Who signs in.
    pub(crate) identity: Arc<Identity>,
    /// The account that the server must name in `welcome`.
    pub(crate) account: AccountId,
    /// For whom the challenge is signed.
    pub(crate) audience: String,
    /// `ws://` or `wss://`.
    pub(crate) url: String,
    /// How a connection comes about.
    pub(crate) dial: Arc<dyn Dial>,
    /// A random number from 0 to 1.
    pub(crate) chance: fn() -> f64,
}

impl Socket {
    /// Starts the task; its events go to `events`.
    pub(crate) fn start(config: SocketConfig, events: mpsc::Sender<SocketEvent>) -> Self {
        let (commands, receiver) = mpsc::unbounded_channel();
        let keeper = Keeper {
            config,
            events,
            commands: receiver,
            pending: Pending::default(),
            backoff: Backoff::default(),
            seen: None,
        };
        Self { commands, task: tokio::spawn(keeper.run()) }
    }

    /// Asks the task for something. After its end this does nothing.
    pub(crate) fn command(&self, command: SocketCommand) {
        // The task ends only after `Close` or `SignedOut`: then there is nobody left to ask.
        let _ = self.commands.send(command);
    }

    /// Closes the line cleanly and waits until that is done.
    pub(crate) async fn close(self) {
        let _ = self.commands.send(SocketCommand::Close);
        let _ = self.task.await;
    }
}

/// The task.
struct Keeper {
    config: SocketConfig,
    events: mpsc::Sender<SocketEvent>,
    commands: mpsc::UnboundedReceiver<SocketCommand>,
    pending: Pending,
    backoff: Backoff,
    /// The highest mailbox number that was passed on.
    seen: Option<u64>,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            self.tell(SocketEvent::Connecting).await;
            let end = match self.connect().await {
                Ok(line) => self.serve(line).await,
                Err(end) => end,
            };
            let (wait, code) = match end {
                End::Closed => return,
                End::SignedOut(code) => {
                    self.tell(SocketEvent::SignedOut(code)).await;
                    return;
                }
                End::Lost => (self.backoff.next((self.config.chance)()), None),
                End::Later(span) => (span, Some(Code::Restarting)),
                End::Refused(code) => {
                    self.backoff.exhaust();
                    // At least half of the longest wait: this is no accident that passes quickly.
                    (self.backoff.next(0.5 + (self.config.chance)() / 2.0), Some(code))
                }
            };
            if !wait.is_zero() {
                self.tell(SocketEvent::Offline { retry_in: wait, code }).await;
            }
            if !self.rest(wait).await {
                return;
            }
        }
    }

    async fn tell(&self, event: SocketEvent) {
        // Without an actor nobody is interested; `rest` and `serve` notice by the closed command channel.
        let _ = self.events.send(event).await;
    }

    /// Waits before the next try. False when the client goes away.
    async fn rest(&mut self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        loop {
            tokio::select! {
                () = sleep_until(until) => return true,
                command = self.commands.recv() => match command {
                    Some(SocketCommand::Request(frame)) => self.pending.add(frame),
                    Some(SocketCommand::Ack(_)) => {}
                    Some(SocketCommand::Reconnect) => {
                        self.backoff.reset();
                        return true;
                    }
                    Some(SocketCommand::Close) | None => return false,
                },
            }
        }
    }

    /// Connects and signs in, unless the client goes away meanwhile.
    async fn connect(&mut self) -> Result<Line, End> {
        let signing_in = timeout(CONNECT_TIMEOUT, line::sign_in(&self.config, self.seen));
        tokio::pin!(signing_in);
        loop {
            tokio::select! {
                outcome = &mut signing_in => return outcome.unwrap_or(Err(End::Lost)),
                command = self.commands.recv() => match command {
                    Some(SocketCommand::Request(frame)) => self.pending.add(frame),
                    Some(SocketCommand::Ack(_)) => {}
                    // What is under way may have begun at an address that is gone.
                    Some(SocketCommand::Reconnect) => {
                        signing_in.set(timeout(CONNECT_TIMEOUT, line::sign_in(&self.config, self.seen)));
                    }
                    Some(SocketCommand::Close) | None => return Err(End::Closed),
                },
            }
        }
    }

    /// Serves a line until it ends.
    async fn serve(&mut self, mut line: Line) -> End {
        let since = Instant::now();
        self.tell(SocketEvent::Online { lost: line.lost }).await;
        let end = self.talk(&mut line).await;
        if since.elapsed() >= Backoff::SETTLED {
            self.backoff.reset();
        }
        let reconnect_in = line.reconnect_in;
        if matches!(end, End::Closed) {
            line.close().await;
        }
        match (end, reconnect_in) {
            (End::Lost, Some(span)) => End::Later(span),
            (end, _) => end,
        }
    }

    async fn talk(&mut self, line: &mut Line) -> End {
        self.pending.repeat();
        loop {
            while let Some(request) = self.pending.next() {
                if let Err(end) = line.send(&request).await {
                    return end;
                }
            }
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(SocketCommand::Request(frame)) => self.pending.add(frame),
                    Some(SocketCommand::Ack(seq)) => line.ack(seq),
                    Some(SocketCommand::Reconnect) => {
                        self.backoff.reset();
                        return End::Lost;
                    }
                    Some(SocketCommand::Close) | None => return End::Closed,
                },
                outcome = line.next(self.pending.waiting_since()) => match outcome {
                    Ok(Some(frame)) => if let Some(end) = self.take(line, frame).await { return end },
                    Ok(None) => {}
                    Err(end) => return end,
                },
            }
            if let Err(end) = line.due(self.pending.waiting_since()).await {
                return end;
            }
        }
    }

    /// Passes a frame on to the actor, once.
    async fn take(
        &mut self,
        line: &mut Line,
        numbered: carillon_wire::frame::Numbered<ServerFrame>,
    ) -> Option<End> {
        let request = numbered.reference.and_then(|reference| self.pending.take(reference, &numbered.frame));
        let event = match (request, numbered.frame) {
            (_, ServerFrame::Deliver { seq, event }) => {
                if self.seen.is_some_and(|seen| seq <= seen) {
                    line.ack(seq);
                    return None;
                }
                self.seen = Some(seq);
                SocketEvent::Deliver { seq, event }
            }
            (_, ServerFrame::Pong {}) => return None,
            (_, ServerFrame::Restarting { reconnect_in }) => {
                line.reconnect_in = Some(within_reason(reconnect_in));
                SocketEvent::Frame(ServerFrame::Restarting { reconnect_in })
            }
            (Some(request), frame) => SocketEvent::Reply { request, frame },
            (None, ServerFrame::Error { code, .. }) if line::ends_the_line(code) => {
                return Some(line::end(code));
            }
            (None, frame) => SocketEvent::Frame(frame),
        };
        self.tell(event).await;
        None
    }
}

/// What a server may ask for at most; a minute covers a restart.
fn within_reason(span: Millis) -> Duration {
    span.duration().min(Duration::from_secs(60))
}

#[cfg(test)]
mod tests;
