//! The driver's side: answers to ioctls, and the thread that "exposes" frames.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use carillon_media::picture::Picture;
use carillon_media::picture::bar_code::Mark;
use libc::{EAGAIN, EBUSY, EINVAL, ENODEV, ENOTTY, c_int, c_ulong, c_void};
use v4l2_sys_mit::*;

use crate::config::{self, Config};
use crate::{hooks, picture};

/// Sessions by the descriptor that the program holds, an eventfd that counts filled buffers: so
/// poll, select and epoll work on it as they are.
static SESSIONS: Mutex<BTreeMap<RawFd, Session>> = Mutex::new(BTreeMap::new());

struct Session {
    index: u32,
    cfg: Config,
    nonblocking: bool,
    fourcc: [u8; 4],
    size: (u32, u32),
    fps: u32,
    buffers: Option<Arc<Buffers>>,
    queued: VecDeque<u32>,
    filled: VecDeque<Filled>,
    /// counts STREAMONs, so that an old stream's thread knows that its time is over
    stream: u32,
    streaming: bool,
}

#[derive(Clone, Copy)]
struct Filled {
    index: u32,
    bytes: u32,
    sequence: u32,
    micros: u64,
}

/// Frame buffers in one memfd, mapped here to be written and by the program to be read.
struct Buffers {
    memfd: c_int,
    count: u32,
    /// of one buffer, in whole pages
    len: usize,
    base: *mut u8,
}

unsafe impl Send for Buffers {}
unsafe impl Sync for Buffers {}

impl Buffers {
    fn new(count: u32, bytes: usize) -> Buffers {
        let len = bytes.next_multiple_of(4096);
        let total = len * count as usize;
        unsafe {
            let memfd = libc::memfd_create(c"fakecam".as_ptr(), libc::MFD_CLOEXEC);
            assert_eq!(libc::ftruncate(memfd, total as i64), 0);
            let base = hooks::real_mmap(total, memfd);
            assert_ne!(base, libc::MAP_FAILED);
            Buffers { memfd, count, len, base: base.cast() }
        }
    }

    /// # Safety
    /// Only for a buffer that the program has queued.
    #[allow(clippy::mut_from_ref)]
    unsafe fn get(&self, index: u32) -> &mut [u8] {
        std::slice::from_raw_parts_mut(self.base.add(index as usize * self.len), self.len)
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        unsafe {
            libc::munmap(self.base.cast(), self.len * self.count as usize);
            hooks::real_close(self.memfd);
        }
    }
}

