//! A device that is signed in, until its connection ends.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use carillon_policy::rate::{FRAMES_PER_CONNECTION, Limiter};
use carillon_wire::frame::{Event, Numbered, ServerFrame};
use carillon_wire::limits::{CALLER_GRACE, DEVICE_GRACE};
use carillon_wire::{AccountId, Code, Millis, UnixMillis};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

use super::hello::Greeted;
use super::socket::{End, Socket};
use crate::app::Shared;
use crate::bus::{Line, Waiting};
use crate::calls::{Sender, code_of, spans};
use crate::net::stopped;
use crate::store::{Connected, Connection, Mail, Parting};

/// How many messages are read from a mailbox at once.
const BATCH: u32 = 16;

/// How long acknowledgements are collected before they are written.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_millis(250);

/// A signed-in device.
pub(super) struct Session<'a> {
    pub(super) app: Shared,
    pub(super) socket: &'a mut Socket,
    pub(super) line: Line,
    pub(super) sender: Sender,
    pub(super) proto: u16,
    /// What was last shown of each watched account.
    pub(super) watched: BTreeMap<AccountId, Option<bool>>,
    pub(super) limiter: Limiter<()>,
    /// Replies that wait for their time, each with its moment.
    pub(super) later: Vec<(Instant, Numbered<ServerFrame>)>,
    connection: Connection,
    /// The last mailbox number that was sent.
    sent: u64,
    /// The number to acknowledge, and when at the latest.
    handled: Option<(u64, Instant)>,
    /// The mailbox was sent as it was found at the beginning.
    replayed: bool,
    last_heard: Instant,
    last_ping: Instant,
}

/// Serves a device until its connection ends, and says how it ended.
pub(super) async fn run(app: Shared, socket: &mut Socket, greeted: Greeted) -> End {
    let Greeted { sender, line, connected, proto, reference } = greeted;
    let Connected { connection, lost, after } = connected;
    let mut stop = app.stop.subscribe();
    let now = Instant::now();
    app.metrics.sign_in();
    app.metrics.signed_in.inc();
    let mut session = Session {
        app,
        socket,
        line,
        sender,
        proto,
        watched: BTreeMap::new(),
        limiter: Limiter::new(FRAMES_PER_CONNECTION, 1),
        later: Vec::new(),
        connection,
        sent: after,
        handled: None,
        replayed: false,
        last_heard: now,
        last_ping: now,
    };
    let end = match Box::pin(session.begin(reference, lost)).await {
        Ok(()) => session.go_on(&mut stop).await,
        Err(end) => end,
    };
    Box::pin(session.leave(end)).await
}

