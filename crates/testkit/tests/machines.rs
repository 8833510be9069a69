//! Machines that are namespaces do what tests rely on.

#[cfg(all(test, target_os = "linux"))]
mod machines {
    use std::process::Stdio;

    use carillon_testkit::machines::Machine;

    fn reaches(machine: &Machine, address: &str) -> bool {
        // By the table of routes and the neighbour's answer: `ping` may not be installed.
        let script = format!("exec 3<>/dev/tcp/{address}/9");
        let said = machine.command("bash").args(["-c", &script]).stdin(Stdio::null()).output();
        // Nobody listens, and whoever is there says so.
        said.is_ok_and(|said| String::from_utf8_lossy(&said.stderr).contains("refused"))
    }

    #[test]
    fn a_cable_joins_two_and_a_machine_alone_reaches_nobody() {
        let hub = match Machine::new() {
            Ok(hub) => hub,
            Err(problem) => return println!("LEFT OUT: {problem}"),
        };
        let end = hub.another().unwrap();
        hub.switch("hub").unwrap();
        hub.ip("addr add 10.77.0.1/24 dev hub").unwrap();
        assert!(!reaches(&end, "10.77.0.1"));
        hub.cable("hub", "port1", &end, "lan").unwrap();
        end.ip("addr add 10.77.0.2/24 dev lan").unwrap();
        assert!(reaches(&end, "10.77.0.1") && reaches(&hub, "10.77.0.2"));
        end.ip("addr del 10.77.0.2/24 dev lan").unwrap();
        assert!(!reaches(&end, "10.77.0.1"));
        assert!(hub.ip("link set nothing up").unwrap_err().contains("nothing"));
    }
}
