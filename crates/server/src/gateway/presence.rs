//! Presence of the accounts that a device watches.

use std::collections::BTreeSet;

use carillon_wire::AccountId;
use carillon_wire::frame::ServerFrame;

use super::connection::Session;
use super::socket::End;
use crate::calls::code_of;

impl Session<'_> {
    /// Watches these accounts in place of those watched before, and shows what may be seen of them.
    pub(super) async fn watch(&mut self, accounts: BTreeSet<AccountId>) -> Result<(), End> {
        // First the bell, then the look: a change in between is seen twice, never missed.
        self.line.watch(accounts.clone());
        self.watched = accounts.iter().map(|account| (*account, None)).collect();
        self.show_presence(accounts).await
    }

    /// Looks at these accounts and shows what has changed. One that may not be seen any longer goes offline: for the
    /// watcher there is no difference.
    pub(super) async fn show_presence(
        &mut self,
        accounts: impl IntoIterator<Item = AccountId>,
    ) -> Result<(), End> {
        let now = self.app.clock.now();
        for account in accounts {
            let Some(shown) = self.watched.get(&account).copied() else { continue };
            let standing = self.app.store.standing(self.sender.account, account, self.app.node, now).await;
            let standing = standing.map_err(|failure| End::refused(code_of(&failure)))?;
            let visible = standing.and_then(|standing| standing.presence());
            let shows = match (shown, visible) {
                (_, Some(online)) => Some(online),
                (Some(_), None) => Some(false),
                (None, None) => None,
            };
            if let Some(online) = shows
                && shown != shows
            {
                self.watched.insert(account, shows);
                let frame = ServerFrame::Presence { account, online };
                self.socket.feed(None, frame, Some(&self.line)).await?;
            }
        }
        self.socket.flush(Some(&self.line)).await
    }
}
