//! Whole-system scenarios: a real server process, real clients, real sockets. One scenario a file.

mod accept_races;
mod answered_elsewhere;
mod browser;
mod busy;
mod caller_line_drops;
mod camera_on_and_off;
#[cfg(target_os = "linux")]
mod camera_pulled;
mod certificate_renewal;
mod declined_on_one_device;
mod full_disk;
mod glare;
mod hang_up;
mod hidden_address;
mod later_event;
mod line_dies_and_comes_back;
mod line_worsens_and_recovers;
mod loss_delivers_nothing_twice;
mod missed_call_waits;
mod mute_is_silence_on_the_wire;
mod path_changes_mid_call;
mod pictures_both_ways;
mod pulse;
mod second_caller;
mod server_killed_while_ringing;
mod server_swaps_keys;
mod settings_change_during_ring;
mod signaling_killed_mid_call;
mod stale_devices;
mod tls;
mod two_hundred_calls;
mod unavailable_looks_the_same;
mod voices_both_ways;
mod wrong_fingerprint;