/// Opens camera `index`; an errno if there is none.
pub(crate) fn open(index: u32, flags: c_int) -> Result<RawFd, c_int> {
    let cfg = config::load(index).ok_or(libc::ENOENT)?;
    let fd = unsafe { libc::eventfd(0, libc::EFD_SEMAPHORE | libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    let session = Session {
        index,
        nonblocking: flags & libc::O_NONBLOCK != 0,
        fourcc: cfg.formats[0],
        size: cfg.sizes[0],
        fps: cfg.fps[0],
        cfg,
        buffers: None,
        queued: VecDeque::new(),
        filled: VecDeque::new(),
        stream: 0,
        streaming: false,
    };
    SESSIONS.lock().unwrap().insert(fd, session);
    Ok(fd)
}

pub(crate) fn is_camera(fd: RawFd) -> bool {
    SESSIONS.lock().unwrap().contains_key(&fd)
}

pub(crate) fn close(fd: RawFd) {
    let session = SESSIONS.lock().unwrap().remove(&fd);
    drop(session); // unmaps, outside the lock
}

/// The descriptor to map in the camera's place.
pub(crate) fn memory(fd: RawFd) -> Option<c_int> {
    SESSIONS.lock().unwrap().get(&fd)?.buffers.as_ref().map(|b| b.memfd)
}

/// # Safety
/// `arg` points to what `request` says.
pub(crate) unsafe fn ioctl(fd: RawFd, request: c_ulong, arg: *mut c_void) -> Result<(), c_int> {
    if request & 0xff == 17 {
        return dequeue(fd, &mut *arg.cast());
    }
    let mut sessions = SESSIONS.lock().unwrap();
    let s = &sessions[&fd];
    if !config::plugged(s.index) {
        return Err(ENODEV);
    }
    let other = sessions.iter().any(|(f, o)| *f != fd && o.index == s.index && o.buffers.is_some());
    let busy = s.cfg.busy || other;
    let s = sessions.get_mut(&fd).unwrap();
    match request & 0xff {
        0 => s.capability(&mut *arg.cast()),
        2 => s.enum_format(&mut *arg.cast()),
        4 => s.get_format(&mut *arg.cast()),
        5 if busy || s.buffers.is_some() => Err(EBUSY),
        5 => s.set_format(&mut *arg.cast(), true),
        64 => s.set_format(&mut *arg.cast(), false),
        8 if busy => Err(EBUSY),
        8 => s.request_buffers(&mut *arg.cast()),
        9 => s.query_buffer(&mut *arg.cast()),
        15 => s.queue(&mut *arg.cast()),
        18 => s.start(fd),
        19 => s.stop(fd),
        21 => s.rate(&mut *arg.cast(), false),
        22 => s.rate(&mut *arg.cast(), true),
        26 => s.input(&mut *arg.cast()),
        38 => {
            *arg.cast::<c_int>() = 0;
            Ok(())
        }
        39 => {
            if *arg.cast::<c_int>() == 0 {
                Ok(())
            } else {
                Err(EINVAL)
            }
        }
        36 | 37 | 103 => Err(EINVAL), // no controls
        74 => s.enum_size(&mut *arg.cast()),
        75 => s.enum_rate(&mut *arg.cast()),
        _ => Err(ENOTTY),
    }
}

fn text(to: &mut [u8], from: &str) {
    let n = from.len().min(to.len() - 1);
    to[..n].copy_from_slice(&from.as_bytes()[..n]);
}

fn capture(kind: u32) -> Result<(), c_int> {
    if kind == v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE { Ok(()) } else { Err(EINVAL) }
}

impl Session {
    fn capability(&self, c: &mut v4l2_capability) -> Result<(), c_int> {
        *c = unsafe { std::mem::zeroed() };
        text(&mut c.driver, "fakecam");
        text(&mut c.card, &self.cfg.name);
        text(&mut c.bus_info, &format!("platform:fakecam-{:03}", self.index));
        c.version = 6 << 16;
        c.device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_EXT_PIX_FORMAT;
        c.capabilities = c.device_caps | V4L2_CAP_DEVICE_CAPS;
        Ok(())
    }

    fn input(&self, i: &mut v4l2_input) -> Result<(), c_int> {
        if i.index != 0 {
            return Err(EINVAL);
        }
        *i = unsafe { std::mem::zeroed() };
        text(&mut i.name, "Camera 1");
        i.type_ = V4L2_INPUT_TYPE_CAMERA;
        Ok(())
    }

    fn enum_format(&self, f: &mut v4l2_fmtdesc) -> Result<(), c_int> {
        capture(f.type_)?;
        let fourcc = self.cfg.formats.get(f.index as usize).ok_or(EINVAL)?;
        f.flags = if fourcc == b"MJPG" { V4L2_FMT_FLAG_COMPRESSED } else { 0 };
        f.pixelformat = u32::from_le_bytes(*fourcc);
        text(&mut f.description, std::str::from_utf8(fourcc).unwrap_or("?"));
        Ok(())
    }

    fn enum_size(&self, f: &mut v4l2_frmsizeenum) -> Result<(), c_int> {
        let (w, h) = *self.cfg.sizes.get(f.index as usize).ok_or(EINVAL)?;
        f.type_ = v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE;
        f.__bindgen_anon_1.discrete = v4l2_frmsize_discrete { width: w, height: h };
        Ok(())
    }

    fn enum_rate(&self, f: &mut v4l2_frmivalenum) -> Result<(), c_int> {
        if !self.cfg.sizes.contains(&(f.width, f.height)) {
            return Err(EINVAL);
        }
        let fps = *self.cfg.fps.get(f.index as usize).ok_or(EINVAL)?;
        f.type_ = v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE;
        f.__bindgen_anon_1.discrete = v4l2_fract { numerator: 1, denominator: fps };
        Ok(())
    }

    fn image_bytes(&self) -> u32 {
        let pixels = self.size.0 * self.size.1;
        if &self.fourcc == b"NV12" { pixels / 2 * 3 } else { pixels * 2 }
    }

    fn get_format(&self, f: &mut v4l2_format) -> Result<(), c_int> {
        capture(f.type_)?;
        let stride = match &self.fourcc {
            b"MJPG" => 0,
            b"NV12" => self.size.0,
            _ => self.size.0 * 2,
        };
        let mut pix: v4l2_pix_format = unsafe { std::mem::zeroed() };
        (pix.width, pix.height) = self.size;
        pix.pixelformat = u32::from_le_bytes(self.fourcc);
        pix.field = v4l2_field_V4L2_FIELD_NONE;
        pix.bytesperline = stride;
        pix.sizeimage = self.image_bytes();
        pix.colorspace = v4l2_colorspace_V4L2_COLORSPACE_SRGB;
        f.fmt.pix = pix;
        Ok(())
    }

    /// As drivers do, takes the nearest that there is.
    fn set_format(&mut self, f: &mut v4l2_format, keep: bool) -> Result<(), c_int> {
        capture(f.type_)?;
        let pix = unsafe { f.fmt.pix };
        let old = (self.fourcc, self.size);
        let fourcc = pix.pixelformat.to_le_bytes();
        self.fourcc = if self.cfg.formats.contains(&fourcc) { fourcc } else { self.cfg.formats[0] };
        let off = |&&(w, h): &&(u32, u32)| w.abs_diff(pix.width) + h.abs_diff(pix.height);
        self.size = *self.cfg.sizes.iter().min_by_key(off).unwrap();
        let done = self.get_format(f);
        if !keep {
            (self.fourcc, self.size) = old;
        }
        done
    }

    fn rate(&mut self, p: &mut v4l2_streamparm, set: bool) -> Result<(), c_int> {
        capture(p.type_)?;
        let asked = unsafe { p.parm.capture.timeperframe };
        if set && asked.numerator > 0 {
            let fps = asked.denominator / asked.numerator;
            self.fps = *self.cfg.fps.iter().min_by_key(|f| f.abs_diff(fps)).unwrap();
        }
        p.parm.capture = v4l2_captureparm {
            capability: V4L2_CAP_TIMEPERFRAME,
            timeperframe: v4l2_fract { numerator: 1, denominator: self.fps },
            ..unsafe { std::mem::zeroed() }
        };
        Ok(())
    }

    fn request_buffers(&mut self, r: &mut v4l2_requestbuffers) -> Result<(), c_int> {
        capture(r.type_)?;
        if r.memory != v4l2_memory_V4L2_MEMORY_MMAP {
            return Err(EINVAL);
        }
        r.count = r.count.min(32);
        self.queued.clear();
        self.filled.clear();
        self.buffers = (r.count > 0).then(|| Arc::new(Buffers::new(r.count, self.image_bytes() as usize)));
        Ok(())
    }

    fn query_buffer(&self, b: &mut v4l2_buffer) -> Result<(), c_int> {
        let buffers = self.buffers.as_ref().filter(|x| b.index < x.count).ok_or(EINVAL)?;
        b.length = if self.cfg.padded { buffers.len as u32 } else { self.image_bytes() };
        b.m.offset = b.index * buffers.len as u32;
        b.flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        Ok(())
    }

    fn queue(&mut self, b: &mut v4l2_buffer) -> Result<(), c_int> {
        self.query_buffer(b)?;
        if self.queued.contains(&b.index) || self.filled.iter().any(|f| f.index == b.index) {
            return Err(EINVAL);
        }
        self.queued.push_back(b.index);
        Ok(())
    }

    fn start(&mut self, fd: RawFd) -> Result<(), c_int> {
        let buffers = self.buffers.clone().ok_or(EINVAL)?;
        if !self.streaming {
            self.streaming = true;
            self.stream += 1;
            let (stream, cfg, fourcc) = (self.stream, self.cfg.clone(), self.fourcc);
            let ((w, h), fps, index) = (self.size, self.fps, self.index);
            std::thread::spawn(move || {
                let mut seen = Picture::black(w, h).expect("a size of a picture");
                let start = Instant::now();
                for sequence in 0.. {
                    let due = start + Duration::from_secs(1) * sequence / fps.max(1);
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    let micros = monotonic_micros();
                    let free = match with_stream(fd, stream, |s| s.queued.pop_front()) {
                        Some(free) => free,
                        None => return,
                    };
                    if !config::plugged(index) {
                        wake(fd, 1 << 32); // for ever: every DQBUF from now on says ENODEV
                        return;
                    }
                    let Some(free) = free else { continue }; // the program is late: this one is lost
                    if cfg.hang.is_some_and(|count| sequence >= count) {
                        continue;
                    }
                    picture::paint(&mut seen, Mark { number: sequence, micros: epoch_micros() });
                    // SAFETY: the program has queued it, and reads it when it has it back.
                    let out = unsafe { buffers.get(free) };
                    let mut bytes = picture::write(&seen, fourcc, out);
                    if cfg.broken.is_some_and(|every| sequence % every == every - 1) {
                        out[bytes / 2..].fill(0);
                        bytes /= 2;
                    }
                    let bytes = bytes as u32;
                    let filled = Filled { index: free, bytes, sequence, micros };
                    if with_stream(fd, stream, |s| s.filled.push_back(filled)).is_none() {
                        return;
                    }
                    wake(fd, 1);
                }
            });
        }
        Ok(())
    }

    fn stop(&mut self, fd: RawFd) -> Result<(), c_int> {
        self.streaming = false;
        self.queued.clear();
        self.filled.clear();
        let mut n = 0u64;
        while unsafe { libc::read(fd, (&raw mut n).cast(), 8) } == 8 {}
        Ok(())
    }
}

fn with_stream<T>(fd: RawFd, stream: u32, f: impl FnOnce(&mut Session) -> T) -> Option<T> {
    let mut sessions = SESSIONS.lock().unwrap();
    sessions.get_mut(&fd).filter(|s| s.streaming && s.stream == stream).map(f)
}

fn wake(fd: RawFd, times: u64) {
    unsafe { libc::write(fd, (&raw const times).cast(), 8) };
}

/// What bar codes carry.
fn epoch_micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros() as u64)
}

