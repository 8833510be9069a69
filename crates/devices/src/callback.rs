//! The border of a device's callback.

/// Runs the body of a device's callback. Between its braces nothing may allocate, lock or log; in the tests of this
/// crate a counting allocator holds it to the first.
#[inline]
pub(crate) fn in_callback<R>(body: impl FnOnce() -> R) -> R {
    #[cfg(test)]
    let _mark = crate::tests::allocator::Mark::set();
    body()
}