impl Session<'_> {
    async fn begin(&mut self, reference: Option<u64>, lost: bool) -> Result<(), End> {
        let welcome = self.welcome(lost);
        self.socket.send(reference, welcome, Some(&self.line)).await?;
        self.app.bus.presence_changed(self.sender.account);
        if let Err(error) = self.app.store.seen(self.sender.device, self.app.clock.wall()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a device's last day can't be noted");
        }
        self.deliver().await?;
        self.replayed = true;
        Ok(())
    }

    pub(super) fn welcome(&self, lost: bool) -> ServerFrame {
        ServerFrame::Welcome {
            account: self.sender.account,
            proto: self.proto,
            now: self.app.clock.wall(),
            heartbeat: Millis::from(self.app.config.timings.heartbeat),
            lost,
        }
    }

    /// The idle loop: everything it waits for is small, and what happens then is boxed for as long as it takes.
    async fn go_on(&mut self, stop: &mut watch::Receiver<bool>) -> End {
        let mut sleep = Box::pin(sleep_until(self.next_timer()));
        loop {
            reset(&mut sleep, self.next_timer());
            let result = tokio::select! {
                waiting = self.line.look() => Box::pin(self.look(waiting)).await,
                incoming = self.socket.receive() => match incoming {
                    Ok(incoming) => {
                        self.last_heard = Instant::now();
                        Box::pin(self.take(incoming)).await
                    }
                    Err(end) => Err(end),
                },
                () = &mut sleep => Box::pin(self.tick()).await,
                () = stopped(stop) => Err(End::Restarting),
            };
            if let Err(end) = result {
                return end;
            }
        }
    }

    /// What the bus says there is to see.
    async fn look(&mut self, waiting: Waiting) -> Result<(), End> {
        if waiting.replaced {
            return Err(End::refused(Code::Replaced));
        }
        if waiting.doubted {
            self.check_right().await?;
        }
        if waiting.mail {
            self.deliver().await?;
        }
        if !waiting.changed.is_empty() {
            let frame = ServerFrame::Changed { topics: waiting.changed };
            self.socket.send(None, frame, Some(&self.line)).await?;
        }
        if waiting.all_presence {
            let watched: Vec<_> = self.watched.keys().copied().collect();
            self.show_presence(watched).await?;
        } else if !waiting.presence.is_empty() {
            self.show_presence(waiting.presence).await?;
        }
        Ok(())
    }

    /// Whether the device may still be here.
    async fn check_right(&mut self) -> Result<(), End> {
        let identity = self.app.store.device_identity(self.sender.device).await;
        match identity.map_err(|failure| End::refused(code_of(&failure)))? {
            None => Err(End::refused(Code::DeviceUnknown)),
            Some(device) if device.revoked => Err(End::refused(Code::DeviceRevoked)),
            Some(device) if device.suspended => Err(End::refused(Code::AccountSuspended)),
            Some(_) => Ok(()),
        }
    }

    /// Sends what lies in the mailbox and was not sent on this connection.
    async fn deliver(&mut self) -> Result<(), End> {
        loop {
            let now = self.app.clock.now();
            let mail = self.app.store.mail(self.sender.device, self.sent, BATCH, now);
            let batch = self.app.metrics.timed("mail", mail).await;
            let batch = batch.map_err(|failure| End::refused(code_of(&failure)))?;
            let more = batch.len() >= BATCH as usize;
            for mail in batch {
                self.sent = mail.seq;
                let frame = self.letter(mail, now);
                self.socket.feed(None, frame, Some(&self.line)).await?;
            }
            self.socket.flush(Some(&self.line)).await?;
            if !more {
                return Ok(());
            }
        }
    }

    /// A message as it is sent: a `ring` says how old it is now.
    fn letter(&self, mail: Mail, now: UnixMillis) -> ServerFrame {
        let (so_far, left) = spans(&mail, now);
        let seq = mail.seq;
        let mut event = mail.event;
        if let Event::Ring { age, expires_in, .. } = &mut event {
            (*age, *expires_in) = (so_far, left);
            if self.replayed {
                self.app.metrics.create_to_ring.observe(so_far.duration().as_secs_f64());
            }
        }
        ServerFrame::Deliver { seq, event }
    }

    /// Notes what the device has handled; it is written with what follows shortly.
    pub(super) fn acknowledge(&mut self, seq: u64) {
        let seq = seq.min(self.sent);
        let due = self.handled.map_or_else(|| Instant::now() + ACKNOWLEDGE_WITHIN, |(_, due)| due);
        let seq = self.handled.map_or(seq, |(handled, _)| handled.max(seq));
        self.handled = Some((seq, due));
    }

    async fn write_acknowledged(&mut self) {
        let Some((seq, _)) = self.handled.take() else { return };
        let acknowledge = self.app.store.acknowledge(self.sender.device, seq);
        if let Err(error) = self.app.metrics.timed("ack", acknowledge).await {
            // The messages come again after a reconnect: at least once is what is promised.
            tracing::warn!(error = &error as &dyn std::error::Error, "an acknowledgement was not written");
        }
    }

    fn next_timer(&self) -> Instant {
        let heartbeat = self.app.config.timings.heartbeat;
        let idle = self.last_heard.max(self.last_ping) + heartbeat;
        let dead = self.last_heard + heartbeat * 5 / 2;
        let later = self.later.iter().map(|(due, _)| *due);
        let handled = self.handled.map(|(_, due)| due);
        later.chain(handled).fold(idle.min(dead), Instant::min)
    }

    /// Does what is due.
    async fn tick(&mut self) -> Result<(), End> {
        let heartbeat = self.app.config.timings.heartbeat;
        let now = Instant::now();
        if now >= self.last_heard + heartbeat * 5 / 2 {
            return Err(End::Gone(Parting::Lost));
        }
        if self.handled.is_some_and(|(_, due)| now >= due) {
            self.write_acknowledged().await;
        }
        while let Some(index) = self.later.iter().position(|(due, _)| now >= *due) {
            let (_, Numbered { reference, frame }) = self.later.swap_remove(index);
            self.socket.send(reference, frame, Some(&self.line)).await?;
        }
        if now >= self.last_heard.max(self.last_ping) + heartbeat {
            self.last_ping = now;
            self.socket.ping(Some(&self.line)).await?;
        }
        Ok(())
    }

    /// Notes the end of the connection, before the other side hears of it.
    async fn leave(mut self, end: End) -> End {
        let end = match end {
            // Whatever it was that interrupted a write has been noted on the line.
            End::MustGo => match self.line.look().await {
                waiting if waiting.replaced => End::refused(Code::Replaced),
                _ => self.check_right().await.err().unwrap_or(End::MustGo),
            },
            end => end,
        };
        self.write_acknowledged().await;
        self.app.metrics.signed_in.dec();
        let (app, sender, connection) = (self.app, self.sender, self.connection);
        drop(self.line);
        let now = app.clock.now();
        match app.store.disconnect(connection, end.parting(), now).await {
            Ok(aftermath) => {
                app.follow_up(&aftermath.unwrap_or_default());
                // The device, or a caller, may come back until its time is over.
                app.sweeper.no_later_than(now.after(CALLER_GRACE.min(DEVICE_GRACE)));
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a connection's end was not noted");
            }
        }
        app.bus.presence_changed(sender.account);
        end
    }
}

fn reset(sleep: &mut Pin<Box<Sleep>>, deadline: Instant) {
    if sleep.deadline() != deadline {
        sleep.as_mut().reset(deadline);
    }
}
