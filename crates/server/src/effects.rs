//! What a change has as its consequence elsewhere.

use carillon_wire::frame::Topic;
use carillon_wire::{AccountId, DeviceId};

use crate::app::App;
use crate::store;

/// Tells the own devices that are connected what to fetch again.
pub(crate) async fn tell(_app: &App, _account: AccountId, _topics: &[Topic]) {}

/// Ends a device's connection at once.
pub(crate) async fn kick(_app: &App, _device: DeviceId) {}

/// Ends calls that ring at an account and would now be refused.
pub(crate) async fn recheck(_app: &App, _callee: AccountId) {}

/// Which of an account's devices are connected.
pub(crate) async fn connected(_app: &App, _account: AccountId) -> store::Result<Vec<DeviceId>> {
    Ok(Vec::new())
}
