//! What a signed-in device says, and the replies.

use std::collections::BTreeSet;

use carillon_wire::frame::{ClientFrame, FrameError, Numbered, Ref, ServerFrame, decode_client};
use carillon_wire::limits::MAX_PRESENCE;
use carillon_wire::{Code, Millis};
use rand::random;
use tokio::time::Instant;

use super::connection::Session;
use super::socket::{End, Incoming};
use crate::calls::{self, Answer};
use crate::store::NewCall;
use crate::turn;

/// The answer to a frame that can't be read. The detail names fields and types of ours, never what was sent.
pub(super) fn unreadable(error: &FrameError) -> ServerFrame {
    ServerFrame::Error {
        code: error.code,
        message: format!("{} ({})", error.code.sentence(), error.detail),
        call: None,
        retry_after: None,
        protocols: None,
    }
}

/// What a binary message is.
pub(super) fn binary() -> FrameError {
    FrameError {
        code: Code::Malformed,
        detail: "a binary message; frames are text".to_owned(),
        reference: None,
    }
}

impl Session<'_> {
    /// Answers what came.
    pub(super) async fn take(&mut self, incoming: Incoming) -> Result<(), End> {
        let received = Instant::now();
        let frame = match incoming {
            // A pong may be waiting to go out.
            Incoming::Life => return self.socket.flush(Some(&self.line)).await,
            Incoming::Text(text) => decode_client(&text),
            Incoming::Binary => Err(binary()),
        };
        let allowed = self.limiter.check(&(), self.app.clock.now());
        let (reference, reply) = match (frame, allowed) {
            (Ok(Numbered { reference, .. }) | Err(FrameError { reference, .. }), Err(wait)) => {
                (reference, Some(too_often(wait.0)))
            }
            (Err(error), Ok(())) => (error.reference, Some(unreadable(&error))),
            (Ok(Numbered { reference, frame }), Ok(())) => {
                self.app.metrics.frame(frame.kind());
                (reference, self.answer(received, reference, frame).await?)
            }
        };
        match reply {
            Some(reply) => self.socket.send(reference, reply, Some(&self.line)).await,
            None => Ok(()),
        }
    }

    /// The reply to a frame. `None`: there is none, or it comes later, or it has been sent.
    async fn answer(
        &mut self,
        received: Instant,
        reference: Option<Ref>,
        frame: ClientFrame,
    ) -> Result<Option<ServerFrame>, End> {
        if let Some((call, act, sealed)) = calls::act_of(&frame) {
            return Ok(Some(calls::act(&self.app, self.sender, call, act, sealed).await));
        }
        Ok(match frame {
            ClientFrame::Hello { .. } => Some(self.welcome(false)),
            ClientFrame::Ack { seq } => {
                self.acknowledge(seq);
                None
            }
            ClientFrame::Ping {} => Some(ServerFrame::Pong {}),
            ClientFrame::Create { call, callee, media, expires_in, boxes } => {
                let (caller, device) = (self.sender.account, self.sender.device);
                let new = NewCall { call, caller, device, callee, media, expires_in, boxes: &boxes };
                match calls::create(&self.app, new).await {
                    Answer::Now(frame) => Some(frame),
                    Answer::After(delay, frame) => {
                        self.later.push((received + delay, Numbered { reference, frame }));
                        None
                    }
                }
            }
            ClientFrame::Turn {} => Some(turn::reply(&self.app.config, self.app.clock.wall(), random())),
            ClientFrame::Presence { accounts } => {
                if accounts.len() > MAX_PRESENCE {
                    return Ok(Some(ServerFrame::error(Code::TooLarge)));
                }
                self.socket.feed(reference, ServerFrame::Done {}, Some(&self.line)).await?;
                self.watch(accounts.into_iter().collect::<BTreeSet<_>>()).await?;
                None
            }
            // Taken above.
            ClientFrame::Ringing { .. }
            | ClientFrame::Accept { .. }
            | ClientFrame::Decline { .. }
            | ClientFrame::Cancel { .. }
            | ClientFrame::Relay { .. }
            | ClientFrame::End { .. } => None,
        })
    }
}

fn too_often(wait: Millis) -> ServerFrame {
    let code = Code::RateLimited;
    let message = code.sentence().to_owned();
    ServerFrame::Error { code, message, call: None, retry_after: Some(wait), protocols: None }
}
