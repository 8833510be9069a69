//! The program as a script sees it: arguments in, lines and an exit code out.

use std::path::Path;
use std::process::{Command, Output, Stdio};

#[cfg(test)]
mod scene {
    use std::fs;
    use std::io::Write as _;

    use carillon_server::{Config, RunningServer, Server};

    use super::*;

    /// A server, and a directory for profiles.
    struct Scene {
        server: RunningServer,
        home: tempfile::TempDir,
    }

    impl Scene {
        async fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            let config = Config {
                listen: ([127, 0, 0, 1], 0).into(),
                data_dir: home.path().join("server"),
                ..Config::default()
            };
            Self { server: Server::start(config).await.unwrap(), home }
        }

        async fn run(&self, profile: &str, arguments: &[&str]) -> Output {
            carillon(&self.home.path().join(profile), self.server.url(), arguments).await
        }

        async fn recover(&self, profile: &str, phrase: &str) -> Output {
            let path = self.home.path().join(profile);
            let mut command = command(&path, self.server.url(), &["recover", "--json"]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let phrase = phrase.to_owned();
            let run = move || {
                let mut child = command.spawn().unwrap();
                child.stdin.take().unwrap().write_all(phrase.as_bytes()).unwrap();
                child.wait_with_output().unwrap()
            };
            tokio::task::spawn_blocking(run).await.unwrap()
        }
    }

    fn command(profile: &Path, server: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carillon"));
        command.arg("--profile").arg(profile).args([
            "--server",
            server,
            "--insecure-secrets",
            "--lang",
            "en",
        ]);
        command.args(arguments);
        command
    }

