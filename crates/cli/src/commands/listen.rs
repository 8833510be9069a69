//! `carillon listen`

use std::time::Duration;

use carillon_client::{CallState, Client, ClientEvent, Connection, Phase, Trust, Why};
use carillon_wire::CallId;
use carillon_wire::frame::{DeclineScope, Media};
use tokio::time::{Instant, sleep_until};

use super::story::Story;
use super::typed::{Key, Keys};
use super::{Outcome, explain};
use crate::args::Listen;
use crate::exit::Exit;
use crate::output::Output;

/// What is done by itself with a call that comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Ask,
    Answer,
    Decline,
}

pub(super) async fn run(client: &Client, output: Output, how: Listen) -> Outcome {
    let mut events = client.events();
    let account = client.account().await.map_err(|error| explain(&error, output))?;
    client.connect().await.map_err(|error| explain(&error, output))?;
    let keys = Keys::open();
    output.say(&output.lang.waiting_for_calls(&account.handle));
    if keys.are_there() {
        output.say(&output.lang.keys_listen());
    }
    let manner = match (how.answer, how.decline) {
        (true, _) => Manner::Answer,
        (false, true) => Manner::Decline,
        (false, false) => Manner::Ask,
    };
    let mut listening = Listening {
        client,
        output,
        manner,
        once: how.once,
        camera: how.sound.camera.is_some(),
        video: false,
        story: Story::default(),
        incoming: None,
        on: None,
    };
    listening.run(&mut events, keys, how.limit.map(Duration::from_secs)).await
}

struct Listening<'a> {
    client: &'a Client,
    output: Output,
    manner: Manner,
    once: bool,
    /// There is a camera to answer with.
    camera: bool,
    /// The call that rings came with video.
    video: bool,
    story: Story,
    /// The call that rings.
    incoming: Option<CallId>,
    /// The call that is on.
    on: Option<CallId>,
}

impl Listening<'_> {
    async fn run(
        &mut self,
        events: &mut carillon_client::Events,
        mut keys: Keys,
        limit: Option<Duration>,
    ) -> Outcome {
        let until = Instant::now() + limit.unwrap_or(Duration::from_secs(10 * 365 * 24 * 3600));
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => if let Some(exit) = self.take(event).await { return Ok(exit) },
                    None => return Ok(Exit::Failed),
                },
                key = keys.next() => self.typed(key).await,
                () = sleep_until(until) => {
                    if self.once {
                        self.output.say(&self.output.lang.nothing_came());
                        return Ok(Exit::Unanswered);
                    }
                    return Ok(Exit::Done);
                }
                // What is on is hung up when the client shuts down.
                _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
            }
        }
    }

    async fn take(&mut self, event: ClientEvent) -> Option<Exit> {
        let text = self.story.tell(&event, self.output.lang);
        self.output.event(None, &event, text);
        match event {
            ClientEvent::Call(call) => self.call(&call).await,
            ClientEvent::Connection(Connection::SignedOut { .. }) => Some(Exit::NotSignedUp),
            _ => None,
        }
    }

    async fn call(&mut self, call: &CallState) -> Option<Exit> {
        match call.phase {
            Phase::Incoming | Phase::Waiting => {
                if self.incoming != Some(call.call) {
                    self.incoming = Some(call.call);
                    self.video = call.media == Media::Video;
                    self.arrived(call).await;
                }
                None
            }
            Phase::Connecting | Phase::Connected | Phase::Reconnecting | Phase::Calling | Phase::Ringing => {
                self.on = Some(call.call);
                self.incoming = self.incoming.filter(|incoming| *incoming != call.call);
                None
            }
            Phase::Ended => {
                self.incoming = self.incoming.filter(|incoming| *incoming != call.call);
                self.on = self.on.filter(|on| *on != call.call);
                let end = call.end.as_ref()?;
                // To decline was what it was told to do.
                let wished = self.manner == Manner::Decline && end.why == Why::Declined;
                let exit = if wished { Exit::Done } else { Exit::of_end(end, self.story.talked(call.call)) };
                self.once.then_some(exit)
            }
        }
    }

    async fn arrived(&self, call: &CallState) {
        // Somebody who may not be who they were is never answered by itself.
        let done = match self.manner {
            Manner::Answer if call.with.trust != Trust::Changed => {
                self.client.accept(call.call, self.camera && self.video).await
            }
            Manner::Decline => self.client.decline(call.call, DeclineScope::All).await,
            Manner::Answer | Manner::Ask => Ok(()),
        };
        if let Err(error) = done {
            self.output.failed(&error);
        }
    }

    async fn typed(&self, key: Key) {
        let done = match (key, self.incoming, self.on) {
            (Key::Answer, Some(call), _) => self.client.accept(call, self.camera && self.video).await,
            (Key::Decline, Some(call), _) => self.client.decline(call, DeclineScope::All).await,
            (Key::HangUp, _, Some(call)) | (Key::HangUp, Some(call), None) => self.client.hang_up(call).await,
            (Key::Answer | Key::Decline, None, _) | (Key::HangUp, None, None) => Ok(()),
        };
        if let Err(error) = done {
            self.output.failed(&error);
        }
    }
}
