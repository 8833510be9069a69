//! The machine's cameras, through nokhwa. Everything here may block or, by faults of that crate, panic: call it from
//! a thread that can be given up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use carillon_media::picture::convert::{self, Jpeg};
use carillon_media::picture::{Picture, PicturePool, Rotation};
use nokhwa::Camera;
use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};

use super::format::{Coding, Format, choose};
use super::problem::CameraProblem;
use super::running::Pulse;
use super::{CameraDevice, CameraFrame, FrameSlot, Wanted};
use crate::device::DeviceId;
use crate::permission;
use crate::running::within;

/// The most that listing cameras may take.
const LISTING: Duration = Duration::from_secs(4);

/// What is taken off a camera, by system: macOS would hand YUYV's bytes out under other names too.
#[cfg(target_os = "macos")]
const TAKEN: &[FrameFormat] = &[FrameFormat::YUYV];
#[cfg(not(target_os = "macos"))]
const TAKEN: &[FrameFormat] = &[FrameFormat::YUYV, FrameFormat::NV12, FrameFormat::MJPEG];

/// A camera, with what nokhwa opens it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) device: CameraDevice,
    pub(super) index: CameraIndex,
}

/// The cameras of this machine. May take a moment: call it from a thread that may wait.
///
/// # Errors
/// [`CameraProblem`], where the system does not answer.
pub fn cameras() -> Result<Vec<CameraDevice>, CameraProblem> {
    Ok(list()?.into_iter().map(|found| found.device).collect())
}

/// Lists the cameras, on a thread that can be given up.
pub(super) fn list() -> Result<Vec<Found>, CameraProblem> {
    within("cameras", LISTING, || guarded(query))
        .map_err(|error| CameraProblem::System(error.to_string()))?
        .map_err(|_| CameraProblem::NoAnswer)?
}

/// Runs what may panic: the crate unwraps what drivers answer, and names of files in `/dev`.
fn guarded<T>(work: impl FnOnce() -> Result<T, CameraProblem>) -> Result<T, CameraProblem> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(CameraProblem::System("the camera's library gave up".to_owned())))
}

fn query() -> Result<Vec<Found>, CameraProblem> {
    let mut found: Vec<_> = nokhwa::query(ApiBackend::Auto)?
        .into_iter()
        .map(|info| {
            let index = info.index().clone();
            let id = stable_id(&index, &info.misc());
            Found { device: CameraDevice { id: DeviceId::new(id), name: info.human_name() }, index }
        })
        .collect();
    found.sort_by_key(|found| found.index.as_index().unwrap_or(u32::MAX));
    found.retain(|found| gives_pictures(&found.index));
    Ok(found)
}

/// The name that udev gives a camera by its maker and serial number; else that of its node.
#[cfg(target_os = "linux")]
fn stable_id(index: &CameraIndex, _misc: &str) -> String {
    let node = format!("video{index}");
    let links = std::fs::read_dir("/dev/v4l/by-id").into_iter().flatten().flatten();
    let is_it = |link: &std::fs::DirEntry| {
        std::fs::read_link(link.path()).is_ok_and(|to| to.file_name().is_some_and(|name| *name == *node))
    };
    let mut names: Vec<_> =
        links.filter(is_it).filter_map(|link| link.file_name().into_string().ok()).collect();
    names.sort();
    names.into_iter().next().unwrap_or(node)
}

/// macOS and Windows tell an id of their own.
#[cfg(not(target_os = "linux"))]
fn stable_id(index: &CameraIndex, misc: &str) -> String {
    if misc.is_empty() { index.to_string() } else { misc.to_owned() }
}

/// Whether a node is there for pictures: webcams have a second one for metadata, behind each one for pictures. The
/// driver would say it in its capabilities, but to ask for those the camera is opened, which wakes it up each second;
/// so by the order of the device's nodes, as sysfs tells it.
#[cfg(target_os = "linux")]
fn gives_pictures(index: &CameraIndex) -> bool {
    let order = std::fs::read_to_string(format!("/sys/class/video4linux/video{index}/index"));
    order.map_or(true, |order| order.trim().parse::<u32>().is_ok_and(|order| order.is_multiple_of(2)))
}

