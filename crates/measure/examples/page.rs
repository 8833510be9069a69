//! A page of made-up numbers, to look at: `cargo run -p carillon-measure --example page -- en > page.html`

#![expect(clippy::print_stdout, reason = "what it is for")]

use carillon_measure::Series;
use carillon_measure::report::{Fact, Goal, Lang, Plot, Report, Step, Verdict, html};

fn main() {
    let lang = if std::env::args().nth(1).as_deref() == Some("fr") { Lang::Fr } else { Lang::En };
    let say = |en: &str, fr: &str| if lang == Lang::Fr { fr.to_owned() } else { en.to_owned() };
    let report = Report {
        lang,
        title: say("A call through a bad line", "Un appel sur une mauvaise ligne"),
        subtitle: say("carillon loopback, 60 seconds, seed 7", "carillon loopback, 60 secondes, graine 7"),
        machine: vec![
            Fact::new(say("Processor", "Processeur"), "Intel Xeon 2.9 GHz, 2 cores"),
            Fact::new(say("System", "Système"), "Debian 12, Linux 6.1"),
            Fact::new("Carillon", "0.1.0"),
        ],
        settings: vec![
            Fact::new(say("Loss", "Pertes"), "10 %, bursts of 4"),
            Fact::new(say("Delay", "Délai"), "40 ms ± 20 ms"),
            Fact::new(say("Rate", "Débit"), "500 kbit/s, queue 200 ms"),
            Fact::new(say("Measure of quality", "Mesure de qualité"), "ITU-T P.862.2"),
        ],
        verdicts: vec![
            Verdict::new(say("Accept to DTLS up", "Accepter → DTLS établi"), Some(61.3), "ms")
                .with_goal(Goal::AtMost(100.0)),
            Verdict::new(say("Accept to first sound", "Accepter → premier son"), Some(148.0), "ms")
                .with_goal(Goal::AtMost(200.0)),
            Verdict::new(say("Mouth to ear, median", "Bouche à oreille, médiane"), Some(52.4), "ms")
                .with_goal(Goal::AtMost(60.0)),
            Verdict::new(say("Mouth to ear, 95 %", "Bouche à oreille, 95 %"), Some(81.0), "ms")
                .with_goal(Goal::AtMost(75.0)),
            Verdict::new(say("Speech quality", "Qualité de la parole"), Some(2.63), "MOS")
                .with_goal(Goal::AtLeast(2.38)),
            Verdict::new(say("Concealed", "Masqué"), Some(4.1), "%"),
            Verdict::new(say("Memory of one end", "Mémoire d’un côté"), None, "MB")
                .with_goal(Goal::AtMost(60.0)),
        ],
        steps: [
            ("Server", "Serveur", 41.0),
            ("Sign-up", "Inscription", 96.0),
            ("Ring", "Sonnerie", 12.0),
            ("Connected", "Connecté", 61.3),
            ("First sound", "Premier son", 87.0),
        ]
        .map(|(en, fr, millis)| Step { name: say(en, fr), millis })
        .to_vec(),
        plots: plots(&say),
        remarks: vec![say(
            "Both ends, the server and the line ran in one process on this machine.",
            "Les deux côtés, le serveur et la ligne tournaient dans un seul processus.",
        )],
    };
    println!("{}", html(&report));
}

fn plots(say: &dyn Fn(&str, &str) -> String) -> Vec<Plot> {
    let wave = |name: &str, base: f64, swing: f64, every: f64, gap: bool| {
        let mut series = Series::new(name);
        for index in 0..(60.0 / every) as u32 {
            let time = f64::from(index) * every;
            let noise = (time * 12.9898).sin() * 43_758.545;
            let value = base + swing * ((time / 6.0).sin() + 0.6 * (noise - noise.floor() - 0.5));
            if gap && (20.0..23.0).contains(&time) { series.gap(time) } else { series.push(time, value) }
        }
        series
    };
    let mut delay = Plot::new(
        say("Mouth to ear", "De la bouche à l’oreille"),
        "ms",
        vec![wave("Ada → Bob", 50.0, 6.0, 0.5, true), wave("Bob → Ada", 55.0, 9.0, 0.5, false)],
    );
    delay.goal = Some(Goal::AtMost(60.0));
    delay.marks = vec![(20.0, say("cut", "coupé")), (23.0, say("mended", "rétabli"))];
    let rate = Plot::new(
        say("Bits on the line", "Bits sur la ligne"),
        "kbit/s",
        vec![wave(&say("carried", "transportés"), 34.0, 7.0, 0.1, false)],
    );
    let loss = Plot::new(
        say("Lost and concealed", "Perdu et masqué"),
        "%",
        vec![
            wave(&say("lost", "perdu"), 10.0, 3.0, 1.0, false),
            wave(&say("repaired", "réparé"), 6.0, 2.0, 1.0, false),
            wave(&say("concealed", "masqué"), 4.0, 2.0, 1.0, false),
        ],
    );
    vec![delay, rate, loss]
}
