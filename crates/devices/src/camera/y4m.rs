//! Y4M files (YUV4MPEG2, as mjpegtools' yuv4mpeg(5) describes it), played again and again. One picture makes a still.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use carillon_media::picture::{Picture, PictureError};

/// The longest line that a header may have.
const LINE: u64 = 1_024;

/// Why a file is none that can be played.
#[derive(Debug, thiserror::Error)]
pub enum Y4mError {
    /// It can't be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It does not begin with the word, or a line is too long.
    #[error("this is no Y4M file")]
    NotY4m,
    /// A size or a rate is missing or is none.
    #[error("its header has no usable {0}")]
    Header(&'static str),
    /// Its colours are not 4:2:0 with 8 bits, or its lines are interlaced.
    #[error("only progressive 4:2:0 with 8 bits is taken, not `{0}`")]
    Colours(String),
    /// Of a size that is none.
    #[error(transparent)]
    Size(#[from] PictureError),
    /// No whole picture is in it.
    #[error("no whole picture is in it")]
    Empty,
}

/// A file that is played.
#[derive(Debug)]
pub(super) struct Y4m<R> {
    source: BufReader<R>,
    width: u32,
    height: u32,
    /// Pictures in `.1` seconds.
    rate: (u32, u32),
    /// Where its first picture begins.
    begin: u64,
}

impl Y4m<File> {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Y4mError`].
    pub(super) fn open(file: &Path) -> Result<Self, Y4mError> {
        Self::new(File::open(file)?)
    }
}

/// A line without its end; `None` at the end of the file.
fn line(source: &mut impl BufRead) -> Result<Option<String>, Y4mError> {
    let mut bytes = Vec::new();
    source.take(LINE).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        return Err(Y4mError::NotY4m);
    }
    String::from_utf8(bytes).map(Some).map_err(|_| Y4mError::NotY4m)
}

impl<R: Read + Seek> Y4m<R> {
    fn new(source: R) -> Result<Self, Y4mError> {
        let mut source = BufReader::new(source);
        let header = line(&mut source)?.ok_or(Y4mError::NotY4m)?;
        let mut words = header.split(' ');
        if words.next() != Some("YUV4MPEG2") {
            return Err(Y4mError::NotY4m);
        }
        let (mut width, mut height, mut rate) = (None, None, None);
        for word in words.filter(|word| !word.is_empty()) {
            let (key, value) = word.split_at_checked(1).ok_or(Y4mError::NotY4m)?;
            match key {
                "W" => width = value.parse().ok(),
                "H" => height = value.parse().ok(),
                "F" => rate = ratio(value),
                "C" if !matches!(value, "420" | "420jpeg" | "420mpeg2" | "420paldv") => {
                    return Err(Y4mError::Colours(word.to_owned()));
                }
                "I" if !matches!(value, "p" | "?") => return Err(Y4mError::Colours(word.to_owned())),
                _ => {}
            }
        }
        let width = width.ok_or(Y4mError::Header("width"))?;
        let height = height.ok_or(Y4mError::Header("height"))?;
        let rate = rate.ok_or(Y4mError::Header("frame rate"))?;
        let mut picture = Picture::black(width, height)?;
        let begin = source.stream_position()?;
        let mut file = Self { source, width, height, rate, begin };
        // One that has no picture is no camera.
        file.draw(&mut picture)?;
        file.rewind()?;
        Ok(file)
    }

    /// Pictures in so many seconds.
    pub(super) const fn rate(&self) -> (u32, u32) {
        self.rate
    }

    fn rewind(&mut self) -> Result<(), Y4mError> {
        self.source.seek(SeekFrom::Start(self.begin))?;
        Ok(())
    }

    /// Paints the next picture; behind the last whole one, the first again.
    ///
    /// # Errors
    /// When the file can't be read, or was changed under us.
    pub(super) fn draw(&mut self, picture: &mut Picture) -> Result<(), Y4mError> {
        picture.resize(self.width, self.height)?;
        if self.next(picture)? {
            return Ok(());
        }
        self.rewind()?;
        if self.next(picture)? { Ok(()) } else { Err(Y4mError::Empty) }
    }

    fn next(&mut self, picture: &mut Picture) -> Result<bool, Y4mError> {
        match line(&mut self.source)? {
            None => return Ok(false),
            Some(head) if head == "FRAME" || head.starts_with("FRAME ") => {}
            Some(_) => return Err(Y4mError::NotY4m),
        }
        for plane in picture.planes_mut() {
            match self.source.read_exact(plane) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                read => read?,
            }
        }
        Ok(true)
    }
}

/// `30:1`; up to 240 a second, and one in a minute at the least.
fn ratio(words: &str) -> Option<(u32, u32)> {
    let (count, seconds) = words.split_once(':')?;
    let (count, seconds): (u32, u32) = (count.parse().ok()?, seconds.parse().ok()?);
    let fits = seconds > 0 && count > 0 && count / seconds <= 240 && seconds / count <= 60;
    fits.then_some((count, seconds))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn file(header: &str, pictures: &[u8]) -> Vec<u8> {
        let mut bytes = format!("YUV4MPEG2 {header}\n").into_bytes();
        for value in pictures {
            bytes.extend_from_slice(b"FRAME\n");
            bytes.extend([*value; 24]);
        }
        bytes
    }

    fn open(bytes: Vec<u8>) -> Result<Y4m<Cursor<Vec<u8>>>, Y4mError> {
        Y4m::new(Cursor::new(bytes))
    }

    #[test]
    fn its_pictures_come_again_and_again() {
        let mut y4m = open(file("W4 H4 F30000:1001 Ip A1:1 C420jpeg XSOMETHING", &[1, 2])).unwrap();
        assert_eq!(y4m.rate(), (30_000, 1_001));
        let mut picture = Picture::black(2, 2).unwrap();
        let shown: Vec<_> = (0..5)
            .map(|_| {
                y4m.draw(&mut picture).unwrap();
                picture.data()[0]
            })
            .collect();
        assert_eq!(shown, [1, 2, 1, 2, 1]);
    }

    #[test]
    fn a_last_picture_that_is_cut_off_is_left_out() {
        let mut bytes = file("W4 H4 F30:1", &[1, 2]);
        bytes.truncate(bytes.len() - 3);
        let mut y4m = open(bytes).unwrap();
        let mut picture = Picture::black(2, 2).unwrap();
        for _ in 0..3 {
            y4m.draw(&mut picture).unwrap();
            assert_eq!(picture.data()[0], 1);
        }
    }

    #[test]
    fn a_strange_header_is_refused() {
        let refused = |header: &str| open(file(header, &[1])).err().map(|error| error.to_string());
        for header in
            ["W4 F30:1", "H4 F30:1", "W4 H4", "W4 H4 F0:1", "W4 H4 F30:0", "W4 H4 F30", "W-4 H4 F30:1"]
        {
            assert!(refused(header).is_some_and(|why| why.contains("header")), "{header}");
        }
        assert!(refused("W4 H4 F30:1 C444").unwrap().contains("C444"));
        assert!(refused("W4 H4 F30:1 C420p10").is_some());
        assert!(refused("W4 H4 F30:1 It").is_some());
        assert!(refused("W5 H4 F30:1").is_some());
        assert!(refused("W90000 H90000 F30:1").is_some());
        assert!(matches!(open(b"RIFF....WAVE\n".to_vec()), Err(Y4mError::NotY4m)));
        assert!(matches!(open(vec![b'Y'; 5_000]), Err(Y4mError::NotY4m)));
        assert!(matches!(open(file("W4 H4 F30:1", &[])), Err(Y4mError::Empty)));
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), header in ".{0,40}") {
            let mut file = format!("YUV4MPEG2 {header}\n").into_bytes();
            file.extend_from_slice(&bytes);
            for bytes in [bytes, file] {
                if let Ok(mut y4m) = open(bytes) {
                    let _ = y4m.draw(&mut Picture::black(2, 2).unwrap());
                }
            }
        }
    }
}