#[cfg(not(target_os = "linux"))]
fn gives_pictures(_: &CameraIndex) -> bool {
    true
}

const fn coding(format: FrameFormat) -> Option<Coding> {
    match format {
        FrameFormat::YUYV => Some(Coding::Yuyv),
        FrameFormat::NV12 => Some(Coding::Nv12),
        FrameFormat::MJPEG => Some(Coding::Mjpeg),
        _ => None,
    }
}

const fn frame_format(coding: Coding) -> FrameFormat {
    match coding {
        Coding::Yuyv => FrameFormat::YUYV,
        Coding::Nv12 => FrameFormat::NV12,
        Coding::Mjpeg => FrameFormat::MJPEG,
    }
}

/// Runs a camera on this thread until it is stopped or ends. Its pictures go into `slot`.
///
/// # Errors
/// Why it ended.
pub(super) fn run(
    index: &CameraIndex,
    wanted: Wanted,
    slot: &FrameSlot,
    pulse: &Pulse,
) -> Result<(), CameraProblem> {
    // The crate's camera is made, used and dropped within, on one thread; its drop may panic too.
    guarded(|| {
        permission::camera()?;
        let any = RequestedFormat::with_formats(RequestedFormatType::None, TAKEN);
        let mut camera = Camera::new(index.clone(), any)?;
        let format = agree(&mut camera, wanted)?;
        camera.open_stream()?;
        pulse.runs(format);
        deliver(&mut camera, format, slot, pulse)
    })
}

/// Asks for the format that serves best, and no other.
fn agree(camera: &mut Camera, wanted: Wanted) -> Result<Format, CameraProblem> {
    let offered = camera.compatible_camera_formats()?;
    let offered: Vec<_> = offered
        .iter()
        .filter(|offered| TAKEN.contains(&offered.format()))
        .filter_map(|offered| {
            let (width, height) = (offered.width(), offered.height());
            coding(offered.format()).map(|coding| Format {
                coding,
                width,
                height,
                frame_rate: offered.frame_rate(),
            })
        })
        .collect();
    let format = choose(&offered, wanted).ok_or(CameraProblem::Unsupported)?;
    let size = Resolution::new(format.width, format.height);
    let exact = CameraFormat::new(size, frame_format(format.coding), format.frame_rate);
    camera.set_camera_requset(RequestedFormat::with_formats(RequestedFormatType::Exact(exact), TAKEN))?;
    // Drivers take what is nearest, and say nothing.
    let given = camera.refresh_camera_format()?;
    let coding = coding(given.format()).ok_or(CameraProblem::Unsupported)?;
    Ok(Format { coding, width: given.width(), height: given.height(), frame_rate: given.frame_rate() })
}

fn deliver(
    camera: &mut Camera,
    format: Format,
    slot: &FrameSlot,
    pulse: &Pulse,
) -> Result<(), CameraProblem> {
    let mut pool = PicturePool::new();
    let mut jpeg = Jpeg::new();
    while !pulse.is_stopped() {
        let frame = camera.frame_raw()?;
        // A driver hands a picture over when its last line has come.
        let captured = Instant::now();
        let Format { coding, width, height, .. } = format;
        let mut painted = Ok(());
        let picture = pool.fill(|picture: &mut Picture| {
            painted = match coding {
                Coding::Yuyv => convert::yuyv(&frame, width, height, picture),
                Coding::Nv12 => convert::nv12(&frame, width, height, picture),
                Coding::Mjpeg => jpeg.decode(&frame, picture),
            };
        });
        // Looked at again: it may have hung for long, and another camera has its place by now.
        if pulse.is_stopped() {
            break;
        }
        match painted {
            Ok(()) => {
                pulse.beat(captured);
                slot.put(CameraFrame { picture, captured, rotation: Rotation::None });
            }
            Err(_) => pulse.was_broken(),
        }
    }
    Ok(())
}
