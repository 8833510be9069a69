//! Two Chromium in a call with each other, beside two of our clients: the same clip, the same machine, in turns.
//!
//! Chromium has no window and no graphics card here, but draws what it shows; our clients hand pictures over without a
//! window. What a picture's age is read by (a canvas at both ends) runs after processor and memory were measured.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use carillon_client::{CHIRP_EVERY, chirp};
use carillon_devices::camera::{Wanted, epoch_micros};
use carillon_measure::percentile;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::bench::{Better, Row};
use crate::browser::{Browser, Capture, State, Told};
use crate::film;
use crate::person::PATIENCE;
use crate::processes::{memory_of, processor_of};
use crate::video::{self, FIRST, HEIGHT, KILOBITS, MEDIAN, MEMORY, P95, PROCESSOR, SETTLING, SHOWN, SPAN};

/// What both cameras film.
const FILMED: Wanted = Wanted { width: 1280, height: 720, frame_rate: 30 };
/// Pictures until the film begins again: an age beyond 5 s would be taken for a small one.
const PICTURES: u32 = 150;
/// What Chromium may spend on pictures, in bit/s; it takes no more than this for this size by itself.
const BITRATE: u32 = 2_500_000;
/// How long ages are read.
const READING: Duration = Duration::from_secs(8);
/// So often both are measured.
const TURNS: usize = 2;

/// Measures both, in turns. Each value of ours is followed by Chromium's, and where less is better by how many times
/// ours it is.
///
/// # Errors
/// When a call does not come about.
pub async fn chromium() -> Result<Vec<Row>> {
    let clip = Clip::write()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.push(video::measure("open").await?);
        theirs.push(pair(&clip).await?);
    }
    Ok(compared(&mean(&ours), &mean(&theirs)))
}

/// The film and the voice, as files.
#[derive(Debug)]
struct Clip(PathBuf);

