//! What time does.

use std::time::Instant;

use carillon_wire::frame::{DeclineScope, EndReason};
use carillon_wire::payload::HangUpReason;

use super::Call;
use crate::state::State;
use crate::timer::{self, Timer};
use crate::view::Why;

impl Call {
    pub(super) fn timed_out(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::Offering => {
                let why = match self.link.description {
                    Some(_) => Why::NoServer,
                    None => Why::Transport,
                };
                self.cancel();
                self.end(now, why);
            }
            Timer::RingOver => {
                if self.state == State::Ringing {
                    self.cancel();
                }
                self.end(now, Why::NoAnswer);
            }
            Timer::Describing => {
                self.withdraw_accept(EndReason::NoRoute, DeclineScope::Device);
                self.end(now, Why::Transport);
            }
            Timer::AcceptAgain => {
                self.timers.start(Timer::AcceptAgain, now + timer::ACCEPT_AGAIN);
                self.send_accept();
            }
            Timer::AcceptOver => {
                self.withdraw_accept(EndReason::Lost, DeclineScope::Device);
                self.end(now, Why::NoServer);
            }
            Timer::Connecting => {
                self.leave(now, Why::NoRoute, HangUpReason::NoRoute, EndReason::NoRoute);
            }
            Timer::PathDown => self.reconnect(now),
            Timer::Restart => self.restart_by_clock(),
            // A restart for the sake of a new address, or of the other side, that came to nothing while the old path
            // still works, costs nothing.
            Timer::Lost if !self.link.path_down => self.reconnected(),
            Timer::Lost => self.leave(now, Why::Lost, HangUpReason::Lost, EndReason::Lost),
        }
    }

    /// The timers that run.
    #[cfg(test)]
    pub(crate) fn running(&self) -> Vec<Timer> {
        self.timers.running().collect()
    }

    /// Lets a timer run out, whatever its moment.
    #[cfg(test)]
    pub(crate) fn fire(&mut self, now: Instant, timer: Timer) {
        self.timers.stop(timer);
        self.timed_out(now, timer);
        self.show();
    }
}
