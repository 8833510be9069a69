//! What is true of the SQLite variant alone: its file, its room, its crash.

#[cfg(test)]
mod fixtures;

#[cfg(test)]
mod sqlite {
    use carillon_server::store::{Secret, SignedUp, SqliteOptions, Store, StoreError};

    use super::fixtures::*;

    #[tokio::test]
    async fn what_was_stored_is_there_after_the_process_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(folder.path().join("deep/er/carillon.db"));
        let store = Store::open_sqlite(options.clone()).await.unwrap();
        let (ada, _) = somebody(&store, 1, "ada").await;
        let secret = store.secret(Secret::Challenge, &bytes32(1)).await.unwrap();
        // Neither closed nor dropped: like a process that was killed, its locks and its log are still there.
        let again = Store::open_sqlite(options).await.unwrap();
        assert!(again.account(ada).await.unwrap().is_some());
        assert_eq!(again.secret(Secret::Challenge, &bytes32(2)).await.unwrap(), secret);
        again.check().await.unwrap();
        store.close().await;
        again.close().await;
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_can_read_the_file_with_the_keys() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_sqlite(SqliteOptions::new(folder.path().join("carillon.db"))).await.unwrap();
        somebody(&store, 1, "ada").await;
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        }
        store.close().await;
    }

    #[tokio::test]
    async fn a_full_disk_refuses_what_is_new_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("carillon.db");
        let store =
            Store::open_sqlite(SqliteOptions { path: path.clone(), max_pages: Some(80) }).await.unwrap();
        let (ada, _) = somebody(&store, 1, "ada").await;
        let mut made = 1;
        let refused = loop {
            match store.sign_up(&sign_up(made + 1, &format!("somebody{made}")), NOW).await {
                Ok(outcome) => assert_eq!(outcome, SignedUp::Done),
                Err(error) => break error,
            }
            made += 1;
        };
        assert!(matches!(refused, StoreError::Full), "{refused:?}");
        let big = vec![7; 64 * 1024];
        let picture = store.set_picture(ada, Some((&bytes32(1), &big))).await;
        assert!(matches!(picture, Err(StoreError::Full)), "{picture:?}");
        assert_eq!(store.count_accounts().await.unwrap(), u64::from(made), "all or nothing of each sign-up");
        assert!(store.account(ada).await.unwrap().is_some());
        assert_eq!(store.account(ada).await.unwrap().unwrap().profile.picture, None);
        store.sign_out(&bytes32(1)).await.unwrap();
        assert!(
            store.token_owner(&bytes32(1), NOW).await.unwrap().is_none(),
            "what needs no room still works"
        );
        store.close().await;

        let roomier = Store::open_sqlite(SqliteOptions::new(path)).await.unwrap();
        assert_eq!(roomier.count_accounts().await.unwrap(), u64::from(made));
        let again = sign_up(made + 1, &format!("somebody{made}"));
        assert_eq!(roomier.sign_up(&again, NOW).await.unwrap(), SignedUp::Done);
        roomier.close().await;
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_an_error_not_a_fresh_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("carillon.db");
        std::fs::write(&path, "hello, this is a text that somebody left here".repeat(100)).unwrap();
        assert!(Store::open_sqlite(SqliteOptions::new(&path)).await.is_err());
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("hello"));
    }

    #[tokio::test]
    async fn a_second_process_waits_for_the_first_to_finish_writing() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(folder.path().join("carillon.db"));
        let server = Store::open_sqlite(options.clone()).await.unwrap();
        let operator = Store::open_sqlite(options).await.unwrap();
        let accounts: Vec<_> =
            (1..=40).map(|number| sign_up(number, &format!("person{}", number + 100))).collect();
        let (ours, theirs) = accounts.split_at(20);
        let write = async |store: &Store, entries: &[carillon_server::store::SignUpEntry]| {
            for entry in entries {
                assert_eq!(store.sign_up(entry, NOW).await.unwrap(), SignedUp::Done);
            }
        };
        tokio::join!(write(&server, ours), write(&operator, theirs));
        assert_eq!(server.count_accounts().await.unwrap(), 40);
        server.close().await;
        operator.close().await;
    }
}
