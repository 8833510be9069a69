//! What the forwarder itself costs: its delay beside a direct way, its lateness at a delayed line, and processor time.
//!
//! `cargo run --release -p carillon-link --example own_delay`

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that a person runs and reads")]

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use carillon_link::{Change, DelayHistogram, End, Forwarder, Plan, Script, Settings};

const PACKETS: u32 = 2000;
const EVERY: Duration = Duration::from_micros(2500);

fn main() {
    println!(
        "{PACKETS} packets of 1000 bytes each way, {} a second; milliseconds",
        1.0 / EVERY.as_secs_f64()
    );
    run("no forwarder", None);
    run("perfect line", Some(""));
    run("delay 40", Some("delay=40"));
    run("delay 40 jitter 10", Some("delay=40 jitter=10"));
    run("rate 4M delay 20", Some("rate=4M delay=20"));
}

fn run(name: &str, settings: Option<&str>) {
    let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let forwarder = settings.map(|settings| Forwarder::start(plan(settings), 1).unwrap());
    let told = |end, socket: &UdpSocket| {
        let address = socket.local_addr().unwrap();
        let Some(forwarder) = &forwarder else { return address };
        let line = format!("candidate:1 1 udp 1 {} {} typ host", address.ip(), address.port());
        let line = forwarder.stand_in(end, &line).unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        SocketAddr::new(words[4].parse().unwrap(), words[5].parse().unwrap())
    };
    let (to_b, to_a) = (told(End::B, &b), told(End::A, &a));
    let before = processor_millis();
    let start = Instant::now();
    let travelled = thread::scope(|scope| {
        for (socket, to) in [(&a, to_b), (&b, to_a)] {
            scope.spawn(move || talk(socket, to, start));
        }
        [&a, &b].map(|socket| scope.spawn(move || listen(socket, start))).map(|thread| thread.join().unwrap())
    });
    let seconds = start.elapsed().as_secs_f64();
    let used = (processor_millis() - before) / seconds / 10.0;
    let mut all = DelayHistogram::default();
    travelled.iter().for_each(|one| all.merge(one));
    print!("{name:20} {} all threads {used:4.1} % of a core", row(&all));
    match &forwarder {
        Some(forwarder) => println!("   late: {}", row(&forwarder.statistics().lag)),
        None => println!(),
    }
}

fn plan(text: &str) -> Plan {
    let mut change = Change::default();
    for (name, value) in text.split(' ').filter_map(|word| word.split_once('=')) {
        change.set(name, value).unwrap();
    }
    let mut settings = Settings::default();
    change.apply(&mut settings);
    Plan::new(settings, Script::default()).unwrap()
}

fn talk(socket: &UdpSocket, to: SocketAddr, start: Instant) {
    let mut packet = [0; 1000];
    for number in 1..=PACKETS {
        thread::sleep((start + EVERY * number).saturating_duration_since(Instant::now()));
        let now = u64::try_from(start.elapsed().as_nanos()).unwrap();
        packet[..8].copy_from_slice(&now.to_be_bytes());
        socket.send_to(&packet, to).unwrap();
    }
}

fn listen(socket: &UdpSocket, start: Instant) -> DelayHistogram {
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut travelled = DelayHistogram::default();
    let mut packet = [0; 2000];
    for _ in 0..PACKETS {
        socket.recv_from(&mut packet).unwrap();
        let sent = u64::from_be_bytes(packet[..8].try_into().unwrap());
        travelled.add(start.elapsed().saturating_sub(Duration::from_nanos(sent)));
    }
    travelled
}

fn row(delays: &DelayHistogram) -> String {
    let millis = |delay: Option<Duration>| delay.map_or(f64::NAN, |delay| delay.as_secs_f64() * 1e3);
    format!(
        "mean {:6.3} p95 {:5.1} p99 {:5.1} worst {:5.1}",
        millis(delays.mean()),
        millis(delays.percentile(95.0)),
        millis(delays.percentile(99.0)),
        millis(delays.longest())
    )
}

/// Of this process, all threads; 0 where the system does not tell.
fn processor_millis() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) * 10.0
}
