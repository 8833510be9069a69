//! How the person wants the app. Kept with the profile, as a file of JSON; nothing secret is in it.

use serde::{Deserialize, Serialize};

use crate::quiet::{Hours, Quiet};

/// What a person can set about the app itself. The default is what suits most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct Preferences {
    /// Of every text.
    pub language: Language,
    /// The app starts when the person logs in, in the background, so that calls come in.
    pub start_at_login: bool,
    /// A closed main window leaves the app beside the clock, so that calls come in.
    pub tray: bool,
    /// What is heard when somebody calls.
    pub ringtone: Ringtone,
    /// Whether the system announces calls.
    pub notifications: bool,
    /// The self view is turned like a mirror.
    pub mirror: bool,
    /// The other's picture fills the window, cut at the edges; else all of it is seen.
    pub fill: bool,
    /// When not to disturb.
    pub quiet: Quiet,
    /// The first start is over.
    pub started: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            language: Language::System,
            start_at_login: false,
            tray: true,
            ringtone: Ringtone::Bells,
            notifications: true,
            mirror: true,
            fill: false,
            quiet: Quiet::default(),
            started: false,
        }
    }
}

/// A language of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// As the system has it, English where Carillon does not know it.
    #[default]
    System,
    /// English.
    En,
    /// French.
    Fr,
}

/// What is heard when somebody calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Ringtone {
    /// Two bells.
    #[default]
    Bells,
    /// Nothing: the window alone.
    Silent,
}

/// A change of some; what is missing stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(default, deny_unknown_fields)]
pub struct PreferencesChange {
    /// See [`Preferences::language`].
    pub language: Option<Language>,
    /// See [`Preferences::start_at_login`].
    pub start_at_login: Option<bool>,
    /// See [`Preferences::tray`].
    pub tray: Option<bool>,
    /// See [`Preferences::ringtone`].
    pub ringtone: Option<Ringtone>,
    /// See [`Preferences::notifications`].
    pub notifications: Option<bool>,
    /// See [`Preferences::mirror`].
    pub mirror: Option<bool>,
    /// See [`Preferences::fill`].
    pub fill: Option<bool>,
    /// *Do not disturb*, by hand.
    pub quiet_now: Option<bool>,
    /// *Do not disturb*, by hours.
    pub quiet_by_hours: Option<bool>,
    /// The hours.
    pub quiet_hours: Option<Hours>,
}

impl Preferences {
    /// These with a change.
    #[must_use]
    pub fn with(&self, change: PreferencesChange) -> Self {
        let quiet = Quiet {
            now: change.quiet_now.unwrap_or(self.quiet.now),
            by_hours: change.quiet_by_hours.unwrap_or(self.quiet.by_hours),
            hours: change.quiet_hours.unwrap_or(self.quiet.hours),
        };
        Self {
            language: change.language.unwrap_or(self.language),
            start_at_login: change.start_at_login.unwrap_or(self.start_at_login),
            tray: change.tray.unwrap_or(self.tray),
            ringtone: change.ringtone.unwrap_or(self.ringtone),
            notifications: change.notifications.unwrap_or(self.notifications),
            mirror: change.mirror.unwrap_or(self.mirror),
            fill: change.fill.unwrap_or(self.fill),
            quiet,
            started: self.started,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_touches_only_what_it_names() {
        let change = PreferencesChange { quiet_now: Some(true), ..PreferencesChange::default() };
        let changed = Preferences::default().with(change);
        assert!(changed.quiet.now);
        let back = changed.with(PreferencesChange { quiet_now: Some(false), ..PreferencesChange::default() });
        assert_eq!(back, Preferences::default());
    }

    #[test]
    fn what_an_older_version_wrote_is_read_with_the_rest_as_usual() {
        let read: Preferences = serde_json::from_str(r#"{"mirror":false,"later":1}"#).unwrap();
        assert_eq!(read, Preferences { mirror: false, ..Preferences::default() });
    }
}
