//! Which cameras there are and what they offer.

use std::fs;
use std::path::PathBuf;

/// One camera, read from `$FAKECAM_DIR/videoN`.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// `name=`, default "Fake camera N"
    pub(crate) name: String,
    /// `formats=`, fourccs, default "YUYV,MJPG"
    pub(crate) formats: Vec<[u8; 4]>,
    /// `sizes=`, default "640x480,1280x720"
    pub(crate) sizes: Vec<(u32, u32)>,
    /// `fps=`, default "30,15"
    pub(crate) fps: Vec<u32>,
    /// `busy=1`: as if another program were streaming from it
    pub(crate) busy: bool,
    /// `padded=1`: buffers rounded up to whole pages, as v4l2loopback's are
    pub(crate) padded: bool,
    /// `order=N`: which of its device's nodes it is, as sysfs tells it
    pub(crate) order: Option<u32>,
    /// `hang=N`: nothing comes after N pictures, and nothing is said
    pub(crate) hang: Option<u32>,
    /// `broken=N`: each Nth picture is cut off in its middle
    pub(crate) broken: Option<u32>,
}

fn dir() -> Option<PathBuf> {
    std::env::var_os("FAKECAM_DIR").map(PathBuf::from)
}

fn path(index: u32) -> Option<PathBuf> {
    Some(dir()?.join(format!("video{index}")))
}

pub(crate) fn plugged(index: u32) -> bool {
    path(index).is_some_and(|p| p.exists())
}

/// Indices of the cameras plugged in now.
pub(crate) fn indices() -> Vec<u32> {
    let entries = dir().and_then(|d| fs::read_dir(d).ok()).into_iter().flatten();
    let mut all: Vec<u32> =
        entries.filter_map(|e| e.ok()?.file_name().to_str()?.strip_prefix("video")?.parse().ok()).collect();
    all.sort_unstable();
    all
}

pub(crate) fn load(index: u32) -> Option<Config> {
    let text = fs::read_to_string(path(index)?).ok()?;
    let get = |key: &str| text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('=')).map(str::trim);
    let size = |s: &str| s.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    Some(Config {
        name: get("name").map_or(format!("Fake camera {index}"), str::to_owned),
        formats: get("formats")
            .unwrap_or("YUYV,MJPG")
            .split(',')
            .filter_map(|f| f.as_bytes().try_into().ok())
            .collect(),
        sizes: get("sizes").unwrap_or("640x480,1280x720").split(',').filter_map(size).collect(),
        fps: get("fps").unwrap_or("30,15").split(',').filter_map(|f| f.parse().ok()).collect(),
        busy: get("busy") == Some("1"),
        padded: get("padded") == Some("1"),
        order: get("order").and_then(|order| order.parse().ok()),
        hang: get("hang").and_then(|count| count.parse().ok()),
        broken: get("broken").and_then(|every| every.parse().ok()),
    })
}
