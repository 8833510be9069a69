//! What the pages ask, window by window.

use carillon_client::{Account, MediaOn, PinState, RecentCall, SoundChange, SoundSettings};
use carillon_wire::frame::DeclineScope;
use carillon_wire::rest::{CallSettings, CallSettingsChange, Device, MissedCall, MissedKind, Page, Person};
use carillon_wire::{AccountId, CallId, DeviceId, Handle};
use serde::Deserialize;

use super::{About, Devices, MicrophoneVerdict, Recovery, ServerFound, Snapshot};
use crate::preferences::{Preferences, PreferencesChange};

/// Writes an enum of requests, each with the type of its reply.
macro_rules! requests {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$told:meta])* $request:ident { $($(#[$means:meta])* $field:ident: $type:ty),* $(,)? } -> $reply:ty;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Deserialize)]
        #[cfg_attr(test, derive(ts_rs::TS))]
        #[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
        #[allow(missing_docs, reason = "a field says what it is, or its request does")]
        pub enum $name {
            $($(#[$told])* $request { $($(#[$means])* $field: $type),* },)*
        }

        // A page gets every reply as JSON.
        const _: fn() = || {
            const fn is_told<T: serde::Serialize>() {}
            $(is_told::<$reply>();)*
        };

        /// The name alone: what is asked may be a phrase that nobody should see.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$request { .. } => stringify!($request),)* })
            }
        }

        #[cfg(test)]
        impl $name {
            /// The types of the replies, by the names of the requests.
            pub(super) fn replies(types: &ts_rs::Config) -> Vec<(&'static str, String)> {
                vec![$((stringify!($request), <$reply as ts_rs::TS>::name(types))),*]
            }

            /// Shows every type of a reply to a visitor.
            pub(super) fn visit_replies(visitor: &mut impl ts_rs::TypeVisitor) {
                $(
                    visitor.visit::<$reply>();
                    <$reply as ts_rs::TS>::visit_generics(visitor);
                )*
            }
        }
    };
}

requests! {
    /// What the main window asks.
    MainRequest {
        /// Everything, as it is now.
        Look {} -> Snapshot;

        /// Looks for a server; without an address, starts the one on this computer.
        FindServer { address: Option<String> } -> ServerFound;
        /// Makes an account there.
        SignUp { handle: String, name: Option<String>, invitation: Option<String> } -> Recovery;
        /// Takes an account onto this machine.
        Recover { phrase: String } -> Account;
        /// The first start is over: people come.
        FinishFirstStart {} -> ();

        /// Finds people by handle or name.
        Search { text: String } -> Page<Person>;
        /// One person.
        Person { account: AccountId } -> Person;
        /// One person, by handle; a link leads here.
        PersonNamed { handle: Handle } -> Person;
        /// Those I follow.
        Following { cursor: Option<String> } -> Page<Person>;
        /// Those who follow me.
        Followers { cursor: Option<String> } -> Page<Person>;
        /// Those I block.
        Blocked { cursor: Option<String> } -> Page<Person>;
        Follow { account: AccountId } -> Person;
        Unfollow { account: AccountId } -> Person;
        Block { account: AccountId } -> Person;
        Unblock { account: AccountId } -> Person;
        /// Whom each handle belongs to, as this device knows it.
        Pins {} -> Vec<PinState>;
        /// The person has asked, and takes the account that a handle points to now.
        ConfirmChange { handle: Handle } -> PinState;
        /// Says from now on who of these can be reached; in place of those before.
        Watch { accounts: Vec<AccountId> } -> ();

        /// Calls somebody.
        Dial { account: AccountId, video: bool } -> CallId;
        /// Calls the server's echo.
        DialEcho { video: bool } -> CallId;
        Accept { call: CallId, video: bool } -> ();
        Decline { call: CallId, scope: DeclineScope } -> ();
        /// Silences this ring alone.
        Silence { call: CallId } -> ();
        HangUp { call: CallId } -> ();
        SetMedia { call: CallId, media: MediaOn } -> ();
        /// Brings the call's window to the front.
        ShowCall {} -> ();

        /// Calls of this device, the last first.
        Recent { limit: u32 } -> Vec<RecentCall>;
        /// False: it was not there.
        DeleteRecent { id: u64 } -> bool;
        /// Calls that reached nobody, on any device; oldest first, those after `after`.
        Missed { kind: MissedKind, after: u64 } -> Page<MissedCall>;
        DeleteMissed { id: u64 } -> ();
        /// The person has seen the missed calls.
        MissedSeen {} -> ();

        /// Who may call.
        ChangeCallSettings { change: CallSettingsChange } -> CallSettings;
        /// Whether calls go through a relay alone.
        HideAddress { on: bool } -> ();

        /// Microphones, speakers and cameras of this machine.
        Devices {} -> Devices;
        SetSound { change: SoundChange } -> SoundSettings;
        /// None: no camera.
        SetCamera { camera: Option<String> } -> ();
        /// Shows the own camera without a call.
        Preview { on: bool } -> ();
        /// Tells the microphone's level, ten times a second.
        Listen { on: bool } -> ();
        PlayTestSound {} -> ();
        /// Why nobody hears me.
        CheckMicrophone {} -> MicrophoneVerdict;

        ChangeName { name: String } -> Account;
        RemovePicture {} -> Account;
        OwnDevices {} -> Vec<Device>;
        RevokeDevice { device: DeviceId } -> ();
        /// The words that restore the account.
        RecoveryPhrase {} -> Recovery;
        SignOut {} -> ();

        Prefer { change: PreferencesChange } -> Preferences;
        About {} -> About;
        /// Opens the folder with this profile's data.
        ShowDataFolder {} -> ();
    }
}

requests! {
    /// What the window of a call asks.
    CallRequest {
        /// Everything, as it is now.
        Look {} -> Snapshot;
        HangUp { call: CallId } -> ();
        SetMedia { call: CallId, media: MediaOn } -> ();
        /// Hangs up, and takes the second caller.
        Accept { call: CallId, video: bool } -> ();
        Decline { call: CallId, scope: DeclineScope } -> ();
        Silence { call: CallId } -> ();
        /// Calls again, after a call that ended.
        Dial { account: AccountId, video: bool } -> CallId;
        /// Both read the same seven emoji.
        MarkVerified { handle: Handle } -> PinState;

        Devices {} -> Devices;
        SetSound { change: SoundChange } -> SoundSettings;
        /// None: no camera.
        SetCamera { camera: Option<String> } -> ();
        /// Tells the microphone's level, ten times a second.
        Listen { on: bool } -> ();
        CheckMicrophone {} -> MicrophoneVerdict;
        Prefer { change: PreferencesChange } -> Preferences;

        /// The picture with this number is drawn, or was left out: the next may come.
        Drawn { picture: u32 } -> ();
        /// The decoder needs a keyframe, or can't decode at all: then pictures come decoded.
        PicturesFail { decode_here: bool } -> ();
        /// The whole screen, or a window again.
        FullScreen { on: bool } -> ();
        /// The small form, in front of everything, or the usual one.
        Small { on: bool } -> ();
        /// The ended call has been seen: the window closes.
        Close {} -> ();
    }
}

requests! {
    /// What the little window that rings asks.
    RingRequest {
        /// Everything, as it is now.
        Look {} -> Snapshot;
        Accept { call: CallId, video: bool } -> ();
        Decline { call: CallId, scope: DeclineScope } -> ();
        /// Silences this ring alone.
        Silence { call: CallId } -> ();
    }
}
