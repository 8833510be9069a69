//! Datagrams from anywhere, and what the stack sends.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Steps;
use crate::counters::Counters;
use crate::guard::Guard;

/// A walk: datagrams that come and leave, time that passes, restarts. What is kept stays in bounds.
pub fn guard(data: &[u8]) {
    let start = Instant::now();
    let relay_only = data.first().is_some_and(|first| first & 1 == 1);
    let guard = Guard::new(Arc::new(Counters::new(start)), Duration::from_millis(20), relay_only);
    let mut now = start;
    let address = |number: u8| SocketAddr::from((Ipv4Addr::new(10, 0, 0, number >> 4), number.into()));
    let (mut came, mut passed) = (0, 0);
    for (kind, number, bytes) in Steps(data.get(1..).unwrap_or_default()) {
        match kind % 8 {
            0..4 => {
                came += 1;
                passed += u64::from(guard.admits(bytes, address(number), now));
            }
            4..6 => {
                let leaves = guard.lets_out(bytes, address(0), address(number), now);
                assert!(leaves || !bytes.is_empty() || relay_only, "nothing is held back without a reason");
            }
            6 => now += Duration::from_millis(number.into()),
            _ => guard.restarted(),
        }
        guard.check_bounds();
    }
    let drops = guard.counters.drops.snapshot();
    let not_sent = drops.of(crate::Dropped::NotRelayed);
    let dropped: u64 = drops.iter().map(|(_, count)| count).sum();
    assert_eq!(came, passed + dropped - not_sent, "what does not pass is counted, once");
}
