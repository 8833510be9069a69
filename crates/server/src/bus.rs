//! The doorbell: tells a connection, wherever it is, to look.
//!
//! What there is to see lies in the store. So a signal says no more than where to look, two of the same kind are one,
//! and a connection that is slow to look owes nobody memory: what waits for it is bounded by what it watches.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carillon_wire::frame::Topic;
use carillon_wire::{AccountId, DeviceId};
use tokio::sync::Notify;

/// Locks of each map: connections come and go on all cores.
const SHARDS: usize = 64;

/// How connections are told.
#[derive(Debug, Clone)]
pub enum Bus {
    /// All connections are in this process.
    Local(Arc<Local>),
}

impl Default for Bus {
    fn default() -> Self {
        Self::Local(Arc::default())
    }
}

impl Bus {
    /// Begins a connection of a device. The one that it had before is told that it was replaced.
    pub fn attach(&self, account: AccountId, device: DeviceId) -> Line {
        let Self::Local(local) = self;
        let signals = Arc::new(Signals::default());
        if let Some(older) = local.devices.at(&device).insert(device, Arc::clone(&signals)) {
            local.forget(account, &older);
            older.with(|waiting| waiting.replaced = true);
        }
        local.accounts.at(&account).entry(account).or_default().push(Arc::clone(&signals));
        Line { local: Arc::clone(local), account, device, signals, watched: BTreeSet::new() }
    }

    /// There is mail for a device.
    pub fn ring_doorbell(&self, device: DeviceId) {
        let Self::Local(local) = self;
        if let Some(signals) = local.devices.at(&device).get(&device) {
            signals.with(|waiting| waiting.mail = true);
        }
    }

    /// Something about an account changed, for its own devices.
    pub fn changed(&self, account: AccountId, topics: &[Topic]) {
        let Self::Local(local) = self;
        for signals in local.accounts.at(&account).get(&account).into_iter().flatten() {
            signals.with(|waiting| {
                for topic in topics {
                    if !waiting.changed.contains(topic) {
                        waiting.changed.push(*topic);
                    }
                }
            });
        }
    }

    /// A device may have lost the right to be here.
    pub fn doubt(&self, device: DeviceId) {
        let Self::Local(local) = self;
        if let Some(signals) = local.devices.at(&device).get(&device) {
            signals.with(|waiting| waiting.doubted = true);
        }
    }

    /// An account came, went, or changed who may ring it: those who watch it look again, and it looks again at those
    /// that it watches.
    pub fn standing_changed(&self, account: AccountId) {
        let Self::Local(local) = self;
        for signals in local.watchers.at(&account).get(&account).into_iter().flatten() {
            signals.with(|waiting| {
                waiting.presence.insert(account);
            });
        }
        for signals in local.accounts.at(&account).get(&account).into_iter().flatten() {
            signals.with(|waiting| waiting.all_presence = true);
        }
    }

    /// An account came or went.
    pub fn presence_changed(&self, account: AccountId) {
        let Self::Local(local) = self;
        for signals in local.watchers.at(&account).get(&account).into_iter().flatten() {
            signals.with(|waiting| {
                waiting.presence.insert(account);
            });
        }
    }
}

/// The connections of this process.
#[derive(Debug, Default)]
pub struct Local {
    devices: Sharded<DeviceId, Arc<Signals>>,
    accounts: Sharded<AccountId, Vec<Arc<Signals>>>,
    watchers: Sharded<AccountId, Vec<Arc<Signals>>>,
}

impl Local {
    fn forget(&self, account: AccountId, signals: &Arc<Signals>) {
        self.accounts.remove_from(&account, signals);
    }
}

#[derive(Debug)]
struct Sharded<K, V>(Box<[Mutex<HashMap<K, V>>]>);

impl<K, V> Default for Sharded<K, V> {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }
}

/// The first byte of an id, which is as good as random.
trait Spread {
    fn spread(&self) -> usize;
}

impl Spread for AccountId {
    fn spread(&self) -> usize {
        usize::from(self.as_bytes()[0])
    }
}

impl Spread for DeviceId {
    fn spread(&self) -> usize {
        usize::from(self.as_bytes()[0])
    }
}

