//! The program: how it starts, refuses to start, runs out of files, and ends.

#[cfg(unix)]
#[cfg(test)]
mod program {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::path::Path;
    use std::process::{Child, Command, Output, Stdio};
    use std::time::{Duration, Instant};

    const PROGRAM: &str = env!("CARGO_BIN_EXE_carillon-server");
    const LIMIT: Duration = Duration::from_secs(20);

    fn program(command: &mut Command, folder: &Path, address: SocketAddr) -> Command {
        let mut with_environment = std::mem::replace(command, Command::new(PROGRAM));
        with_environment
            .env("CARILLON_DATA_DIR", folder)
            .env("CARILLON_LISTEN", address.to_string())
            .env("CARILLON_LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        with_environment
    }

    fn free_address() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    fn run(arguments: &[&str], folder: &Path, extra: &[(&str, &str)]) -> Output {
        let mut command = program(&mut Command::new(PROGRAM), folder, free_address());
        command.args(arguments).envs(extra.iter().copied()).output().unwrap()
    }

    fn healthy(address: SocketAddr) -> bool {
        let Ok(mut stream) = TcpStream::connect(address) else { return false };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
        let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }

    fn wait_until_healthy(address: SocketAddr) {
        let started = Instant::now();
        while !healthy(address) {
            assert!(started.elapsed() < LIMIT, "the server did not answer");
            std::thread::yield_now();
        }
    }

    /// Ends the process, and answers with whether it ended well and with what it logged.
    fn terminate(child: Child) -> (bool, String) {
        signal("-TERM", child)
    }

    fn signal(name: &str, child: Child) -> (bool, String) {
        let killed = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let output = child.wait_with_output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    }

    #[test]
    fn it_runs_until_it_is_told_to_end() {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let child = program(&mut Command::new(PROGRAM), folder.path(), address).spawn().unwrap();
        wait_until_healthy(address);
        let (well, log) = terminate(child);
        assert!(well, "{log}");
        for line in log.lines() {
            let _: serde_json::Value = serde_json::from_str(line).unwrap();
        }
        assert!(log.contains("the server listens") && log.contains("the server shuts down"), "{log}");
    }

    #[test]
    fn what_it_can_not_start_with_is_said_in_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        for (extra, sentence) in [
            (("CARILLON_LISTEN", "0.0.0.0:0"), "public_url is missing"),
            (("CARILLON_LISTEM", "127.0.0.1:0"), "CARILLON_LISTEM"),
            (("CARILLON_TLS_KEY", "key.pem"), "tls_certificate and tls_key belong together"),
        ] {
            let output = run(&["serve"], folder.path(), &[extra]);
            assert!(!output.status.success());
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains(sentence), "{said}");
        }
    }

    #[test]
    fn the_operators_commands_work_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let child = program(&mut Command::new(PROGRAM), folder.path(), address).spawn().unwrap();
        wait_until_healthy(address);
        let output = run(&["admin", "accounts"], folder.path(), &[]);
        assert!(output.status.success(), "{output:?}");
        let output = run(&["admin", "verify", "@nobody"], folder.path(), &[]);
        assert!(!output.status.success());
        assert!(String::from_utf8(output.stderr).unwrap().contains("nobody has the handle"));
        assert!(terminate(child).0);
    }

    #[test]
    fn a_command_of_the_operators_where_no_server_ever_was_makes_no_database() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("typo");
        let output = run(&["admin", "accounts"], &data, &[]);
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("there is no database at") && said.contains("typo"), "{said}");
        assert!(!data.exists());
    }

    #[test]
    fn without_a_certificate_a_hang_up_ends_it_in_good_order() {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let child = program(&mut Command::new(PROGRAM), folder.path(), address).spawn().unwrap();
        wait_until_healthy(address);
        let (well, log) = signal("-HUP", child);
        assert!(well && log.contains("the server shuts down"), "{log}");
    }

    #[test]
    fn out_of_files_it_waits_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        // The shell lowers the limit for itself and becomes the server.
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -n 48 && exec \"$0\" serve", PROGRAM]);
        let child = program(&mut shell, folder.path(), address).spawn().unwrap();
        wait_until_healthy(address);
        let crowd: Vec<_> = (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
        drop(crowd);
        wait_until_healthy(address);
        let (well, log) = terminate(child);
        assert!(well && log.contains("connections can't be accepted for a moment"), "{log}");
    }
}
