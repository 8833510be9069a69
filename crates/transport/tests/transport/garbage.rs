//! What a fuzzer would send, in bounds: a committed corpus and seeded mutations of it.
