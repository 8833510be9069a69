//! The operator's commands.
//!
//! `carillon-server admin …` opens the database beside the running server and writes to it. The roll-out and
//! invitations hold at once, because the server reads them from the database each time. What concerns an account is also
//! written to a list of changes that the server looks at every second ([`watch`]): it ends the connections of a
//! suspended account, ends rings that may be no longer, and tells the account's devices to fetch their profile.

use std::fmt::Write as _;
use std::num::NonZeroU32;

use carillon_policy::rollout::Rollout;
use carillon_wire::frame::Topic;
use carillon_wire::{Handle, UnixMillis};
use rand::random;
use tokio::time::MissedTickBehavior;

use crate::api::hashed;
use crate::app::{App, Shared};
use crate::effects;
use crate::store::{self, Store, StoreError, Verdict};

/// What an operator can do.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum Command {
    /// Give an account the verified badge
    Verify {
        /// Whose, for example @ada
        handle: Handle,
    },
    /// Take the verified badge back
    Unverify {
        /// Whose, for example @ada
        handle: Handle,
    },
    /// Set who may place calls: everyone, verified, or a percentage such as 25%
    Rollout {
        /// Shows the present one if absent
        who: Option<Rollout>,
    },
    /// Suspend an account: its connections end, it can't sign in, call or be called
    Block {
        /// Whose, for example @ada
        handle: Handle,
    },
    /// End an account's suspension
    Unblock {
        /// Whose, for example @ada
        handle: Handle,
    },
    /// Make an invitation and print its code; it is not shown again
    Invite {
        /// How many accounts can be made with it
        #[arg(long, default_value = "1")]
        uses: NonZeroU32,
    },
    /// Say how many accounts there are
    Accounts,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Nobody has the handle.
    #[error("nobody has the handle {0}")]
    HandleUnknown(Handle),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Does what a command says and answers with what to print.
///
/// # Errors
/// [`AdminError`], with a sentence for the operator.
pub async fn run(store: &Store, command: &Command, now: UnixMillis) -> Result<String, AdminError> {
    let judge = async |handle: &Handle, verdict, done: &str| match store.judge(handle, verdict, now).await? {
        Some(_) => Ok(format!("{handle} {done}")),
        None => Err(AdminError::HandleUnknown(handle.clone())),
    };
    match command {
        Command::Verify { handle } => judge(handle, Verdict::Verified(true), "is verified").await,
        Command::Unverify { handle } => judge(handle, Verdict::Verified(false), "is not verified").await,
        Command::Block { handle } => judge(handle, Verdict::Suspended(true), "is suspended").await,
        Command::Unblock { handle } => judge(handle, Verdict::Suspended(false), "is not suspended").await,
        Command::Rollout { who } => {
            if let Some(rollout) = who {
                store.set_rollout(*rollout).await?;
            }
            Ok(format!("calls can be placed by: {}", store.rollout().await?))
        }
        Command::Invite { uses } => {
            let code = invitation_code();
            store.invite(&hashed(&code), uses.get(), now).await?;
            Ok(code)
        }
        Command::Accounts => Ok(store.count_accounts().await?.to_string()),
    }
}

/// 80 random bits in groups that can be read out.
fn invitation_code() -> String {
    let random: [u8; 10] = random();
    let mut code = String::new();
    for (index, pair) in random.chunks(2).enumerate() {
        if index > 0 {
            code.push('-');
        }
        for byte in pair {
            // Writing to a String can't fail.
            let _ = write!(code, "{byte:02x}");
        }
    }
    code
}

/// Where [`look`] starts: what was changed before was read with everything else at the start of the server.
///
/// # Errors
/// [`StoreError`] when the store fails.
pub async fn newest_change(app: &App) -> store::Result<u64> {
    app.store.newest_operator_change().await
}

/// Looks once for what the operator changed after `seen`, and does what follows. Answers with what is now seen.
///
/// # Errors
/// [`StoreError`] when the store fails; the same changes are then found again.
pub async fn look(app: &App, seen: u64) -> store::Result<u64> {
    let (newest, accounts) = app.store.operator_changes(seen).await?;
    for account in accounts {
        effects::recheck(app, account).await;
        if app.store.account(account).await?.is_some_and(|account| account.suspended) {
            for device in app.store.own_devices(account).await? {
                effects::kick(app, device.device).await;
            }
        } else {
            effects::tell(app, account, &[Topic::Profile]).await;
        }
    }
    Ok(newest)
}

/// Follows the operator's changes until it is dropped.
pub async fn watch(app: Shared) {
    let mut seen = None;
    let mut tick = tokio::time::interval(app.config.timings.operator);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let result = match seen {
            Some(seen) => look(&app, seen).await,
            None => newest_change(&app).await,
        };
        match result {
            Ok(newest) => seen = Some(newest),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the operator's changes can't be read"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invitation_codes_can_be_read_out_and_differ() {
        let code = invitation_code();
        assert_eq!(code.len(), 24);
        assert!(code.split('-').all(|group| group.len() == 4));
        assert_ne!(code, invitation_code());
    }
}
