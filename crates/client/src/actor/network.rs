//! Where this machine is, as far as its addresses tell.

use std::net::IpAddr;
use std::time::Duration;

use carillon_call::{Network, Phase};
use tokio::time::Instant;

use super::Actor;
use crate::clock::steady_now;
use crate::socket::SocketCommand;

/// How often the addresses of this machine are looked at during a call.
const GLANCE: Duration = Duration::from_millis(500);

impl Actor {
    /// Looks whether this machine is somewhere else now: another Wi-Fi, a cable, a VPN.
    pub(super) fn glance(&mut self) {
        self.glance_at = Instant::now() + GLANCE;
        let after = carillon_transport::local_addresses();
        let Some(before) = self.addresses.replace(after.clone()) else { return };
        let looking = self.machine.views().any(|view| view.phase == Phase::Reconnecting);
        if matters(&before, &after, looking) {
            self.moved();
        }
    }

    /// This machine is somewhere else: paths are looked for anew, and so is the server, for a line from an address that
    /// is gone dies without a word.
    pub(super) fn moved(&mut self) {
        self.machine.handle_network(steady_now(), Network::AddressChanged);
        self.command(SocketCommand::Reconnect);
    }
}

/// Whether a change of addresses is a reason to look for another path. One that comes beside those that are there is
/// none, as long as the path works: looking interrupts the sound.
fn matters(before: &[IpAddr], after: &[IpAddr], looking: bool) -> bool {
    let is_gone = before.iter().any(|address| !after.contains(address));
    is_gone || (looking && before != after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_goes_matters_and_one_more_only_to_who_looks_for_a_path() {
        let wifi = IpAddr::from([192, 0, 2, 1]);
        let cable = IpAddr::from([198, 51, 100, 1]);
        for looking in [false, true] {
            assert!(!matters(&[wifi], &[wifi], looking), "nothing happened");
            assert!(!matters(&[], &[], looking), "offline all the time");
            assert!(matters(&[wifi], &[], looking));
            assert!(matters(&[wifi], &[cable], looking));
            assert!(matters(&[wifi, cable], &[cable], looking));
        }
        assert!(!matters(&[wifi], &[wifi, cable], false));
        assert!(matters(&[wifi], &[wifi, cable], true));
        assert!(matters(&[], &[wifi], true), "back from nowhere");
    }
}
