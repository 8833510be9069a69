//! Frames of the socket: one JSON object with `type` in one WebSocket text message.
//!
//! Fields that a side does not know are ignored. A `type` that the server does not know is answered with an
//! `error` of the code `unknown_frame`; a client ignores one. Neither ends the connection.

mod client;
mod server;

pub use client::{BoxFor, ClientFrame, DeclineReason, DeclineScope};
pub use server::{CallerInfo, EndReason, Event, RefusedReason, ServerFrame, TakenKind, Topic, TurnServer};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::limits::MAX_FRAME_BYTES;

/// What a call is placed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// Sound alone.
    Audio,
    /// Sound and pictures.
    Video,
}

/// A number that the client chooses for a request; the reply carries it as `ref`.
pub type Ref = u64;

/// A frame with the number that ties a reply to its request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Numbered<T> {
    /// Chosen by the client, repeated by the server in the reply. A frame without one is answered without one.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Ref>,
    /// The frame itself.
    #[serde(flatten)]
    pub frame: T,
}

impl<T> Numbered<T> {
    /// A frame without a number.
    pub const fn bare(frame: T) -> Self {
        Self { reference: None, frame }
    }

    /// A frame with a number.
    pub const fn new(reference: Ref, frame: T) -> Self {
        Self { reference: Some(reference), frame }
    }
}

/// A frame that could not be read. The connection goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct FrameError {
    /// [`Code::TooLarge`], [`Code::Malformed`] or [`Code::UnknownFrame`].
    pub code: Code,
    /// What exactly, for a developer. Holds no content of the frame beyond field and type names.
    pub detail: String,
    /// The `ref` of the frame, where one could be read.
    pub reference: Option<Ref>,
}

/// Reads a frame that a client sent.
///
/// # Errors
/// [`FrameError`] with the code to answer with.
pub fn decode_client(text: &str) -> Result<Numbered<ClientFrame>, FrameError> {
    decode(text, ClientFrame::KINDS)
}

/// Reads a frame that a server sent. A client ignores one with [`Code::UnknownFrame`].
///
/// # Errors
/// [`FrameError`] with the reason.
pub fn decode_server(text: &str) -> Result<Numbered<ServerFrame>, FrameError> {
    decode(text, ServerFrame::KINDS)
}

/// Writes a frame as the text of one message.
pub fn encode<T: Serialize>(frame: &T) -> String {
    // Our frames have string keys and no floating point numbers, so writing them can't fail.
    serde_json::to_string(frame).unwrap_or_default()
}

/// What can be read of a frame that is otherwise not understood.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "ref", default)]
    reference: Option<Ref>,
}

fn decode<T: DeserializeOwned>(text: &str, kinds: &[&str]) -> Result<T, FrameError> {
    if text.len() > MAX_FRAME_BYTES {
        let detail = format!("{} bytes, at most {MAX_FRAME_BYTES}", text.len());
        return Err(FrameError { code: Code::TooLarge, detail, reference: None });
    }
    serde_json::from_str(text).map_err(|error| match serde_json::from_str::<Head>(text) {
        Ok(head) if !kinds.contains(&head.kind.as_str()) => {
            let detail = format!("unknown type; known are {}", kinds.join(", "));
            FrameError { code: Code::UnknownFrame, detail, reference: head.reference }
        }
        Ok(head) => FrameError { code: Code::Malformed, detail: describe(&error), reference: head.reference },
        Err(_) => FrameError { code: Code::Malformed, detail: describe(&error), reference: None },
    })
}

/// Says where and of what sort an error is, without repeating what was sent.
fn describe(error: &serde_json::Error) -> String {
    let sort = match error.classify() {
        serde_json::error::Category::Syntax => "not JSON",
        serde_json::error::Category::Eof => "JSON that ends too early",
        serde_json::error::Category::Io => "not readable",
        serde_json::error::Category::Data => {
            let text = error.to_string();
            // "missing field `x`" names a field of ours; every other sentence may quote the input.
            if text.starts_with("missing field") {
                return text;
            }
            "a field has the wrong type or value"
        }
    };
    format!("{sort}, at column {}", error.column())
}
