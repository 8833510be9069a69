//! What the calls mean for sound and pictures, and what these say.

use std::time::Duration;

use carillon_call::{CallView, Direction, Input, Phase, User, Why};
use carillon_wire::CallId;
use tokio::time::Instant;

use super::Actor;
use crate::dto::{ClientEvent, Tone};
use crate::error::{ClientError, LocalCode};
use crate::sound::{Demand, DeskStatus, EndTone, News, SoundChange, SoundSettings};
use crate::store::fact;
use crate::video::VideoEngine;

/// How often it is looked whether a camera that is wanted gives pictures. What a picture that stands still may last is a second.
const LOOK: Duration = Duration::from_millis(150);

impl Actor {
    /// A tone starts or stops.
    pub(super) fn tone(&mut self, call: CallId, tone: Tone) {
        match tone {
            Tone::Stop => self.tones.remove(&call),
            Tone::Incoming | Tone::Waiting | Tone::Outgoing => self.tones.insert(call, tone),
        };
        self.emit(ClientEvent::Tone { call, tone });
    }

    /// Tells sound and pictures what the calls want now.
    pub(super) fn sound_follows(&mut self) {
        let views: Vec<_> = self.machine.views().collect();
        if let Some(video) = &mut self.video {
            video.follow(views.iter());
        }
        let Some(engine) = &mut self.engine else { return };
        // One who calls goes before what this person waits for.
        let tone = [Tone::Incoming, Tone::Outgoing, Tone::Waiting]
            .into_iter()
            .find_map(|wanted| self.tones.iter().find(|(_, tone)| **tone == wanted));
        engine.demand(Demand::of(views.iter(), tone.map(|(call, tone)| (*call, *tone))));
    }

    /// A call that this person took part in is over: that is heard.
    pub(super) fn say_goodbye(&mut self, view: &CallView) {
        let Phase::Ended(why) = view.phase else { return };
        let (Some(engine), Some(tone)) = (&mut self.engine, end_tone(view, why)) else { return };
        engine.end_tone(tone);
    }

    pub(super) fn sound_says(&mut self, news: News) {
        self.emit(match news {
            News::Quality(quality) => ClientEvent::Quality(quality),
            News::Sound(news) => ClientEvent::Sound(news),
            News::FirstSound(call) => ClientEvent::FirstSound { call },
        });
    }

    /// A camera that is away, in use elsewhere or refused is looked for again; until then a person should know.
    pub(super) fn camera_says(&mut self) {
        self.camera_at = Instant::now() + LOOK;
        let Some(video) = &self.video else { return };
        let fails = video.camera_fails();
        let told: Vec<_> =
            self.machine.views().filter(|view| view.camera_fails != fails).map(|view| view.call).collect();
        for call in told {
            self.input(call, Input::User(User::CameraFails(fails)));
        }
        if let Some(problem) = self.video.as_mut().and_then(VideoEngine::news) {
            self.emit(ClientEvent::Camera { problem });
        }
    }

    pub(super) fn set_sound(&mut self, change: SoundChange) -> Result<SoundSettings, ClientError> {
        let Some(engine) = &mut self.engine else { return Err(LocalCode::Invalid.into()) };
        let settings = engine.settings().with(change)?;
        engine.set(settings.clone())?;
        let (store, kept) = (self.shared.store.clone(), settings.clone());
        tokio::spawn(async move {
            if let Err(error) = store.set_fact(fact::SOUND, &kept).await {
                tracing::warn!(code = %error.code, "the settings of sound could not be kept");
            }
        });
        Ok(settings)
    }

    pub(super) fn sound_state(&self) -> (SoundSettings, DeskStatus) {
        self.engine.as_ref().map(|engine| (engine.settings().clone(), engine.status())).unwrap_or_default()
    }
}

/// What is heard at the end of a call; nothing for one that was never this person's.
fn end_tone(view: &CallView, why: Why) -> Option<EndTone> {
    let talked = view.connected_since.is_some();
    match why {
        Why::HungUp(_) => talked.then_some(EndTone::HungUp),
        Why::Lost | Why::Security | Why::NoRoute | Why::Transport => Some(EndTone::Failed),
        Why::Declined | Why::Busy | Why::NoAnswer | Why::Unavailable | Why::NoServer | Why::Failed(_) => {
            (view.direction == Direction::Outgoing).then_some(EndTone::Failed)
        }
        Why::Cancelled
        | Why::CallerLost
        | Why::AnsweredElsewhere
        | Why::DeclinedElsewhere
        | Why::Over
        | Why::Replaced
        | Why::Glare
        | Why::InCall => None,
    }
}
