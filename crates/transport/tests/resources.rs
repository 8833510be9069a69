//! What a closed connection leaves behind: nothing. Alone in its process, so that it can count.

#![cfg(target_os = "linux")]

#[path = "transport/support/mod.rs"]
#[cfg(test)]
#[expect(dead_code, reason = "this test needs a part of it")]
mod support;

#[cfg(test)]
mod resources {
    use std::fs;

    use crate::support::{End, Pair, config, eventually};
    use carillon_call::{PeerCommand, Role};

    /// Open sockets, and threads, of this process.
    fn held() -> (usize, usize) {
        let links = fs::read_dir("/proc/self/fd").unwrap();
        let links = links.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        let sockets = links.filter(|link| link.to_string_lossy().starts_with("socket:")).count();
        (sockets, fs::read_dir("/proc/self/task").unwrap().count())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn fifty_connections_leave_no_socket_no_task_and_no_thread() {
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        Pair::direct().close().await;
        eventually("the first two are gone", || tasks() == 0).await;
        let before = held();
        for round in 0..25 {
            let mut pair = Pair::direct();
            match round % 5 {
                // Not even the offer is there yet.
                0 => {}
                1 => {
                    pair.until(|seen| !seen.is_empty()).await;
                }
                // One end breaks.
                2 => {
                    pair.connect().await;
                    pair.peer(crate::support::Side::Caller).handle(PeerCommand::ApplyRemote {
                        generation: 0,
                        kind: carillon_wire::payload::SdpKind::Answer,
                        description: carillon_wire::payload::Description {
                            sdp: "no description".to_owned(),
                            fingerprint: [1; 32].into(),
                        },
                    });
                }
                _ => pair.connect().await,
            }
            if round % 2 == 0 { pair.close().await } else { drop(pair) }
        }
        // One that is dropped before its task has run for the first time.
        drop(End::open(config(Role::Caller)));
        eventually("sockets, threads and tasks are as before", || held() == before && tasks() == 0).await;
    }
}
