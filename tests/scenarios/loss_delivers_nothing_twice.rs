//! Five per cent of all packets are lost, and as many arrive twice: what is sent again is delivered, and nothing is twice.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Result;
use carillon_link::{Percent, Settings, Span};
use carillon_tests::server::Server;
use carillon_tests::talk::Talk;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_packet_is_delivered_at_most_once() -> Result<()> {
    let five = Percent::new(5.0).unwrap();
    let delay = Span(Duration::from_millis(20));
    let settings = Settings { loss: five, duplicate: five, delay, ..Settings::default() };
    let server = Server::start(&[]).await?;
    let mut talk = Talk::begin(&server, settings).await?;
    talk.ada.seconds(10).await?;
    talk.grace.seconds(1).await?;
    let line = talk.line.statistics();
    assert!(line.a_to_b.lost > 0 && line.b_to_a.lost > 0 && line.a_to_b.copied > 0, "{line:?}");
    let mut repaired = 0;
    for tap in [&talk.ada_tap, &talk.grace_tap] {
        let tapped = tap.look();
        // Short enough that no sequence number comes round.
        let different: HashSet<_> = tapped.delivered.iter().collect();
        assert_eq!(different.len(), tapped.delivered.len(), "{tapped:?}");
        assert!(tapped.delivered.len() > 200, "{tapped:?}");
        println!("{} delivered, {:?}", tapped.delivered.len(), tapped.stats.received);
        repaired += tapped.stats.received.repaired;
    }
    assert!(repaired > 0, "nothing was sent again");
    Ok(())
}
