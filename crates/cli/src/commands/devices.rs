//! `carillon devices`: what this machine has for sound and pictures, and whether it works.

use std::time::Duration;

use carillon_client::{Client, SoundDeviceInfo, SoundDirection, SoundTest};
use serde::Serialize;

use super::cameras::{self, Trial};
use crate::args::Sound;
use crate::exit::Exit;
use crate::output::{Failure, Output};

/// How long a test lasts.
const TEST: Duration = Duration::from_secs(6);
/// How often the level is shown.
const SHOW: Duration = Duration::from_millis(100);
/// Characters of a full bar, and the level at which it is empty, in dB below full scale.
const BAR: usize = 40;
const EMPTY_DBFS: f64 = -60.0;

#[derive(Serialize)]
struct Level {
    microphone_dbfs: f64,
}

/// Lists the devices of this machine, or tries them. A machine without sound or cameras is no failure of the list.
pub(crate) async fn of_machine(
    output: Output,
    test: bool,
    camera: Option<&str>,
    how: &Sound,
) -> Result<(), Failure> {
    if test {
        return try_them(output, camera, how).await;
    }
    match Client::sound_devices().await {
        Ok(devices) => {
            for device in &devices {
                output.object(device);
            }
            output.say(&output.lang.microphones());
            output.say(&list(&devices, SoundDirection::Microphone, output));
            output.say(&output.lang.speakers());
            output.say(&list(&devices, SoundDirection::Speaker, output));
        }
        Err(error) => output.remark(&output.lang.error(&error)),
    }
    cameras::list(output).await;
    Ok(())
}

fn list(devices: &[SoundDeviceInfo], direction: SoundDirection, output: Output) -> String {
    let lines: Vec<_> = devices
        .iter()
        .filter(|device| device.direction == direction)
        .map(|device| format!("  {}", line(device, output)))
        .collect();
    if lines.is_empty() { format!("  {}", output.lang.none_of_these()) } else { lines.join("\n") }
}

fn line(device: &SoundDeviceInfo, output: Output) -> String {
    let mut notes = Vec::new();
    if device.is_default {
        notes.push(output.lang.is_default());
    }
    if device.headset {
        notes.push(output.lang.is_headset());
    }
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    format!("{}{notes}\n    {}", device.name, device.id)
}

/// Plays the test tone, shows how loud the microphone is, and what the camera gives.
async fn try_them(output: Output, camera: Option<&str>, how: &Sound) -> Result<(), Failure> {
    let camera = Trial::start(output, camera)?;
    let sound = try_sound(output, how, &camera).await;
    // Said also where sound does not work.
    let pictures = camera.finish(output);
    sound.and(pictures)
}

async fn try_sound(output: Output, how: &Sound, camera: &Trial) -> Result<(), Failure> {
    let test = SoundTest::start(how.change()).await;
    if test.is_ok() {
        output.say(&output.lang.speak_now());
    }
    let end = tokio::time::Instant::now() + TEST;
    let mut ticks = tokio::time::interval(SHOW);
    while tokio::time::Instant::now() < end {
        ticks.tick().await;
        camera.look();
        if let Ok(test) = &test {
            let microphone_dbfs = test.microphone_dbfs();
            output.show(&Level { microphone_dbfs }, || bar(microphone_dbfs));
        }
    }
    let problems = test.map_err(|error| output.failed(&error))?.finish().await;
    if problems.is_empty() {
        return Ok(());
    }
    for problem in problems {
        output.wrong("sound", &problem, None);
    }
    Err(Failure(Exit::Failed))
}

fn bar(dbfs: f64) -> String {
    let full = ((1.0 - dbfs / EMPTY_DBFS).clamp(0.0, 1.0) * BAR as f64).round() as usize;
    format!("{}{} {dbfs:6.1} dB", "#".repeat(full), "-".repeat(BAR - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_empty_in_silence_and_full_at_full_scale() {
        assert_eq!(bar(-96.0), format!("{}  -96.0 dB", "-".repeat(40)));
        assert_eq!(bar(0.0), format!("{}    0.0 dB", "#".repeat(40)));
        assert_eq!(bar(-30.0).matches('#').count(), 20);
    }
}
