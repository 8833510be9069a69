use std::fs;

use carillon_wire::Millis;

use super::*;
use crate::dto::Why;

async fn open(directory: &tempfile::TempDir) -> Result<Store, ClientError> {
    Store::open(&directory.path().join("profile.db")).await
}

fn call(number: u8) -> RecentCall {
    RecentCall {
        id: 0,
        call: CallId::new([number; 16]),
        direction: Direction::Outgoing,
        account: AccountId::new([7; 16]),
        handle: Some(Handle::parse("ada").unwrap()),
        name: "Ada".to_owned(),
        media: Media::Video,
        outcome: Outcome::Talked,
        end: CallEnd { why: Why::HungUpHere, code: None, message: None, retry_after: None },
        at: UnixMillis(1_800_000_000_000),
        talked: Some(Millis(61_000)),
    }
}

#[tokio::test]
async fn recent_calls_come_back_last_first_and_can_be_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await.unwrap();
    store.save_recent(&call(1)).await.unwrap();
    store.save_recent(&call(2)).await.unwrap();
    store.close().await;

    let store = open(&directory).await.unwrap();
    let recent = store.recent(10).await.unwrap();
    assert_eq!(recent.iter().map(|call| call.call.as_bytes()[0]).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(recent[0], RecentCall { id: recent[0].id, ..call(2) });
    assert!(store.delete_recent(recent[0].id).await.unwrap());
    assert!(!store.delete_recent(recent[0].id).await.unwrap());
    assert_eq!(store.recent(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_a_clear_error_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("profile.db");
    let garbage = vec![b'x'; 8192];
    fs::write(&path, &garbage).unwrap();
    let error = open(&directory).await.unwrap_err();
    assert!(error.is_local(LocalCode::ProfileDamaged), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), garbage);
}

#[tokio::test]
async fn a_database_with_a_broken_page_is_a_clear_error_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("profile.db");
    let store = open(&directory).await.unwrap();
    store.save_recent(&call(1)).await.unwrap();
    store.close().await;
    let mut bytes = fs::read(&path).unwrap();
    bytes.iter_mut().skip(4096).for_each(|byte| *byte = 0xa5);
    fs::write(&path, &bytes).unwrap();

    let error = open(&directory).await.unwrap_err();
    assert!(error.is_local(LocalCode::ProfileDamaged), "{error:?}");
    assert_eq!(fs::read(&path).unwrap().len(), bytes.len());
}

#[tokio::test]
async fn a_profile_of_a_newer_carillon_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await.unwrap();
    sqlx::raw_sql("PRAGMA user_version = 9").execute(&store.pool).await.unwrap();
    store.close().await;
    assert!(open(&directory).await.unwrap_err().is_local(LocalCode::ProfileNewer));
}

#[tokio::test]
async fn a_later_step_keeps_what_is_there_and_one_that_fails_leaves_no_trace() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await.unwrap();
    store.set_fact(fact::SERVER, &"https://a.example").await.unwrap();

    let broken = [MIGRATIONS[0], "CREATE TABLE extra (x TEXT) STRICT; SELECT nonsense FROM nowhere;"];
    store.migrate(&broken).await.unwrap_err();
    let good = [MIGRATIONS[0], "CREATE TABLE extra (x TEXT) STRICT;"];
    store.migrate(&good).await.unwrap();
    store.migrate(&good).await.unwrap();
    let server: Option<String> = store.fact(fact::SERVER).await.unwrap();
    assert_eq!(server.as_deref(), Some("https://a.example"));
}

#[tokio::test]
async fn certificate_numbers_only_grow() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await.unwrap();
    let device = DeviceId::new([3; 16]);
    store.save_certificate(device, 5).await.unwrap();
    store.save_certificate(device, 4).await.unwrap();
    assert_eq!(store.certificates().await.unwrap(), [(device, 5)]);
}

#[tokio::test]
async fn opened_messages_are_remembered_until_their_certificate_ends() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await.unwrap();
    let entry = ReplayEntry { hash: [1; 32].into(), expires_at: UnixMillis(1000) };
    store.save_replay(&entry).await.unwrap();
    store.save_replay(&entry).await.unwrap();
    assert_eq!(store.replays(UnixMillis(999)).await.unwrap(), [entry]);
    assert_eq!(store.replays(UnixMillis(1000)).await.unwrap(), []);
}
