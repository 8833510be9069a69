//! The media path of a call: a WebRTC peer connection driven by the call machine.
