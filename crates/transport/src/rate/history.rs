//! What left, and what became of it as the other side tells (transport-wide feedback, draft-holmer-rmcat-transport-wide-
//! cc-extensions-01, section 3.1).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rtc::rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, SymbolTypeTcc, TransportLayerCc,
};

use super::Report;

/// Packets that are remembered: two seconds at 8 Mbit/s and more. Less than half of the sequence numbers, so that none
/// stands for two.
const REMEMBERED: usize = 4_096;
/// One that is missing may only be out of order. For so long.
const OUT_OF_ORDER: Duration = Duration::from_millis(80);
/// What nobody said anything of, because feedback was lost, is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(2);
/// The reference time counts 24 bits of 64 ms.
const TICK: Duration = Duration::from_millis(64);
const TICKS: u32 = 1 << 24;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Unbroken by sequence number.
    sent: VecDeque<Sent>,
    /// The number of the first of them.
    first: u16,
    next: u16,
    /// Of those at the front, so many have been told.
    told: usize,
    /// What the last reference time was, in ticks without end.
    reference: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    departure: Instant,
    size: usize,
    train: Option<u32>,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Unknown,
    /// Since then.
    Missing(Instant),
    /// At that time by the other side's clock; not told yet.
    Came(Duration),
    Told,
}

/// What is wrong with a feedback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is about packets that never left, or that were forgotten long ago.
    NeverSent,
    /// It has more packets than it says.
    Malformed,
}

impl History {
    /// A packet leaves; `size` with all headers, in bytes. Returns its transport-wide number.
    pub(crate) fn leaves(&mut self, departure: Instant, size: usize, train: Option<u32>) -> u16 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        if self.sent.len() == REMEMBERED {
            self.forget_first();
        }
        self.sent.push_back(Sent { departure, size, train, fate: Fate::Unknown });
        number
    }

    fn forget_first(&mut self) {
        self.sent.pop_front();
        self.first = self.first.wrapping_add(1);
        self.told = self.told.saturating_sub(1);
    }

    /// Takes in what the other side says, and adds to `reports` what is new in it, in the order in which the packets
    /// left. Who says the same again says nothing.
    ///
    /// # Errors
    /// When nothing of it, or not all of it, is about packets that left.
    pub(crate) fn feedback(
        &mut self,
        now: Instant,
        feedback: &TransportLayerCc,
        reports: &mut Vec<Report>,
    ) -> Result<(), Refused> {
        let count = usize::from(feedback.packet_status_count);
        let offset = usize::from(feedback.base_sequence_number.wrapping_sub(self.first));
        // Of what is forgotten some may be told again; that is behind `first`.
        let behind = usize::from(self.first.wrapping_sub(feedback.base_sequence_number));
        let (mut index, skip) = match (offset < self.sent.len(), behind < count && behind < REMEMBERED) {
            (true, _) => (offset, 0),
            (false, true) => (0, behind),
            (false, false) => return Err(Refused::NeverSent),
        };
        let mut arrival = TICK.saturating_mul(self.ticks(feedback.reference_time));
        let mut deltas = feedback.recv_deltas.iter();
        let mut refused = None;
        for (place, symbol) in symbols(feedback).take(count).enumerate() {
            let came = match symbol {
                SymbolTypeTcc::PacketNotReceived => None,
                SymbolTypeTcc::PacketReceivedSmallDelta | SymbolTypeTcc::PacketReceivedLargeDelta => {
                    let Some(delta) = deltas.next() else {
                        refused = Some(Refused::Malformed);
                        break;
                    };
                    // In microseconds.
                    let step = Duration::from_micros(delta.delta.unsigned_abs());
                    arrival = if delta.delta < 0 {
                        arrival.saturating_sub(step)
                    } else {
                        arrival.saturating_add(step)
                    };
                    Some(arrival)
                }
                SymbolTypeTcc::PacketReceivedWithoutDelta => continue,
            };
            if place < skip {
                continue;
            }
            let Some(sent) = self.sent.get_mut(index) else {
                refused = Some(Refused::NeverSent);
                break;
            };
            index += 1;
            sent.fate = match (sent.fate, came) {
                (Fate::Unknown | Fate::Missing(_), Some(arrival)) => Fate::Came(arrival),
                (Fate::Unknown, None) => Fate::Missing(now),
                (fate, _) => fate,
            };
        }
        self.tell(now, reports);
        refused.map_or(Ok(()), Err)
    }

    /// Everything up to the first packet whose fate is open.
    fn tell(&mut self, now: Instant, reports: &mut Vec<Report>) {
        // One that is late holds up nothing: who came behind it is told at once.
        let mut settled = true;
        for index in self.told..self.sent.len() {
            let Some(sent) = self.sent.get_mut(index) else { break };
            let report =
                |arrival| Report { departure: sent.departure, size: sent.size, train: sent.train, arrival };
            match sent.fate {
                Fate::Came(arrival) => {
                    reports.push(report(Some(arrival)));
                    sent.fate = Fate::Told;
                }
                Fate::Missing(since) if now.saturating_duration_since(since) >= OUT_OF_ORDER => {
                    reports.push(report(None));
                    sent.fate = Fate::Told;
                }
                Fate::Unknown if now.saturating_duration_since(sent.departure) > FORGOTTEN => {
                    sent.fate = Fate::Told;
                }
                Fate::Missing(_) | Fate::Unknown => settled = false,
                Fate::Told => {}
            }
            if settled {
                self.told = index + 1;
            }
        }
    }

    /// The reference time goes round; feedback may come out of order.
    fn ticks(&mut self, reference: u32) -> u32 {
        let round = i64::from(TICKS);
        let reference = i64::from(reference % TICKS);
        let ticks = match self.reference {
            // One round ahead, so that an earlier one does not fall below zero.
            None => round + reference,
            Some(last) => {
                let step = (reference - last).rem_euclid(round);
                if step < round / 2 { last + step } else { (last + step - round).max(0) }
            }
        };
        self.reference = Some(ticks);
        u32::try_from(ticks).unwrap_or(u32::MAX)
    }
}

fn symbols(feedback: &TransportLayerCc) -> impl Iterator<Item = SymbolTypeTcc> + '_ {
    feedback.packet_chunks.iter().flat_map(|chunk| {
        let (run, vector) = match chunk {
            PacketStatusChunk::RunLengthChunk(run) => (Some(run), None),
            PacketStatusChunk::StatusVectorChunk(vector) => (None, Some(vector)),
        };
        let run = run
            .into_iter()
            .flat_map(|run| std::iter::repeat_n(run.packet_status_symbol, usize::from(run.run_length)));
        run.chain(vector.into_iter().flat_map(|vector| vector.symbol_list.iter().copied()))
    })
}
