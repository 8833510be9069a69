//! `carillon call`

use std::time::Duration;

use carillon_client::{
    CallState, Client, ClientError, ClientEvent, Connection, Events, LocalCode, MediaOn, Phase, Why,
};
use carillon_wire::CallId;
use carillon_wire::frame::Media;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::story::Story;
use super::typed::{Key, Keys};
use super::{Outcome, explain};
use crate::args::Call;
use crate::exit::Exit;
use crate::output::{Failure, Output};

/// How long the line to the server may take to come up.
pub(super) const CONNECT: Duration = Duration::from_secs(15);
/// A moment that does not come while anybody watches.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

pub(super) async fn run(client: &Client, output: Output, how: Call) -> Outcome {
    let mut events = client.events();
    let mut story = Story::default();
    go_online(client, &mut events, &mut story, output).await?;
    let media = if how.video { Media::Video } else { Media::Audio };
    let dialled = client.dial(how.handle.clone(), media).await.map_err(|error| {
        if error.is_local(LocalCode::HandleChanged) {
            output.failed_as(&error, &output.lang.handle_changed(&how.handle))
        } else {
            explain(&error, output)
        }
    })?;
    if how.video && how.sound.camera.is_none() {
        // To see, and not to be seen.
        let media = MediaOn { audio: true, video: false, screen: false };
        client.set_media(dialled, media).await.map_err(|error| explain(&error, output))?;
    }
    let keys = Keys::open();
    if keys.are_there() {
        output.say(&output.lang.keys_call());
    }
    let call = Following {
        client,
        output,
        call: dialled,
        story,
        keys,
        give_up: Some(Instant::now() + Duration::from_secs(how.wait)),
        hang_up: None,
        hang_up_after: how.hang_up_after.map(Duration::from_secs),
    };
    call.follow(&mut events).await
}

/// Waits for the line to the server, and tells how it goes.
async fn go_online(
    client: &Client,
    events: &mut Events,
    story: &mut Story,
    output: Output,
) -> Result<(), Failure> {
    client.connect().await.map_err(|error| explain(&error, output))?;
    let late = Instant::now() + CONNECT;
    loop {
        match timeout_at(late, events.next()).await {
            Ok(Some(event)) => {
                let text = story.tell(&event, output.lang);
                output.event(None, &event, text);
                match event {
                    ClientEvent::Connection(Connection::Online) => return Ok(()),
                    ClientEvent::Connection(Connection::SignedOut { code }) => {
                        return Err(output.failed(&ClientError::server(code)));
                    }
                    _ => {}
                }
            }
            Ok(None) => return Err(output.failed(&LocalCode::Stopped.into())),
            Err(_) => return Err(output.failed(&LocalCode::Offline.into())),
        }
    }
}

/// A call, from dialling to its end.
struct Following<'a> {
    client: &'a Client,
    output: Output,
    call: CallId,
    story: Story,
    keys: Keys,
    /// When to give up if nobody has answered.
    give_up: Option<Instant>,
    /// When to hang up.
    hang_up: Option<Instant>,
    hang_up_after: Option<Duration>,
}

impl Following<'_> {
    async fn follow(mut self, events: &mut Events) -> Outcome {
        loop {
            let far = Instant::now() + NEVER;
            let give_up = self.give_up.unwrap_or(far).min(self.hang_up.unwrap_or(far));
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => if let Some(exit) = self.take(event).await { return Ok(exit) },
                    None => return Ok(Exit::Failed),
                },
                () = sleep_until(give_up) => {
                    (self.give_up, self.hang_up) = (None, None);
                    self.end().await;
                }
                key = self.keys.next() => if key == Key::HangUp { self.end().await },
                _ = tokio::signal::ctrl_c() => self.end().await,
            }
        }
    }

    async fn end(&self) {
        // It may have ended by itself in between.
        let _ = self.client.hang_up(self.call).await;
    }

    async fn take(&mut self, event: ClientEvent) -> Option<Exit> {
        let text = self.story.tell(&event, self.output.lang);
        self.output.event(None, &event, text);
        match event {
            ClientEvent::Call(call) => self.call(call).await,
            // Too much at once: the state says whether the call is still there.
            ClientEvent::Missing => {
                let state = self.client.state().await.ok()?;
                let there = state.calls.iter().any(|call| call.call == self.call);
                (!there).then_some(Exit::Failed)
            }
            _ => None,
        }
    }

    async fn call(&mut self, call: CallState) -> Option<Exit> {
        if call.call != self.call {
            return None;
        }
        match call.phase {
            Phase::Connecting | Phase::Connected => {
                self.give_up = None;
                if call.phase == Phase::Connected && self.hang_up.is_none() {
                    self.hang_up = self.hang_up_after.take().map(|after| Instant::now() + after);
                }
                None
            }
            Phase::Ended => {
                let end = call.end.as_ref()?;
                // Both called each other: the other one's call is the one that goes on.
                if end.why == Why::Glare
                    && let Some(other) = self.other_with(&call).await
                {
                    self.call = other;
                    return None;
                }
                Some(Exit::of_end(end, self.story.talked(call.call)))
            }
            Phase::Calling | Phase::Ringing | Phase::Incoming | Phase::Waiting | Phase::Reconnecting => None,
        }
    }

    async fn other_with(&self, call: &CallState) -> Option<CallId> {
        let state = self.client.state().await.ok()?;
        state.calls.iter().find(|other| other.with.account == call.with.account).map(|other| other.call)
    }
}
