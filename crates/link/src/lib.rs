//! An emulated network line, seeded: loss, bursts, delay, jitter, rate and queue, and UDP ports that forward through it.
