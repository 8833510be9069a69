//! How a command ends, for scripts.

use carillon_client::{CallEnd, ClientError, ErrorCode, LocalCode, Why};
use carillon_wire::Code;

/// The table under `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  another failure
  2  wrong usage
  3  not signed up, or signed out
  4  offline, or the server can't be reached
  5  unavailable, or not answered
  6  declined
  7  busy
  8  security: certificate, keys, handle or call are not what they should be
  9  too often; try later
  10 the profile or the key store can't be used";

/// An exit code of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NotSignedUp = 3,
    Offline = 4,
    Unanswered = 5,
    Declined = 6,
    Busy = 7,
    Security = 8,
    TooOften = 9,
    Profile = 10,
}

impl Exit {
    /// What an error of the client means to a script.
    pub(crate) fn of(error: &ClientError) -> Self {
        match error.code {
            ErrorCode::Server(code) => Self::of_code(code),
            ErrorCode::Local(code) => match code {
                LocalCode::NoAccount => Self::NotSignedUp,
                LocalCode::Offline => Self::Offline,
                LocalCode::NoServer
                | LocalCode::AddressInvalid
                | LocalCode::AddressInsecure
                | LocalCode::CaInvalid
                | LocalCode::PhraseInvalid
                | LocalCode::Invalid => Self::Usage,
                LocalCode::HandleChanged | LocalCode::KeysInvalid | LocalCode::CertificateRefused => {
                    Self::Security
                }
                LocalCode::KeyStore
                | LocalCode::KeysMissing
                | LocalCode::ProfileLocked
                | LocalCode::ProfileDamaged
                | LocalCode::ProfileNewer
                | LocalCode::Storage => Self::Profile,
                _ => Self::Failed,
            },
        }
    }

    fn of_code(code: Code) -> Self {
        match code {
            Code::RateLimited => Self::TooOften,
            Code::DeviceRevoked | Code::AccountSuspended => Self::NotSignedUp,
            Code::Restarting | Code::Overloaded => Self::Offline,
            Code::BadCertificate => Self::Security,
            Code::HandleInvalid | Code::NameInvalid | Code::CallSelf | Code::SelfTarget => Self::Usage,
            _ => Self::Failed,
        }
    }

    /// What the end of a call means to a script. `talked`: the call was up.
    pub(crate) fn of_end(end: &CallEnd, talked: bool) -> Self {
        match end.why {
            Why::Security => Self::Security,
            Why::HungUpHere | Why::HungUpThere | Why::Replaced | Why::Over if talked => Self::Done,
            Why::Declined | Why::DeclinedElsewhere => Self::Declined,
            Why::Busy | Why::InCall => Self::Busy,
            Why::NoServer => Self::Offline,
            Why::AnsweredElsewhere => Self::Done,
            Why::Cancelled
            | Why::NoAnswer
            | Why::Unavailable
            | Why::CallerLost
            | Why::Glare
            | Why::HungUpHere
            | Why::HungUpThere
            | Why::Replaced
            | Why::Over => Self::Unanswered,
            Why::Failed => Self::of_failed(end),
            Why::Transport | Why::NoRoute | Why::Lost => Self::Failed,
        }
    }

    fn of_failed(end: &CallEnd) -> Self {
        let code = end.code.as_deref().unwrap_or_default();
        if let Some(code) = Code::ALL.iter().find(|known| known.as_str() == code) {
            return Self::of_code(*code);
        }
        match LocalCode::ALL.iter().find(|known| known.as_str() == code) {
            Some(code) => Self::of(&ClientError::local(*code)),
            None => Self::Failed,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(why: Why, code: Option<&str>) -> CallEnd {
        CallEnd { why, code: code.map(str::to_owned), message: None, retry_after: None }
    }

    #[test]
    fn a_script_can_tell_the_ends_of_a_call_apart() {
        for (why, code, talked, exit) in [
            (Why::HungUpHere, None, true, Exit::Done),
            (Why::HungUpThere, None, true, Exit::Done),
            (Why::HungUpHere, None, false, Exit::Unanswered),
            (Why::NoAnswer, None, false, Exit::Unanswered),
            (Why::Unavailable, None, false, Exit::Unanswered),
            (Why::Declined, None, false, Exit::Declined),
            (Why::Busy, None, false, Exit::Busy),
            (Why::Security, None, true, Exit::Security),
            (Why::NoServer, None, false, Exit::Offline),
            (Why::Failed, Some("rate_limited"), false, Exit::TooOften),
            (Why::Failed, Some("keys_invalid"), false, Exit::Security),
            (Why::Failed, Some("from_the_future"), false, Exit::Failed),
        ] {
            assert_eq!(Exit::of_end(&end(why, code), talked), exit, "{why:?} {code:?}");
        }
    }

    #[test]
    fn the_help_names_every_code() {
        for code in 0..=(Exit::Profile as u8) {
            assert!(HELP.lines().any(|line| line.trim_start().starts_with(&format!("{code} "))), "{code}");
        }
    }
}
