//! A call whose media path is not with whom it should be ends before anything is heard.

#[cfg(test)]
mod scene {
    use std::sync::Arc;

    use carillon_client::peer::{ManualPeers, SignalingPeers, Transport};
    use carillon_client::{
        CallState, Client, ClientConfig, ClientEvent, Events, NewAccount, Phase, SoundSetup, Why,
    };
    use carillon_server::{Config, Server};
    use carillon_wire::Handle;
    use carillon_wire::frame::Media;
    use tokio::time::{Duration, timeout};

    async fn person(name: &str, url: &str, home: &std::path::Path, peers: Option<ManualPeers>) -> Client {
        let mut config = ClientConfig::new(home.join(name)).server(url);
        config.insecure_secrets = true;
        config.sound = SoundSetup::Off;
        config.peers = match peers {
            Some(peers) => Arc::new(peers),
            None => Arc::new(SignalingPeers),
        };
        let client = Client::open(config).await.unwrap();
        client.sign_up(NewAccount { handle: name.to_owned(), ..NewAccount::default() }).await.unwrap();
        client.connect_within(Duration::from_secs(30)).await.unwrap();
        client
    }

    async fn until(events: &mut Events, phase: Phase) -> CallState {
        let reached = async {
            loop {
                match events.next().await {
                    Some(ClientEvent::Call(call)) if call.phase == phase => return call,
                    Some(_) => {}
                    None => panic!("the client ended"),
                }
            }
        };
        timeout(Duration::from_secs(30), reached).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn another_certificate_than_the_sealed_one_ends_the_call_for_both() {
        let home = tempfile::tempdir().unwrap();
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            data_dir: home.path().join("server"),
            ..Config::default()
        };
        let server = Server::start(config).await.unwrap();
        let peers = ManualPeers::default();
        let ada = person("ada", server.url(), home.path(), Some(peers.clone())).await;
        let bob = person("bob", server.url(), home.path(), None).await;
        bob.follow(Handle::parse("ada").unwrap()).await.unwrap();
        let (mut hers, mut his) = (ada.events(), bob.events());

        let call = ada.dial(Handle::parse("bob").unwrap(), Media::Audio).await.unwrap();
        until(&mut his, Phase::Incoming).await;
        bob.accept(call, false).await.unwrap();
        until(&mut hers, Phase::Connecting).await;
        let path = peers.events(call).unwrap();
        path.send(Transport::IceUp);
        path.send(Transport::DtlsUp { fingerprint: [0xee; 32].into() });

        let end = until(&mut hers, Phase::Ended).await.end.unwrap();
        assert_eq!(end.why, Why::Security);
        let end = until(&mut his, Phase::Ended).await.end.unwrap();
        assert_eq!(end.why, Why::Security);
        assert_eq!(ada.recent(1).await.unwrap()[0].talked, None);
    }
}
