//! DTLS shows another certificate than the sealed description names: the call ends before any sound.

use anyhow::Result;
use carillon_client::Why;
use carillon_link::{End, Settings};
use carillon_tests::server::Server;
use carillon_tests::talk::Talk;
use carillon_wire::Bytes32;

/// Who is lied to tells why, and neither heard or was given anything of the other.
async fn a_call_with_a_stranger(fooled: End) -> Result<()> {
    let server = Server::start(&[]).await?;
    let forged = Some((fooled.other(), Bytes32::from([0x5a; 32])));
    let mut talk = Talk::ready(&server, Settings::default(), forged).await?;
    talk.place().await?;
    let whys = [talk.ada.until_ended(talk.call).await?, talk.grace.until_ended(talk.call).await?];
    println!("{fooled:?} expects another certificate: ada {:?}, grace {:?}", whys[0], whys[1]);
    let (fooled_why, other_why) = match fooled {
        End::A => (whys[0], whys[1]),
        End::B => (whys[1], whys[0]),
    };
    assert_eq!(fooled_why, Why::Security);
    assert!(!matches!(other_why, Why::HungUpHere), "{other_why:?}");
    for (person, tap) in [(&talk.ada, &talk.ada_tap), (&talk.grace, &talk.grace_tap)] {
        assert!(!person.has_heard(talk.call), "{} heard something", person.handle);
        assert!(tap.look().delivered.is_empty(), "{} was given sound", person.handle);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caller_hears_nothing_of_a_stranger() -> Result<()> {
    a_call_with_a_stranger(End::A).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_called_one_hears_nothing_of_a_stranger() -> Result<()> {
    a_call_with_a_stranger(End::B).await
}
