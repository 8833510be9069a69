//! Microphones, speakers and cameras: the machine's own, and synthetic ones behind the same structs.
