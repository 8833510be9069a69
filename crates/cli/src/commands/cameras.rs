//! The cameras in `carillon devices`.

use std::cell::Cell;
use std::time::Instant;

use carillon_client::camera::{self, Camera, CameraProblem, FrameSlot, Wanted};
use serde::Serialize;

use crate::exit::Exit;
use crate::output::{Failure, Output};

/// What calls ask a camera for.
const WANTED: Wanted = Wanted { width: 1280, height: 720, frame_rate: 30 };

#[derive(Serialize)]
struct Listed<'a> {
    camera: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Tried {
    camera: Option<String>,
    width: u32,
    height: u32,
    coding: Option<String>,
    pictures_per_second: f64,
    broken: u64,
}

/// Lists the cameras of this machine.
pub(super) async fn list(output: Output) {
    let listed = tokio::task::spawn_blocking(camera::cameras).await;
    let listed = match listed {
        Ok(Ok(listed)) => listed,
        Ok(Err(problem)) => return output.remark(&format!("{problem}.")),
        Err(_) => return,
    };
    output.say(&output.lang.cameras());
    for camera in &listed {
        output.show(&Listed { camera: camera.id.as_str(), name: &camera.name }, || {
            format!("  {}\n    {}", camera.name, camera.id)
        });
    }
    if listed.is_empty() {
        output.say(&format!("  {}", output.lang.none_of_these()));
    }
}

/// A camera that is being tried.
pub(super) struct Trial {
    camera: Camera,
    slot: FrameSlot,
    /// Whether it was asked for: a machine without a camera is none to complain of otherwise.
    is_named: bool,
    /// Size of the pictures, and when the first was seen, with their count then.
    seen: Cell<Option<(u32, u32, Instant, u64)>>,
}

impl Trial {
    /// Opens the camera of these words, or the default.
    pub(super) fn start(output: Output, words: Option<&str>) -> Result<Self, Failure> {
        let slot = FrameSlot::new();
        let opened =
            words.unwrap_or("default").parse().map_err(|error| format!("{error}")).and_then(|choice| {
                Camera::open(&choice, WANTED, slot.clone()).map_err(|error| error.to_string())
            });
        let camera = opened.map_err(|error| {
            output.wrong("camera", &format!("{error}."), None);
            Failure(Exit::Usage)
        })?;
        Ok(Self { camera, slot, is_named: words.is_some(), seen: Cell::new(None) })
    }

    /// Looks whether pictures come.
    pub(super) fn look(&self) {
        let Some(frame) = self.slot.take(std::time::Duration::ZERO) else { return };
        let (width, height) = (frame.picture.width(), frame.picture.height());
        let (_, _, since, count) =
            self.seen.get().unwrap_or((width, height, Instant::now(), self.camera.status().frames));
        self.seen.set(Some((width, height, since, count)));
    }

    /// Says what came.
    pub(super) fn finish(self, output: Output) -> Result<(), Failure> {
        let status = self.camera.status();
        let is_none = matches!(status.problem, None | Some(CameraProblem::NoCamera));
        let Some((width, height, since, count)) = self.seen.get() else {
            if is_none && !self.is_named {
                output.say(&output.lang.no_camera());
                return Ok(());
            }
            let problem = status.problem.unwrap_or(CameraProblem::Stopped);
            output.wrong("camera", &format!("{problem}."), None);
            return Err(Failure(Exit::Failed));
        };
        let rate = status.frames.saturating_sub(count) as f64 / since.elapsed().as_secs_f64().max(0.001);
        let coding = status.format.map(|format| format.coding.to_string());
        let tried = Tried {
            camera: status.device.map(|device| device.id.to_string()),
            width,
            height,
            coding: coding.clone(),
            pictures_per_second: rate,
            broken: status.broken,
        };
        output.show(&tried, || {
            let coding = coding.unwrap_or_else(|| output.lang.camera_drawn());
            output.lang.camera_gives(format!("{width} × {height}"), coding, format!("{rate:.1}"))
        });
        if status.broken > 0 {
            output.say(&output.lang.camera_broken(status.broken));
        }
        Ok(())
    }
}