fn monotonic_micros() -> u64 {
    let mut t: libc::timespec = unsafe { std::mem::zeroed() };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    t.tv_sec as u64 * 1_000_000 + t.tv_nsec as u64 / 1000
}

fn dequeue(fd: RawFd, b: &mut v4l2_buffer) -> Result<(), c_int> {
    loop {
        let mut sessions = SESSIONS.lock().unwrap();
        let s = sessions.get_mut(&fd).ok_or(libc::EBADF)?;
        if !config::plugged(s.index) {
            return Err(ENODEV);
        }
        if let Some(f) = s.filled.pop_front() {
            let mut n = 0u64;
            unsafe { libc::read(fd, (&raw mut n).cast(), 8) };
            b.index = f.index;
            s.query_buffer(b)?;
            b.bytesused = f.bytes;
            b.sequence = f.sequence;
            b.field = v4l2_field_V4L2_FIELD_NONE;
            b.timestamp.tv_sec = (f.micros / 1_000_000) as i64;
            b.timestamp.tv_usec = (f.micros % 1_000_000) as i64;
            return Ok(());
        }
        if !s.streaming {
            return Err(EINVAL);
        }
        if s.nonblocking {
            return Err(EAGAIN);
        }
        drop(sessions);
        let mut p = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        unsafe { libc::poll(&mut p, 1, 100) };
    }
}
