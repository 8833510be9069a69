//! What the pages of the app ask and are told: typed here, once.
//!
//! Each window has its own enum of requests, and so its own command and its own capability: the little window that rings
//! can answer the ring and nothing else. `ui/src/words.ts` is made from these types; a test fails where the two differ.

mod asked;
mod told;

pub use asked::{CallRequest, MainRequest, RingRequest};
pub use told::{
    About, Camera, Devices, Licence, Machine, MicrophoneVerdict, NamedDevice, Place, Problem, Recovery,
    ServerFound, ShellEvent, Snapshot, Standing,
};

#[cfg(test)]
mod typescript;
