//! The libc functions that stand before the C library's own. The `v4l` crate does its ioctls with
//! `syscall(SYS_ioctl, ..)`, C programs with `ioctl`. C's `...` is taken as fixed arguments here:
//! the calling conventions of Linux on x86_64 and aarch64 pass both alike.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::mem::transmute;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use libc::{DIR, c_char, c_int, c_long, c_ulong, c_void, dirent64, off_t, size_t};

use crate::{config, device};

/// The C library's function of that name, looked up without locks: `syscall` is under them all.
macro_rules! real {
    ($name:ident as fn($($arg:ty),*) -> $ret:ty) => {{
        static FOUND: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
        let mut f = FOUND.load(Relaxed);
        if f.is_null() {
            let name = concat!(stringify!($name), "\0");
            f = libc::dlsym(libc::RTLD_NEXT, name.as_ptr().cast());
            FOUND.store(f, Relaxed);
        }
        transmute::<*mut c_void, unsafe extern "C" fn($($arg),*) -> $ret>(f)
    }};
}

fn reply(result: Result<c_int, c_int>) -> c_int {
    result.unwrap_or_else(|errno| {
        unsafe { *libc::__errno_location() = errno };
        -1
    })
}

/// What to open instead, if `path` is a camera's.
unsafe fn open_fake(path: *const c_char, flags: c_int) -> Option<c_int> {
    let path = CStr::from_ptr(path).to_str().ok()?;
    if let Some(n) = path.strip_prefix("/dev/video") {
        return Some(reply(device::open(n.parse().ok()?, flags)));
    }
    let (node, attribute) = path.strip_prefix("/sys/class/video4linux/video")?.split_once('/')?;
    let config = config::load(node.parse().ok()?)?;
    let name = match attribute {
        "name" => config.name + "\n",
        "index" => format!("{}\n", config.order?),
        _ => return None,
    };
    let fd = libc::memfd_create(c"name".as_ptr(), libc::MFD_CLOEXEC);
    libc::pwrite(fd, name.as_ptr().cast(), name.len(), 0);
    Some(fd)
}

macro_rules! open_hook {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
            open_fake(path, flags)
                .unwrap_or_else(|| real!($name as fn(*const c_char, c_int, c_int) -> c_int)(path, flags, mode))
        }
    )*};
}
open_hook!(open open64 __open_2 __open64_2); // the latter for programs built with -D_FORTIFY_SOURCE

/// For [`device`] itself, which calls it while it holds its lock.
pub(crate) unsafe fn real_close(fd: c_int) -> c_int {
    real!(close as fn(c_int) -> c_int)(fd)
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn close(fd: c_int) -> c_int {
    device::close(fd);
    real_close(fd)
}

fn is_v4l2(request: c_ulong) -> bool {
    request >> 8 & 0xff == c_ulong::from(b'V')
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ioctl(fd: c_int, request: c_ulong, arg: *mut c_void) -> c_int {
    if is_v4l2(request) && device::is_camera(fd) {
        return reply(device::ioctl(fd, request, arg).map(|()| 0));
    }
    real!(ioctl as fn(c_int, c_ulong, *mut c_void) -> c_int)(fd, request, arg)
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn syscall(
    n: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    if n == libc::SYS_ioctl && is_v4l2(b as c_ulong) {
        return c_long::from(ioctl(a as c_int, b as c_ulong, c as *mut c_void));
    }
    real!(syscall as fn(c_long, c_long, c_long, c_long, c_long, c_long, c_long) -> c_long)(
        n, a, b, c, d, e, f,
    )
}

/// For [`device`] itself, which calls it while it holds its lock.
pub(crate) unsafe fn real_mmap(len: size_t, fd: c_int) -> *mut c_void {
    let (rw, at) = (libc::PROT_READ | libc::PROT_WRITE, ptr::null_mut());
    real!(mmap as fn(*mut c_void, size_t, c_int, c_int, c_int, off_t) -> *mut c_void)(
        at,
        len,
        rw,
        libc::MAP_SHARED,
        fd,
        0,
    )
}

macro_rules! mmap_hook {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(
            at: *mut c_void, len: size_t, prot: c_int, flags: c_int, fd: c_int, offset: off_t,
        ) -> *mut c_void {
            let fd = if fd < 0 { fd } else { device::memory(fd).unwrap_or(fd) };
            real!($name as fn(*mut c_void, size_t, c_int, c_int, c_int, off_t) -> *mut c_void)(at, len, prot, flags, fd, offset)
        }
    )*};
}
mmap_hook!(mmap mmap64);

/// Open listings of /dev, and the entries each has still to give after the real ones.
static LISTINGS: Mutex<BTreeMap<usize, Vec<dirent64>>> = Mutex::new(BTreeMap::new());

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn opendir(path: *const c_char) -> *mut DIR {
    let dir = real!(opendir as fn(*const c_char) -> *mut DIR)(path);
    if matches!(CStr::from_ptr(path).to_bytes(), b"/dev" | b"/dev/") && !dir.is_null() {
        let entry = |index: u32| {
            let mut e: dirent64 = std::mem::zeroed();
            e.d_type = libc::DT_CHR;
            e.d_reclen = size_of::<dirent64>() as u16;
            for (to, from) in e.d_name.iter_mut().zip(format!("video{index}").bytes()) {
                *to = from as c_char;
            }
            e
        };
        let fakes = config::indices().into_iter().rev().map(entry).collect();
        LISTINGS.lock().unwrap().insert(dir as usize, fakes);
    }
    dir
}

macro_rules! readdir_hook {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(dir: *mut DIR) -> *mut dirent64 {
            thread_local!(static LAST: std::cell::UnsafeCell<dirent64> = const { unsafe { std::mem::zeroed() } });
            let entry = real!($name as fn(*mut DIR) -> *mut dirent64)(dir);
            if !entry.is_null() {
                return entry;
            }
            let fake = LISTINGS.lock().unwrap().get_mut(&(dir as usize)).and_then(Vec::pop);
            fake.map_or(ptr::null_mut(), |e| LAST.with(|l| { *l.get() = e; l.get() }))
        }
    )*};
}
readdir_hook!(readdir readdir64); // one layout on 64-bit Linux

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn closedir(dir: *mut DIR) -> c_int {
    LISTINGS.lock().unwrap().remove(&(dir as usize));
    real!(closedir as fn(*mut DIR) -> c_int)(dir)
}
