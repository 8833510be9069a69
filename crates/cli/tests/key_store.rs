//! Keys in a real Secret Service: gnome-keyring on a message bus of the test's own, with everything in a folder of its own.
#![cfg(target_os = "linux")]

#[cfg(test)]
mod key_store {
    use std::path::Path;
    use std::process::{Command, Output};

    use carillon_server::{Config, RunningServer, Server};

    /// Opens the login keyring with a password, and becomes `carillon`.
    const UNLOCKED: &str = "printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec \"$0\" \"$@\"";
    /// There is a bus, and nobody on it who keeps secrets.
    const NO_KEYRING: &str = "exec \"$0\" \"$@\"";

    fn is_there(program: &str) -> bool {
        Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
    }

    async fn server(home: &Path) -> RunningServer {
        Server::start(Config::local(home.join("server"))).await.unwrap()
    }

    /// Runs `carillon` in a session of its own, like a person who has logged in.
    async fn session(home: &Path, script: &str, server: &str, arguments: &[&str]) -> Output {
        let runtime = home.join("run");
        std::fs::create_dir_all(&runtime).unwrap();
        let mut command = Command::new("dbus-run-session");
        command
            .args(["--", "sh", "-c", script, env!("CARGO_BIN_EXE_carillon"), "--json", "--profile"])
            .arg(home.join("profile"))
            .args(["--server", server])
            .args(arguments)
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", &runtime)
            .env("XDG_DATA_HOME", home.join("data"))
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY");
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    fn line(output: &Output) -> serde_json::Value {
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_keys_of_an_account_are_kept_and_found_again_in_another_session() {
        if !(is_there("dbus-run-session") && is_there("gnome-keyring-daemon")) {
            println!("skipped: there is no dbus-run-session or no gnome-keyring-daemon");
            return;
        }
        let home = tempfile::tempdir().unwrap();
        let server = server(home.path()).await;
        let signed_up = line(&session(home.path(), UNLOCKED, server.url(), &["signup", "@ada"]).await);
        assert!(!home.path().join("profile/secrets.json").exists(), "no key is in a file of ours");
        let again = line(&session(home.path(), UNLOCKED, server.url(), &["whoami"]).await);
        assert_eq!(again["device"], signed_up["device"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_a_key_store_nothing_is_made_and_the_way_out_is_named() {
        if !is_there("dbus-run-session") {
            println!("skipped: there is no dbus-run-session");
            return;
        }
        let home = tempfile::tempdir().unwrap();
        let server = server(home.path()).await;
        let output = session(home.path(), NO_KEYRING, server.url(), &["signup", "@ada"]).await;
        assert_eq!(output.status.code(), Some(10));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("key_store") && said.contains("--insecure-secrets"), "{said}");
        let accounts = server.app().store.count_accounts().await.unwrap();
        assert_eq!(accounts, 0, "no account whose keys would be lost");
    }
}