    async fn carillon(profile: &Path, server: &str, arguments: &[&str]) -> Output {
        let mut command = command(profile, server, arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    fn lines(output: &Output) -> Vec<serde_json::Value> {
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn error(output: &Output) -> serde_json::Value {
        let text = String::from_utf8_lossy(&output.stderr);
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn loopback_plays_a_whole_call_and_says_that_all_was_well() {
        let home = tempfile::tempdir().unwrap();
        let output =
            carillon(home.path(), "http://127.0.0.1:1", &["loopback", "--json", "--seconds", "4"]).await;
        let lines = lines(&output);
        assert_eq!(output.status.code(), Some(0), "{lines:?}");
        assert_eq!(lines.last().unwrap()["loopback"], "ok");
        let steps: Vec<_> = lines.iter().filter_map(|line| line["step"].as_str()).collect();
        assert_eq!(steps, ["server", "sign_up", "online", "ring", "connected", "first_sound", "hang_up"]);
        let whole = |line: &serde_json::Value| line["loopback"].is_string() || line["verdicts"].is_array();
        assert!(lines.iter().all(|line| whole(line) || line["elapsed"].is_u64()));
        let report = lines.iter().find(|line| line["verdicts"].is_array()).unwrap();
        let delay =
            report["verdicts"].as_array().unwrap().iter().find(|row| row["name"] == "mouth to ear, median");
        assert!(delay.unwrap()["value"].is_number(), "chirps that bob said were heard by ada: {report}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_account_can_be_made_and_followed() {
        let scene = Scene::new().await;
        let ada = scene.run("ada", &["signup", "@Ada", "--name", "Ada L", "--json"]).await;
        assert_eq!(ada.status.code(), Some(0));
        let ada = lines(&ada).remove(0);
        assert_eq!((ada["handle"].as_str(), ada["name"].as_str()), (Some("ada"), Some("Ada L")));
        assert_eq!(ada["recovery_phrase"].as_str().unwrap().split(' ').count(), 24);

        let taken = scene.run("bob", &["signup", "@ada", "--json"]).await;
        assert_eq!(taken.status.code(), Some(1));
        assert_eq!(error(&taken)["error"], "handle_taken");
        assert_eq!(scene.run("bob", &["signup", "@bob"]).await.status.code(), Some(0));
        assert_eq!(scene.run("bob", &["follow", "@ada"]).await.status.code(), Some(0));
        let followers = lines(&scene.run("ada", &["followers", "--json"]).await);
        assert_eq!(followers[0]["handle"], "bob");
        assert_eq!(followers[0]["follows_me"], true);

        let again = scene.run("ada", &["signup", "@ada2", "--json"]).await;
        assert_eq!(error(&again)["error"], "has_account");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_phrase_on_standard_input_brings_an_account_to_another_machine() {
        let scene = Scene::new().await;
        let signed_up = lines(&scene.run("ada", &["signup", "@ada", "--json"]).await).remove(0);
        let phrase = signed_up["recovery_phrase"].as_str().unwrap().to_owned();
        let wrong = scene.recover("laptop", "not a phrase").await;
        assert_eq!((wrong.status.code(), error(&wrong)["error"].as_str()), (Some(2), Some("phrase_invalid")));

        let recovered = lines(&scene.recover("laptop", &phrase).await).remove(0);
        assert_eq!(recovered["account"], signed_up["account"]);
        assert_ne!(recovered["device"], signed_up["device"]);
        let devices = lines(&scene.run("laptop", &["devices", "--json"]).await);
        assert_eq!(devices.iter().filter(|line| line["device"].is_string()).count(), 2);

        let laptop = recovered["device"].as_str().unwrap();
        assert_eq!(scene.run("ada", &["devices", "revoke", laptop]).await.status.code(), Some(0));
        let revoked = scene.run("laptop", &["whoami", "--json"]).await;
        assert_eq!(
            (revoked.status.code(), error(&revoked)["error"].as_str()),
            (Some(3), Some("device_revoked"))
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_can_not_be_reached_is_unavailable() {
        let scene = Scene::new().await;
        for who in ["ada", "bob"] {
            assert_eq!(scene.run(who, &["signup", who]).await.status.code(), Some(0));
        }
        let call = scene.run("ada", &["call", "@bob", "--json"]).await;
        assert_eq!(call.status.code(), Some(5));
        let last = lines(&call).pop().unwrap();
        assert_eq!(last["phase"], "ended");
        assert_eq!(last["end"]["why"], "unavailable");
        let own = scene.run("ada", &["call", "@ada", "--json"]).await;
        assert_eq!((own.status.code(), error(&own)["error"].as_str()), (Some(2), Some("call_self")));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_an_account_the_next_step_is_named() {
        let scene = Scene::new().await;
        let output = scene.run("ada", &["whoami"]).await;
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&output.stderr).contains("carillon signup @yourname"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_that_is_not_there_is_offline_and_keeps_nothing_from_a_second_try() {
        let scene = Scene::new().await;
        let profile = scene.home.path().join("ada");
        let output = carillon(&profile, "http://127.0.0.1:1", &["signup", "@ada", "--json"]).await;
        assert_eq!((output.status.code(), error(&output)["error"].as_str()), (Some(4), Some("offline")));
        assert_eq!(scene.run("ada", &["signup", "@ada"]).await.status.code(), Some(0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_damaged_profile_is_said_and_left_as_it_is() {
        let scene = Scene::new().await;
        let profile = scene.home.path().join("ada");
        fs::create_dir(&profile).unwrap();
        fs::write(profile.join("profile.db"), "no database").unwrap();
        let output = scene.run("ada", &["whoami", "--json"]).await;
        assert_eq!(
            (output.status.code(), error(&output)["error"].as_str()),
            (Some(10), Some("profile_damaged"))
        );
        assert_eq!(fs::read(profile.join("profile.db")).unwrap(), b"no database");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn wrong_usage_is_told_apart_from_failure() {
        let home = tempfile::tempdir().unwrap();
        for arguments in [&["call"][..], &["call", "@a"], &["settings", "set", "everyone"], &["frob"]] {
            let output = carillon(home.path(), "http://127.0.0.1:1", arguments).await;
            assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        }
    }
}
