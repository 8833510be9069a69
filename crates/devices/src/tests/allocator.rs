//! An allocator that knows when a device's callback runs.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Allocations and frees made while a callback ran, in the whole program.
static CAUGHT: AtomicU64 = AtomicU64::new(0);

/// Callbacks that ran.
static CALLBACKS: AtomicU64 = AtomicU64::new(0);

/// A callback runs on this thread until this is dropped.
pub(crate) struct Mark;

impl Mark {
    pub(crate) fn set() -> Self {
        IN_CALLBACK.set(true);
        CALLBACKS.fetch_add(1, Relaxed);
        Self
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        IN_CALLBACK.set(false);
    }
}

/// Callbacks so far, and allocations caught in them.
pub(crate) fn counts() -> (u64, u64) {
    (CALLBACKS.load(Relaxed), CAUGHT.load(Relaxed))
}

/// Takes allocations off the count that a test made on purpose.
pub(crate) fn forgive(allocations: u64) {
    CAUGHT.fetch_sub(allocations, Relaxed);
}

fn note() {
    // A thread that ends has no cell any more.
    if IN_CALLBACK.try_with(Cell::get).unwrap_or(false) {
        CAUGHT.fetch_add(1, Relaxed);
    }
}

struct Watchful;

#[expect(unsafe_code, reason = "an allocator can't be written without")]
// SAFETY: hands everything on to the system's.
unsafe impl GlobalAlloc for Watchful {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note();
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller's promise is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Watchful = Watchful;
