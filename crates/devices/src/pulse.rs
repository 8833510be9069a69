//! Streams of a PulseAudio server (or PipeWire, which speaks its protocol), without cpal.
//!
//! cpal lists the devices there too, but its streams ask the server for the latency after every callback, by a thread
//! of their own, and want the microphone in pieces of half a callback: at 5 ms that costs more than all the rest of a
//! call. Here the server is asked a few times a second, and what was moved since is reckoned on.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use carillon_media::SAMPLE_RATE;
use futures::executor::block_on;
use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{
    ChannelMap, ChannelPosition, PlaybackStreamParams, PulseError, RecordStreamParams, SampleFormat,
    SampleSpec,
};
use pulseaudio::{AsPlaybackSource as _, Client, ClientError, PlaybackStream, RecordStream};

use crate::callback::in_callback;
use crate::device::DeviceId;
use crate::line::{Intake, MicrophoneLine, Outlet, Pulse, SpeakerLine, microphone_line, speaker_line};
use crate::problem::Problem;

/// How a server's devices begin in [`DeviceId`]s, as cpal names them.
const PREFIX: &str = "pulseaudio:";

/// Bytes of a sample: 32-bit floats, mono.
const SAMPLE: usize = size_of::<f32>();

/// What the server asks for at once: 5 ms. It keeps as much in front of that.
const PERIOD: usize = SAMPLE_RATE as usize / 200;

/// Sound that the server may hold for a reader who is held up: as much as the ring behind it.
const HELD: usize = SAMPLE_RATE as usize / 5;

/// How often the server is asked where it is. It also tells then that the device is gone.
const ASKED: Duration = Duration::from_millis(250);

/// No stream is further from the air than this; what says so is a mistake.
const FARTHEST: Duration = Duration::from_millis(500);

/// The device's name on a server, if the id is of one.
pub(crate) fn name_of(id: &DeviceId) -> Option<&str> {
    id.as_str().strip_prefix(PREFIX)
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::ServerUnavailable | ClientError::Io(_) => Self::NoServer,
            ClientError::Disconnected => Self::Stopped,
            ClientError::ServerError(PulseError::NoEntity) => Self::NoDevice,
            ClientError::ServerError(PulseError::AccessDenied) => Self::PermissionDenied,
            ClientError::ServerError(PulseError::Busy) => Self::Busy,
            ClientError::UnexpectedSequenceNumber
            | ClientError::Protocol(_)
            | ClientError::ServerError(_) => Self::System(error.to_string()),
        }
    }
}

/// A stream that runs. Dropping it ends it, without waiting for the server.
pub(crate) struct ServerStream {
    stop: Arc<AtomicBool>,
    watch: JoinHandle<()>,
}

impl Drop for ServerStream {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        // It holds the stream, and lets it go.
        self.watch.thread().unpark();
    }
}

/// Which moment belongs to which byte of a stream: sample `n` is in the air at `zero + n / rate`.
#[derive(Clone)]
struct Timeline {
    born: Instant,
    /// In nanoseconds after `born`; [`i64::MIN`] while nobody knows.
    zero: Arc<AtomicI64>,
}

