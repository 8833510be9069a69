//! What somebody may send who is at the other end of the call by right, and has the keys.

use bytes::Bytes;
use carillon_call::{PeerCommand, Role};
use carillon_transport::{Dropped, ReceivedAudio};
use rtc::interceptor::Packet;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};
use rtc::rtp;

use crate::support::villain::{SOURCE, Villain};
use crate::support::{End, config, eventually};

const OPUS: u8 = 111;

async fn meet() -> (End, Villain) {
    let mut victim = End::open(config(Role::Caller));
    let villain = Villain::answer(&mut victim).await;
    (victim, villain)
}

async fn part(victim: End, villain: Villain) {
    victim.peer.handle(PeerCommand::Close);
    victim.closed().await;
    villain.close().await;
}

fn packet(ssrc: u32, payload_type: u8, sequence_number: u16, payload: &[u8]) -> Packet {
    let timestamp = u32::from(sequence_number) * 960;
    let header =
        rtp::Header { version: 2, payload_type, sequence_number, timestamp, ssrc, ..rtp::Header::default() };
    Packet::Rtp(rtp::Packet { header, payload: Bytes::copy_from_slice(payload) })
}

fn audio(sequence: u16) -> Packet {
    packet(SOURCE, OPUS, sequence, &[1; 20])
}

/// What is heard until a packet with this number is.
async fn heard_until(victim: &End, sequence: u16) -> Vec<ReceivedAudio> {
    let received = victim.peer.received();
    let mut heard: Vec<ReceivedAudio> = Vec::new();
    eventually("audio is heard", || {
        heard.extend(std::iter::from_fn(|| received.pop()));
        heard.iter().any(|packet| packet.sequence == sequence)
    })
    .await;
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_type_that_was_never_agreed_is_dropped() {
    let (victim, villain) = meet().await;
    villain.send([audio(1)]);
    heard_until(&victim, 1).await;
    villain.send((2..12).map(|n| packet(SOURCE, 0, n, &[1; 20])));
    villain.send((12..22).map(|n| packet(SOURCE, 127, n, &[1; 20])));
    villain.send([audio(22)]);
    let heard = heard_until(&victim, 22).await;
    assert_eq!(heard.len(), 1);
    assert_eq!(victim.peer.stats().dropped.of(Dropped::UnknownPayloadType), 20);
    part(victim, villain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_was_never_described_is_dropped() {
    let (victim, villain) = meet().await;
    villain.send((0..20).map(|n| packet(SOURCE + 1 + u32::from(n), OPUS, n, &[1; 20])));
    villain.send([audio(30)]);
    let heard = heard_until(&victim, 30).await;
    assert_eq!(heard.len(), 1);
    assert_eq!(victim.peer.stats().dropped.of(Dropped::UnknownSource), 20);
    part(victim, villain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_without_anything_to_play_are_dropped() {
    let (victim, villain) = meet().await;
    villain.send([packet(SOURCE, OPUS, 1, &[]), packet(SOURCE, OPUS, 2, &[7; 1_151]), audio(3)]);
    let heard = heard_until(&victim, 3).await;
    assert_eq!(heard.len(), 1);
    assert_eq!(victim.peer.stats().dropped.of(Dropped::UnusablePayload), 2);
    part(victim, villain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jumps_of_sequence_and_time_are_heard_as_they_come_and_nothing_is_asked_for() {
    let (victim, villain) = meet().await;
    // Two hundred behind is within what SRTP may reorder; 400 ahead and more is a gap that nobody asks for.
    let jumps = [100, 20_000, 20_001, 50_000, 3, 30_000, 29_800, 60_000, 0];
    villain.send(jumps.map(audio));
    let heard = heard_until(&victim, 0).await;
    assert!(heard.iter().map(|packet| packet.sequence).eq(jumps));
    villain.send([audio(7)]);
    heard_until(&victim, 7).await;
    let stats = victim.peer.stats();
    assert!(stats.received.requested <= 6, "no more than the six between 0 and 7: {stats:?}");
    assert_eq!(stats.dropped.of(Dropped::Duplicate), 0);
    part(victim, villain).await;
}

fn about(ssrc: u32) -> ReceptionReport {
    ReceptionReport { ssrc, fraction_lost: 128, total_lost: 5_000, ..ReceptionReport::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_about_or_from_other_sources_are_dropped_and_change_nothing() {
    let (victim, villain) = meet().await;
    let strange = 0xBAD;
    let receiver = ReceiverReport { ssrc: SOURCE, reports: vec![about(strange)], ..Default::default() };
    let sender = SenderReport { ssrc: strange, ntp_time: 1, ..Default::default() };
    let pair = NackPair { packet_id: 1, lost_packets: 0xFFFF };
    let request = TransportLayerNack { sender_ssrc: SOURCE, media_ssrc: strange, nacks: vec![pair] };
    for _ in 0..10 {
        let reports: [Box<dyn rtc::rtcp::Packet>; 3] =
            [Box::new(receiver.clone()), Box::new(sender.clone()), Box::new(request.clone())];
        villain.send(reports.map(|report| Packet::Rtcp(vec![report])));
    }
    eventually("all are counted", || victim.peer.stats().dropped.of(Dropped::UnknownReport) == 30).await;
    let stats = victim.peer.stats();
    assert_eq!((stats.remote, stats.sent.retransmitted), (None, 0));
    villain.send([audio(1)]);
    heard_until(&victim, 1).await;
    part(victim, villain).await;
}
