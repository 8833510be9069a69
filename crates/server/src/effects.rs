//! What a change has as its consequence elsewhere.

use carillon_wire::frame::Topic;
use carillon_wire::{AccountId, DeviceId};

use crate::app::App;
use crate::store;

/// Tells the own devices that are connected what to fetch again.
pub(crate) async fn tell(app: &App, account: AccountId, topics: &[Topic]) {
    app.bus.changed(account, topics);
}

/// Ends a device's connection at once, if it is revoked or its account suspended.
pub(crate) async fn kick(app: &App, device: DeviceId) {
    app.bus.doubt(device);
}

/// Ends calls that ring from or at an account and would now be refused, and lets those who watch it look again.
pub(crate) async fn recheck(app: &App, account: AccountId) {
    app.bus.standing_changed(account);
    match app.store.recheck_calls(account, app.node, app.clock.now()).await {
        Ok(aftermath) => app.follow_up(&aftermath),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "ringing calls can't be checked again");
        }
    }
}

/// Which of an account's devices are connected, or were until a moment ago.
pub(crate) async fn connected(app: &App, account: AccountId) -> store::Result<Vec<DeviceId>> {
    app.store.reachable_devices(account, app.node, app.clock.now()).await
}