impl Timeline {
    fn new() -> Self {
        Self { born: Instant::now(), zero: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    fn span(bytes: i64) -> i64 {
        let samples = bytes / SAMPLE as i64;
        samples.saturating_mul(1_000_000_000 / 1_000) / (i64::from(SAMPLE_RATE) / 1_000)
    }

    fn nanos(&self, moment: Instant) -> i64 {
        i64::try_from(moment.saturating_duration_since(self.born).as_nanos()).unwrap_or(i64::MAX)
    }

    /// At this moment, this byte was in the air.
    fn set(&self, moment: Instant, byte: i64) {
        self.zero.store(self.nanos(moment).saturating_sub(Self::span(byte)), Relaxed);
    }

    /// How long after `now` this byte is in the air, in nanoseconds; nothing while nobody knows, or in error.
    fn ahead(&self, now: Instant, byte: i64) -> Option<i64> {
        let zero = self.zero.load(Relaxed);
        let ahead = zero.checked_add(Self::span(byte))?.checked_sub(self.nanos(now))?;
        (zero != i64::MIN && ahead.unsigned_abs() < FARTHEST.as_nanos() as u64).then_some(ahead)
    }
}

/// Tells the supervisor of a stream that the server let go: with the connection, everything that runs in it is dropped.
struct Alarm {
    pulse: Arc<Pulse>,
    stop: Arc<AtomicBool>,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if !self.stop.load(Relaxed) {
            self.pulse.fail(cpal::ErrorKind::StreamInvalidated);
        }
    }
}

fn sample_spec() -> SampleSpec {
    SampleSpec { format: SampleFormat::Float32Le, channels: 1, sample_rate: SAMPLE_RATE }
}

fn name(text: &str) -> Result<CString, Problem> {
    CString::new(text).map_err(|_| Problem::NoDevice)
}

/// A connection for one stream alone, so that no two have to agree, and none outlives its own.
fn connect() -> Result<Client, Problem> {
    Ok(Client::from_env(c"Carillon")?)
}

const fn bytes(samples: usize) -> u32 {
    (samples * SAMPLE) as u32
}

/// Opens a microphone of the server and starts it. May block for as long as the server likes.
///
/// # Errors
/// What the server said.
pub(crate) fn open_microphone(device: &str) -> Result<(ServerStream, MicrophoneLine), Problem> {
    let client = connect()?;
    let (mut intake, line) = microphone_line(SAMPLE_RATE)?;
    let (stop, time) = (Arc::new(AtomicBool::new(false)), Timeline::new());
    let alarm = Alarm { pulse: line.pulse.clone(), stop: stop.clone() };
    let (clock, mut heard) = (time.clone(), 0);
    let sink = move |chunk: &[u8]| {
        let _ = &alarm;
        take_in(&mut intake, chunk, &clock, &mut heard);
    };
    let params = RecordStreamParams {
        sample_spec: sample_spec(),
        channel_map: ChannelMap::new([ChannelPosition::Mono]),
        source_name: Some(name(device)?),
        buffer_attr: BufferAttr {
            max_length: bytes(HELD),
            // The whole way, of which the source gets one half: it works in pieces of a period.
            fragment_size: bytes(2 * PERIOD),
            ..BufferAttr::default()
        },
        flags: StreamFlags { adjust_latency: true, ..StreamFlags::default() },
        ..RecordStreamParams::default()
    };
    let stream = block_on(client.create_record_stream(params, sink))?;
    let stream = watch(stream, stop, line.pulse.clone(), move |stream: &RecordStream| {
        let asked = Instant::now();
        let told = block_on(stream.timing_info())?;
        let moment = asked + asked.elapsed() / 2;
        let age = Duration::from_micros(told.source_usec).min(FARTHEST);
        time.set(moment.checked_sub(age).unwrap_or(moment), told.write_offset);
        Ok(())
    })?;
    Ok((stream, line))
}

fn take_in(intake: &mut Intake, chunk: &[u8], clock: &Timeline, heard: &mut i64) {
    in_callback(|| {
        let now = Instant::now();
        let age = clock.ahead(now, *heard).map_or(0, |ahead| ahead.min(0).unsigned_abs());
        let (samples, _) = chunk.as_chunks::<SAMPLE>();
        let captured = now.checked_sub(Duration::from_nanos(age)).unwrap_or(now);
        intake.take_in(samples.iter().map(|sample| f32::from_le_bytes(*sample)), captured, now);
        *heard += chunk.len() as i64;
    });
}

/// Opens a speaker of the server and starts it. May block for as long as the server likes.
///
/// # Errors
/// What the server said.
pub(crate) fn open_speaker(device: &str) -> Result<(ServerStream, SpeakerLine), Problem> {
    let client = connect()?;
    let (mut outlet, line) = speaker_line(SAMPLE_RATE)?;
    let (stop, time) = (Arc::new(AtomicBool::new(false)), Timeline::new());
    let alarm = Alarm { pulse: line.pulse.clone(), stop: stop.clone() };
    let (clock, mut given) = (time.clone(), 0);
    let source = move |room: &mut [u8]| {
        let _ = &alarm;
        give_out(&mut outlet, room, &clock, &mut given);
        room.len()
    };
    let params = PlaybackStreamParams {
        sample_spec: sample_spec(),
        channel_map: ChannelMap::new([ChannelPosition::Mono]),
        sink_name: Some(name(device)?),
        buffer_attr: BufferAttr {
            max_length: bytes(HELD),
            target_length: bytes(
                std::env::var("X_TLEN").ok().and_then(|v| v.parse().ok()).unwrap_or(2 * PERIOD),
            ),
            minimum_request_length: bytes(PERIOD),
            ..BufferAttr::default()
        },
        // The length is that of the whole way, the hardware's part included.
        flags: StreamFlags { adjust_latency: true, ..StreamFlags::default() },
        ..PlaybackStreamParams::default()
    };
    let stream = block_on(client.create_playback_stream(params, source.as_playback_source()))?;
    let stream = watch(stream, stop, line.pulse.clone(), move |stream: &PlaybackStream| {
        let asked = Instant::now();
        let told = block_on(stream.timing_info())?;
        let moment = asked + asked.elapsed() / 2;
        time.set(moment + Duration::from_micros(told.sink_usec).min(FARTHEST), told.read_offset);
        Ok(())
    })?;
    Ok((stream, line))
}

/// In pieces of a period: at its start the server asks for more at once, which says nothing of its habits.
fn give_out(outlet: &mut Outlet, room: &mut [u8], clock: &Timeline, given: &mut i64) {
    in_callback(|| {
        let now = Instant::now();
        let (samples, rest) = room.as_chunks_mut::<SAMPLE>();
        rest.fill(0);
        for piece in samples.chunks_mut(PERIOD) {
            let delay = clock.ahead(now, *given).map_or(0, |ahead| ahead.max(0).unsigned_abs());
            outlet.give_out(piece.len(), Duration::from_nanos(delay), now, |at, sample| {
                if let Some(slot) = piece.get_mut(at) {
                    *slot = sample.clamp(-1.0, 1.0).to_le_bytes();
                }
            });
            *given += (piece.len() * SAMPLE) as i64;
        }
        *given += rest.len() as i64;
    });
}

/// Keeps a stream and asks for its time, until it is stopped or the server lets the stream go.
fn watch<S: Send + 'static>(
    stream: S,
    stop: Arc<AtomicBool>,
    pulse: Arc<Pulse>,
    ask: impl Fn(&S) -> Result<(), ClientError> + Send + 'static,
) -> Result<ServerStream, Problem> {
    let stopped = stop.clone();
    let work = move || {
        while !stopped.load(Relaxed) {
            if ask(&stream).is_err() {
                if !stopped.load(Relaxed) {
                    pulse.fail(cpal::ErrorKind::StreamInvalidated);
                }
                return;
            }
            thread::park_timeout(ASKED);
        }
    };
    let watch = thread::Builder::new().name("sound watch".to_owned()).spawn(work);
    Ok(ServerStream { stop, watch: watch.map_err(|error| Problem::System(error.to_string()))? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_in_the_air_as_long_after_another_as_it_lies_behind_it() {
        let time = Timeline::new();
        let now = time.born + Duration::from_secs(100);
        assert_eq!(time.ahead(now, 0), None, "nobody has told yet");
        time.set(now + Duration::from_millis(4), i64::from(bytes(480)));
        assert_eq!(time.ahead(now, i64::from(bytes(480))), Some(4_000_000));
        assert_eq!(time.ahead(now, i64::from(bytes(960))), Some(14_000_000));
        assert_eq!(time.ahead(now + Duration::from_millis(20), i64::from(bytes(960))), Some(-6_000_000));
        assert_eq!(time.ahead(now, i64::MAX / 2), None, "a stream that is days ahead");
    }

    #[test]
    fn a_span_of_years_is_still_exact() {
        let year = 365 * 24 * 3_600i64;
        assert_eq!(Timeline::span(year * 48_000 * SAMPLE as i64), year * 1_000_000_000);
    }

    #[test]
    fn only_devices_of_a_server_are_meant() {
        assert_eq!(name_of(&DeviceId::new("pulseaudio:mic_a")), Some("mic_a"));
        assert_eq!(name_of(&DeviceId::new("alsa:default")), None);
    }
}
