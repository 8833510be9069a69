//! The scene that our cameras film, as a file for the cameras of others.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Result;
use carillon_devices::camera::bar_code::Mark;
use carillon_devices::camera::{Pattern, Wanted};
use carillon_media::picture::Picture;

/// Writes so many pictures as Y4M (yuv4mpeg(5)). Their bar codes count from 0 and tell no time: a file is played again
/// and again.
///
/// # Errors
/// When the file can't be written, or the size is none.
pub fn write(file: &Path, wanted: Wanted, pictures: u32) -> Result<()> {
    let Wanted { width, height, frame_rate } = wanted;
    let pattern = Pattern::new(width, height)?;
    let mut picture = Picture::black(width, height)?;
    let mut out = BufWriter::new(File::create(file)?);
    writeln!(out, "YUV4MPEG2 W{width} H{height} F{frame_rate}:1 Ip A1:1 C420jpeg")?;
    for number in 0..pictures {
        pattern.draw(&mut picture, Mark { number, micros: 0 }, frame_rate);
        writeln!(out, "FRAME")?;
        out.write_all(picture.data())?;
    }
    out.flush()?;
    Ok(())
}
