//! What an app with windows says and does, without windows.
//!
//! `src-tauri` opens windows and passes on what they ask; everything that can be decided without a window is decided
//! here, and tested without one:
//! - [`words`]: what the pages ask and are told, typed once; the types of TypeScript are made from it;
//! - [`preferences`]: how the person wants the app, kept with the profile;
//! - [`quiet`]: *Do not disturb*, by hand and by hours;

#![forbid(unsafe_code)]

pub mod preferences;
pub mod quiet;
pub mod words;