impl<K: Spread + Eq + Hash, V> Sharded<K, V> {
    fn at(&self, key: &K) -> MutexGuard<'_, HashMap<K, V>> {
        self.0[key.spread() % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Spread + Eq + Hash + Copy> Sharded<K, Vec<Arc<Signals>>> {
    fn remove_from(&self, key: &K, signals: &Arc<Signals>) {
        if let Entry::Occupied(mut entry) = self.at(key).entry(*key) {
            entry.get_mut().retain(|one| !Arc::ptr_eq(one, signals));
            if entry.get().is_empty() {
                entry.remove();
            }
        }
    }
}

#[derive(Debug, Default)]
struct Signals {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

impl Signals {
    fn with(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        self.bell.notify_one();
    }

    fn take(&self) -> Waiting {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a connection has to look at.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The mailbox.
    pub mail: bool,
    /// Whether the device is revoked or the account suspended.
    pub doubted: bool,
    /// The device has connected anew.
    pub replaced: bool,
    /// Topics of the own account, for `changed`.
    pub changed: Vec<Topic>,
    /// Presence of these accounts.
    pub presence: BTreeSet<AccountId>,
    /// Presence of all watched accounts.
    pub all_presence: bool,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A connection's end of the bus. Detached when dropped.
#[derive(Debug)]
pub struct Line {
    local: Arc<Local>,
    account: AccountId,
    device: DeviceId,
    signals: Arc<Signals>,
    watched: BTreeSet<AccountId>,
}

impl Line {
    /// Waits until there is something to look at. Cancelling it loses nothing.
    pub async fn look(&self) -> Waiting {
        loop {
            let waiting = self.signals.take();
            if !waiting.is_empty() {
                return waiting;
            }
            self.signals.bell.notified().await;
        }
    }

    /// Waits until the connection has to end, or to check whether it must; [`look`](Self::look) then says which.
    pub async fn must_go(&self) {
        loop {
            let bell = self.signals.bell.notified();
            {
                let waiting = self.signals.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if waiting.doubted || waiting.replaced {
                    return;
                }
            }
            bell.await;
        }
    }

    /// Watches these accounts' presence in place of those watched before.
    pub fn watch(&mut self, accounts: BTreeSet<AccountId>) {
        for gone in self.watched.difference(&accounts) {
            self.local.watchers.remove_from(gone, &self.signals);
        }
        for new in accounts.difference(&self.watched) {
            self.local.watchers.at(new).entry(*new).or_default().push(Arc::clone(&self.signals));
        }
        self.watched = accounts;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.watch(BTreeSet::new());
        self.local.forget(self.account, &self.signals);
        if let Entry::Occupied(entry) = self.local.devices.at(&self.device).entry(self.device)
            && Arc::ptr_eq(entry.get(), &self.signals)
        {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: u8) -> AccountId {
        AccountId::new([id; 16])
    }

    fn device(id: u8) -> DeviceId {
        DeviceId::new([id; 16])
    }

    #[tokio::test]
    async fn signals_of_one_kind_are_one() {
        let bus = Bus::default();
        let line = bus.attach(account(1), device(1));
        bus.ring_doorbell(device(1));
        bus.ring_doorbell(device(1));
        bus.changed(account(1), &[Topic::Missed]);
        bus.changed(account(1), &[Topic::Missed, Topic::Settings]);
        let waiting = line.look().await;
        assert!(waiting.mail);
        assert_eq!(waiting.changed, [Topic::Missed, Topic::Settings]);
        assert!(line.signals.take().is_empty());
    }

    #[tokio::test]
    async fn a_second_connection_of_a_device_replaces_the_first() {
        let bus = Bus::default();
        let first = bus.attach(account(1), device(1));
        let second = bus.attach(account(1), device(1));
        assert!(first.look().await.replaced);
        drop(first);
        bus.ring_doorbell(device(1));
        bus.changed(account(1), &[Topic::Profile]);
        let waiting = second.look().await;
        assert!(waiting.mail && !waiting.replaced);
        assert_eq!(waiting.changed, [Topic::Profile]);
    }

    #[tokio::test]
    async fn only_who_watches_an_account_hears_of_it() {
        let bus = Bus::default();
        let mut ada = bus.attach(account(1), device(1));
        let grace = bus.attach(account(2), device(2));
        ada.watch(BTreeSet::from([account(2), account(3)]));
        bus.standing_changed(account(2));
        assert_eq!(ada.look().await.presence, BTreeSet::from([account(2)]));
        assert!(grace.look().await.all_presence);
        ada.watch(BTreeSet::from([account(3)]));
        bus.presence_changed(account(2));
        assert!(ada.signals.take().is_empty());
    }

    #[test]
    fn nothing_is_left_of_a_connection() {
        let bus = Bus::default();
        let mut line = bus.attach(account(1), device(1));
        line.watch(BTreeSet::from([account(2)]));
        drop(line);
        let Bus::Local(local) = bus;
        assert!(local.devices.at(&device(1)).is_empty());
        assert!(local.accounts.at(&account(1)).is_empty());
        assert!(local.watchers.at(&account(2)).is_empty());
    }
}
