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
    /// The first of which nobody said anything, nor of any after it.
    unheard: usize,
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
        self.unheard = self.unheard.saturating_sub(1);
    }

    /// When the first packet left of which nothing was heard, nor of any after it.
    pub(crate) fn unheard(&self) -> Option<Instant> {
        self.sent.get(self.unheard).map(|sent| sent.departure)
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
            self.unheard = self.unheard.max(index);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtc::rtcp::transport_feedbacks::transport_layer_cc::{RecvDelta, RunLengthChunk, StatusChunkTypeTcc};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn run(packet_status_symbol: SymbolTypeTcc, run_length: u16) -> PacketStatusChunk {
        let type_tcc = StatusChunkTypeTcc::RunLengthChunk;
        PacketStatusChunk::RunLengthChunk(RunLengthChunk { type_tcc, packet_status_symbol, run_length })
    }

    /// From `base` on, each either came 10 ms after the one before, or not at all.
    fn feedback(base: u16, came: &[bool]) -> TransportLayerCc {
        let symbol = |came: &bool| match came {
            true => SymbolTypeTcc::PacketReceivedSmallDelta,
            false => SymbolTypeTcc::PacketNotReceived,
        };
        let delta = RecvDelta { type_tcc_packet: SymbolTypeTcc::PacketReceivedSmallDelta, delta: 10_000 };
        TransportLayerCc {
            base_sequence_number: base,
            packet_status_count: came.len() as u16,
            reference_time: 100,
            packet_chunks: came.iter().map(|came| run(symbol(came), 1)).collect(),
            recv_deltas: vec![delta; came.iter().filter(|came| **came).count()],
            ..Default::default()
        }
    }

    struct World {
        history: History,
        now: Instant,
    }

    impl World {
        fn sent(packets: usize) -> Self {
            let mut world = Self { history: History::default(), now: Instant::now() };
            for size in 0..packets {
                world.history.leaves(world.now, size, None);
                world.now += MS;
            }
            world
        }

        /// The sizes of what came, and of what was lost; they are the packets' numbers.
        fn told(&mut self, feedback: &TransportLayerCc) -> (Vec<usize>, Vec<usize>) {
            let mut reports = Vec::new();
            let _ = self.history.feedback(self.now, feedback, &mut reports);
            let sizes = |came| {
                let some = reports.iter().filter(move |report: &&Report| report.arrival.is_some() == came);
                some.map(|report| report.size).collect()
            };
            (sizes(true), sizes(false))
        }
    }

    #[test]
    fn each_packet_is_told_once_however_often_it_is_said() {
        let mut world = World::sent(6);
        assert_eq!(world.told(&feedback(0, &[true; 3])), (vec![0, 1, 2], vec![]));
        assert_eq!(world.told(&feedback(0, &[true; 3])), (vec![], vec![]));
        assert_eq!(world.told(&feedback(2, &[true; 3])), (vec![3, 4], vec![]));
    }

    #[test]
    fn one_that_is_missing_counts_as_lost_when_it_does_not_come_late() {
        let mut world = World::sent(4);
        assert_eq!(world.told(&feedback(0, &[true, false, false, true])), (vec![0, 3], vec![]));
        world.now += 30 * MS;
        assert_eq!(world.told(&feedback(1, &[true])), (vec![1], vec![]));
        world.now += OUT_OF_ORDER;
        assert_eq!(world.told(&feedback(3, &[true])), (vec![], vec![2]));
        assert_eq!(world.told(&feedback(2, &[true])), (vec![], vec![]), "it is too late");
    }

    #[test]
    fn the_first_packet_that_nobody_said_anything_of_is_known() {
        let mut world = World::sent(4);
        let start = world.now - 4 * MS;
        assert_eq!(world.history.unheard(), Some(start));
        world.told(&feedback(0, &[true, false, true]));
        assert_eq!(world.history.unheard(), Some(start + 3 * MS));
        world.told(&feedback(0, &[true]));
        assert_eq!(world.history.unheard(), Some(start + 3 * MS));
        world.told(&feedback(3, &[true]));
        assert_eq!(world.history.unheard(), None);
        for _ in 0..REMEMBERED {
            world.history.leaves(world.now, 1, None);
        }
        assert_eq!(world.history.unheard(), Some(world.now), "those before are forgotten");
    }

    #[test]
    fn what_never_left_is_refused() {
        let mut world = World::sent(3);
        let mut reports = Vec::new();
        let mut ask = |feedback: TransportLayerCc| world.history.feedback(world.now, &feedback, &mut reports);
        assert_eq!(ask(feedback(3, &[true])), Err(Refused::NeverSent));
        assert_eq!(ask(feedback(40_000, &[true; 5])), Err(Refused::NeverSent));
        assert_eq!(ask(feedback(1, &[true; 5])), Err(Refused::NeverSent));
        let short = TransportLayerCc { recv_deltas: Vec::new(), ..feedback(0, &[true]) };
        assert_eq!(ask(short), Err(Refused::Malformed));
        // What was good in it counts.
        assert_eq!(reports.len(), 2);
    }

    #[test]
    fn a_report_that_unfolds_to_millions_is_read_as_far_as_packets_left() {
        let mut world = World::sent(3);
        let chunks = vec![run(SymbolTypeTcc::PacketNotReceived, 0x1FFF); 700];
        let bomb =
            TransportLayerCc { packet_chunks: chunks, packet_status_count: u16::MAX, ..feedback(0, &[]) };
        assert_eq!(world.told(&bomb), (vec![], vec![]));
        world.now += OUT_OF_ORDER;
        assert_eq!(world.told(&bomb), (vec![], vec![0, 1, 2]));
    }

    #[test]
    fn numbers_and_reference_times_go_round() {
        let mut world = World::sent(0);
        for _ in 0..70_000 {
            world.history.leaves(world.now, 7, None);
        }
        let last = 69_999_u32 as u16;
        let mut reports = Vec::new();
        let at = |reference_time, base| TransportLayerCc { reference_time, ..feedback(base, &[true]) };
        world.history.feedback(world.now, &at(TICKS - 1, last - 1), &mut reports).unwrap();
        world.history.feedback(world.now, &at(0, last), &mut reports).unwrap();
        let arrivals: Vec<_> = reports.iter().filter_map(|report| report.arrival).collect();
        assert_eq!(arrivals[1] - arrivals[0], TICK);
        assert_eq!(world.history.sent.len(), REMEMBERED);
    }

    proptest! {
        #[test]
        fn nothing_is_told_twice_or_made_up(
            said in proptest::collection::vec((0..80_u16, proptest::collection::vec(any::<bool>(), 1..40), 0..200_u64), 1..60),
        ) {
            let mut world = World::sent(50);
            let mut told = [0; 50];
            for (base, came, later) in said {
                world.now += Duration::from_millis(later);
                let (came, lost) = world.told(&feedback(base.wrapping_sub(15), &came));
                for number in came.into_iter().chain(lost) {
                    told[number] += 1;
                }
            }
            prop_assert!(told.iter().all(|times| *times <= 1));
        }
    }
}
