//! Whole-system scenarios: a real server process, real clients, real sockets. One scenario a file.

mod accept_races;
mod answered_elsewhere;
mod busy;
mod caller_line_drops;
mod certificate_renewal;
mod declined_on_one_device;
mod full_disk;
mod glare;
mod hang_up;
mod later_event;
mod missed_call_waits;
mod second_caller;
mod server_killed_while_ringing;
mod server_swaps_keys;
mod settings_change_during_ring;
mod stale_devices;
mod tls;
mod unavailable_looks_the_same;