impl Clip {
    fn write() -> Result<Self> {
        let random: u64 = rand::random();
        let folder = std::env::temp_dir().join(format!("carillon-clip-{}-{random:x}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let clip = Self(folder);
        film::write(&clip.film(), FILMED, PICTURES)?;
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 48_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut voice = hound::WavWriter::create(clip.voice(), spec)?;
        let silence = (CHIRP_EVERY.as_secs_f64() * 48_000.0) as usize - chirp().len();
        for sample in chirp().into_iter().chain(std::iter::repeat_n(0.0, silence)) {
            voice.write_sample((sample * f32::from(i16::MAX)) as i16)?;
        }
        voice.finalize()?;
        Ok(clip)
    }

    fn film(&self) -> PathBuf {
        self.0.join("scene.y4m")
    }

    fn voice(&self) -> PathBuf {
        self.0.join("chirps.wav")
    }
}

impl Drop for Clip {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a page read off one picture.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Look {
    /// None where the bar code can't be read.
    number: Option<u32>,
    /// When it went to the screen, in ms since 1970.
    at: f64,
    /// When it was taken, where the browser tells: at the camera.
    captured: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Looks {
    shown: Vec<Look>,
    taken: Vec<Look>,
}

/// How old the pictures were that one page showed of the other's camera, in milliseconds. Numbers come again and again:
/// a picture is the one that was taken last before.
fn ages(taken: &[Look], shown: &[Look]) -> Vec<f64> {
    let moment = |look: &Look| look.captured.unwrap_or(look.at);
    let age = |look: &Look| {
        let number = look.number?;
        let same = taken.iter().filter(|taken| taken.number == Some(number)).map(moment);
        same.filter(|taken| *taken <= look.at).map(|taken| look.at - taken).reduce(f64::min)
    };
    // One whose taking was not seen would be as old as the film is long.
    let length = f64::from(PICTURES) / f64::from(FILMED.frame_rate) * 1e3;
    shown.iter().filter_map(age).filter(|age| *age < length / 2.0).collect()
}

/// A call of two browsers.
async fn pair(clip: &Clip) -> Result<Vec<Row>> {
    let capture = Capture { film: Some(clip.film()), voice: Some(clip.voice()) };
    let mut caller = Browser::start(&capture).await?;
    let mut callee = Browser::start(&capture).await?;
    let rows = call(&mut caller, &mut callee).await;
    let rows = rows.with_context(|| format!("{}\n{}", caller.log(), callee.log()))?;
    caller.close().await?;
    callee.close().await?;
    Ok(rows)
}

async fn call(caller: &mut Browser, callee: &mut Browser) -> Result<Vec<Row>> {
    let Wanted { width, height, .. } = FILMED;
    let settings = json!({ "width": width, "height": height, "codec": "H264", "bitrate": BITRATE });
    let offer = caller.offer(&settings).await?;
    let accepted = epoch_micros(Instant::now()) as f64 / 1e3;
    let answer = callee.answer(&offer, &settings).await?;
    caller.answered(&answer).await?;
    let first = timeout(PATIENCE, first_pictures(caller, callee)).await.context("no pictures came")??;
    sleep(SETTLING).await;

    let processes = [&*caller, &*callee].map(|browser| browser.process().context("a browser is gone"));
    let [one, other] = processes;
    let (one, other) = (one?, other?);
    let spent = || Ok::<_, anyhow::Error>(processor_of(one)? + processor_of(other)?);
    let (from, before, state) = (Instant::now(), spent()?, callee.state().await?);
    sleep(SPAN).await;
    let (seconds, spent) = (from.elapsed().as_secs_f64(), spent()? - before);
    let held = memory_of(one)? + memory_of(other)?;
    let State { frames_decoded, bytes_received, height, .. } = callee.state().await?;

    for page in [&*caller, &*callee] {
        page.ask::<Value>("watchCamera", &[]).await?;
        page.ask::<Value>("watch", &[]).await?;
    }
    sleep(READING).await;
    let there: Looks = caller.ask("sights", &[]).await?;
    let here: Looks = callee.ask("sights", &[]).await?;
    let ways = [ages(&there.taken, &here.shown), ages(&here.taken, &there.shown)];
    let read = |looks: &[Look]| looks.iter().filter(|look| look.number.is_some()).count();
    ensure!(
        ways.iter().all(|ages| ages.len() > 60),
        "hardly a picture's age could be read: {:?} of {:?} shown, {:?} of {:?} taken",
        [&there, &here].map(|looks| read(&looks.shown)),
        [&there, &here].map(|looks| looks.shown.len()),
        [&there, &here].map(|looks| read(&looks.taken)),
        [&there, &here].map(|looks| looks.taken.len()),
    );
    let worse = |p| ways.iter().filter_map(|ages| percentile(ages.iter().copied(), p)).fold(0.0, f64::max);

    let pictures = (frames_decoded - state.frames_decoded) as f64;
    let bits = (bytes_received - state.bytes_received) as f64 * 8.0;
    Ok(vec![
        Row::plain(MEDIAN, worse(50.0), "ms"),
        Row::plain(P95, worse(95.0), "ms"),
        Row::plain(HEIGHT, height.into(), "").is_better_higher(),
        Row::plain(KILOBITS, bits / seconds / 1e3, "kbit/s"),
        Row::plain(SHOWN, 100.0 * pictures / seconds / f64::from(FILMED.frame_rate), "%").is_better_higher(),
        Row::plain(PROCESSOR, spent / seconds, "cores"),
        Row::plain(MEMORY, held / 1e6, "MB"),
        Row::plain(FIRST, first - accepted, "ms"),
    ])
}

/// Passes candidates on until both show a picture; when the later one did, in ms since 1970.
async fn first_pictures(caller: &mut Browser, callee: &mut Browser) -> Result<f64> {
    let mut first = [None; 2];
    while first.contains(&None) {
        let (who, told) = tokio::select! {
            told = caller.told() => (0, told?),
            told = callee.told() => (1, told?),
        };
        match (told, who) {
            (Told::Candidate(line), 0) => callee.candidate(&line).await?,
            (Told::Candidate(line), _) => caller.candidate(&line).await?,
            (Told::First(at), 0) => first[0] = Some(at),
            (Told::First(at), _) => first[1] = Some(at),
        }
    }
    Ok(first.into_iter().flatten().fold(0.0, f64::max))
}

/// The mean of each row over the turns.
fn mean(turns: &[Vec<Row>]) -> Vec<Row> {
    let Some(rows) = turns.first() else { return Vec::new() };
    let of = |row: &Row| {
        let values: Vec<_> = turns.iter().flatten().filter(|other| other.name == row.name).collect();
        let values: Vec<f64> = values.into_iter().filter_map(|row| row.value).collect();
        let value = values.iter().sum::<f64>() / values.len().max(1) as f64;
        match (row.goal, row.better) {
            (Some(goal), Better::Lower) => Row::lower(row.name.clone(), value, row.unit, goal),
            (Some(goal), Better::Higher) => Row::higher(row.name.clone(), value, row.unit, goal),
            (None, better) => Row { better, ..Row::plain(row.name.clone(), value, row.unit) },
        }
    };
    rows.iter().map(of).collect()
}

/// Ours, each with what it is of Chromium.
fn compared(ours: &[Row], theirs: &[Row]) -> Vec<Row> {
    let mut rows = Vec::new();
    for our in ours {
        rows.push(our.clone());
        let Some(their) = theirs.iter().find(|their| their.name == our.name) else { continue };
        rows.push(Row { name: format!("– two Chromium: {}", their.name), ..their.clone() });
        if let (Better::Lower, Some(our), Some(their)) = (our.better, our.value, their.value)
            && our > 0.0
        {
            rows.push(Row::plain("– of ours", their / our, "times").is_better_higher());
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(number: u32, at: f64) -> Look {
        Look { number: Some(number), at, captured: None }
    }

    #[test]
    fn a_pictures_age_counts_from_when_it_was_taken_last() {
        let taken = [look(7, 1_000.0), look(8, 1_033.0), look(7, 6_000.0)];
        let unread = Look { number: None, ..look(0, 6_050.0) };
        let shown = [look(7, 1_060.0), look(8, 1_099.0), unread, look(7, 6_040.0), look(9, 6_100.0)];
        assert_eq!(ages(&taken, &shown), [60.0, 66.0, 40.0]);
        // The film has gone round unseen.
        assert_eq!(ages(&taken, &[look(8, 6_080.0)]), [0.0; 0]);
        let told = [Look { captured: Some(990.0), ..look(7, 1_000.0) }];
        assert_eq!(ages(&told, &shown[..1]), [70.0]);
    }

    #[test]
    fn ours_are_followed_by_theirs_and_how_many_times_it_is() {
        let ours = |value| vec![Row::lower("x", value, "ms", 3.0), Row::plain("alone", 1.0, "")];
        let theirs = |value| vec![Row::plain("x", value, "ms")];
        let rows = compared(&mean(&[ours(1.0), ours(3.0)]), &mean(&[theirs(5.0), theirs(7.0)]));
        let values: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.value, row.met)).collect();
        let expected = [
            ("x", Some(2.0), Some(true)),
            ("– two Chromium: x", Some(6.0), None),
            ("– of ours", Some(3.0), None),
            ("alone", Some(1.0), None),
        ];
        assert_eq!(values, expected);
    }
}
