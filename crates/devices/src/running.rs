//! Streams that run: a device of the machine with our callback in it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use carillon_media::SAMPLE_RATE;
use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{BufferSize, FromSample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize};
use cpal::{SupportedStreamConfig, SupportedStreamConfigRange};

use crate::callback::in_callback;
use crate::clocked::Clocked;
use crate::device::{DeviceId, SoundKind};
use crate::host::Host;
use crate::line::{Intake, MicrophoneLine, Outlet, Pulse, SpeakerLine, microphone_line, speaker_line};
use crate::permission;
use crate::problem::Problem;

/// What cpal may take to make a stream, where it can be told.
const BUILDING: Duration = Duration::from_secs(2);

/// Runs `work` on a thread of its own and waits for it no longer than `limit`. A thread that hangs in the sound
/// system is left behind; it ends when the system answers.
///
/// # Errors
/// When no thread can be had.
pub(crate) fn within<T: Send + 'static>(
    name: &str,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Result<T, Problem>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _ = sender.send(work());
    })?;
    Ok(receiver.recv_timeout(limit).map_err(|_| Problem::NoAnswer))
}

/// What stands behind a line.
pub(crate) enum Stream {
    Device(cpal::Stream),
    Synthetic(Clocked),
}

/// A line for a feed of either kind.
pub(crate) enum Line {
    Microphone(MicrophoneLine),
    Speaker(SpeakerLine),
}

impl Line {
    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        match self {
            Self::Microphone(line) => &line.pulse,
            Self::Speaker(line) => &line.pulse,
        }
    }
}

/// A stream and its line, before the line goes to the feed.
pub(crate) struct Built {
    pub(crate) stream: Stream,
    pub(crate) line: Line,
    pub(crate) rate: u32,
}

impl Built {
    /// Gives a stream up without waiting for the system. Dropping one talks to the sound server, which may hang; the
    /// recording of a synthetic one is complete when this returns.
    pub(crate) fn give_up(stream: Stream) {
        match stream {
            Stream::Synthetic(clocked) => drop(clocked),
            Stream::Device(stream) => {
                // Without a thread the stream leaks, which is better than to hang.
                let _ = thread::Builder::new().name("sound closing".to_owned()).spawn(move || drop(stream));
            }
        }
    }
}

/// Opens a device and starts it. May block.
///
/// # Errors
/// What the system said.
pub(crate) fn open(host: &Host, id: &DeviceId, kind: SoundKind) -> Result<Built, Problem> {
    let host = match kind {
        SoundKind::Microphone => host.clone(),
        SoundKind::Speaker => host.for_speaker()?,
    };
    let device = host.device(id, kind)?;
    let (stream, line, rate) = match kind {
        SoundKind::Microphone => {
            permission::microphone()?;
            let ranges = device.supported_input_configs().map(Iterator::collect);
            let config = choose(ranges.unwrap_or_default(), || device.default_input_config())?;
            let (stream, line) = open_microphone(&device, &config)?;
            (stream, Line::Microphone(line), config.sample_rate())
        }
        SoundKind::Speaker => {
            let ranges = device.supported_output_configs().map(Iterator::collect);
            let config = choose(ranges.unwrap_or_default(), || device.default_output_config())?;
            let (stream, line) = open_speaker(&device, &config)?;
            (stream, Line::Speaker(line), config.sample_rate())
        }
    };
    stream.play()?;
    Ok(Built { stream: Stream::Device(stream), line, rate })
}

/// How well a format suits, best first; `None` if our callbacks can't read it.
const fn rank(format: SampleFormat) -> Option<u8> {
    match format {
        SampleFormat::F32 => Some(0),
        SampleFormat::I32 => Some(1),
        SampleFormat::I16 => Some(2),
        SampleFormat::U16 => Some(3),
        SampleFormat::U8 => Some(4),
        _ => None,
    }
}

/// 48 kHz mono floats where the device can, else the nearest that it can: its own rate rather than none.
fn choose(
    ranges: Vec<SupportedStreamConfigRange>,
    default: impl FnOnce() -> Result<SupportedStreamConfig, cpal::Error>,
) -> Result<SupportedStreamConfig, Problem> {
    let fits = |range: &SupportedStreamConfigRange| {
        (range.min_sample_rate()..=range.max_sample_rate()).contains(&SAMPLE_RATE)
    };
    let best = ranges
        .iter()
        .filter(|range| fits(range))
        .filter_map(|range| {
            let rank = rank(range.sample_format())?;
            // Beyond stereo, what the extra channels carry is anybody's guess.
            Some((range.channels() > 2, rank, range.channels(), range))
        })
        .min_by_key(|(many, rank, channels, _)| (*many, *rank, *channels));
    if let Some((.., range)) = best {
        return Ok((*range).with_sample_rate(SAMPLE_RATE));
    }
    let config = default()?;
    if rank(config.sample_format()).is_none() {
        return Err(Problem::Unsupported(config.sample_format().to_string()));
    }
    Ok(config)
}

/// Frames of 5 ms at the device's rate, as near as it allows; then what it likes. Each of them is waited for at least
/// twice, on the way in and on the way out; where the machine is too slow for it, the worker keeps the ring fuller.
fn buffer_sizes(config: &SupportedStreamConfig) -> [BufferSize; 2] {
    let wanted = config.sample_rate() / 200;
    let wanted = match *config.buffer_size() {
        SupportedBufferSize::Range { min, max } if min <= max => wanted.clamp(min, max),
        _ => wanted,
    };
    [BufferSize::Fixed(wanted), BufferSize::Default]
}

/// Tries the sizes in turn: a driver may refuse what it said it could.
fn sized<T>(
    config: &SupportedStreamConfig,
    mut build: impl FnMut(StreamConfig) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let mut refused = Problem::NoDevice;
    for buffer_size in buffer_sizes(config) {
        let config =
            StreamConfig { channels: config.channels(), sample_rate: config.sample_rate(), buffer_size };
        match build(config) {
            Err(problem @ (Problem::Unsupported(_) | Problem::System(_))) => refused = problem,
            done => return done,
        }
    }
    Err(refused)
}

fn open_microphone(
    device: &cpal::Device,
    supported: &SupportedStreamConfig,
) -> Result<(cpal::Stream, MicrophoneLine), Problem> {
    sized(supported, |config| {
        let (intake, line) = microphone_line(config.sample_rate)?;
        let pulse = line.pulse.clone();
        let stream = match supported.sample_format() {
            SampleFormat::F32 => hear::<f32>(device, config, intake, pulse),
            SampleFormat::I32 => hear::<i32>(device, config, intake, pulse),
            SampleFormat::I16 => hear::<i16>(device, config, intake, pulse),
            SampleFormat::U16 => hear::<u16>(device, config, intake, pulse),
            SampleFormat::U8 => hear::<u8>(device, config, intake, pulse),
            other => return Err(Problem::Unsupported(other.to_string())),
        };
        Ok((stream?, line))
    })
}

fn hear<T: SizedSample + Send + 'static>(
    device: &cpal::Device,
    config: StreamConfig,
    mut intake: Intake,
    pulse: Arc<Pulse>,
) -> Result<cpal::Stream, cpal::Error>
where
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels.max(1));
    device.build_input_stream(
        config,
        move |chunk: &[T], info: &cpal::InputCallbackInfo| {
            in_callback(|| {
                let now = Instant::now();
                let stamp = info.timestamp();
                let age = stamp.callback.saturating_duration_since(stamp.capture);
                let mono = chunk.chunks_exact(channels).map(|frame| {
                    frame.iter().map(|sample| f32::from_sample_(*sample)).sum::<f32>() / channels as f32
                });
                intake.take_in(mono, now.checked_sub(age).unwrap_or(now), now);
            });
        },
        move |error| pulse.fail(error.kind()),
        Some(BUILDING),
    )
}

fn open_speaker(
    device: &cpal::Device,
    supported: &SupportedStreamConfig,
) -> Result<(cpal::Stream, SpeakerLine), Problem> {
    sized(supported, |config| {
        let (outlet, line) = speaker_line(config.sample_rate)?;
        let pulse = line.pulse.clone();
        let stream = match supported.sample_format() {
            SampleFormat::F32 => play::<f32>(device, config, outlet, pulse),
            SampleFormat::I32 => play::<i32>(device, config, outlet, pulse),
            SampleFormat::I16 => play::<i16>(device, config, outlet, pulse),
            SampleFormat::U16 => play::<u16>(device, config, outlet, pulse),
            SampleFormat::U8 => play::<u8>(device, config, outlet, pulse),
            other => return Err(Problem::Unsupported(other.to_string())),
        };
        Ok((stream?, line))
    })
}

fn play<T: SizedSample + FromSample<f32> + Send + 'static>(
    device: &cpal::Device,
    config: StreamConfig,
    mut outlet: Outlet,
    pulse: Arc<Pulse>,
) -> Result<cpal::Stream, cpal::Error> {
    let channels = usize::from(config.channels.max(1));
    device.build_output_stream(
        config,
        move |chunk: &mut [T], info: &cpal::OutputCallbackInfo| {
            in_callback(|| {
                let stamp = info.timestamp();
                let delay = stamp.playback.saturating_duration_since(stamp.callback);
                let silence = T::from_sample_(0.0);
                chunk.fill(silence);
                let frames = chunk.len() / channels;
                outlet.give_out(frames, delay, Instant::now(), |at, sample| {
                    let frame = chunk.get_mut(at * channels..(at + 1) * channels).unwrap_or_default();
                    // Left and right; a voice in the surround channels would only echo.
                    frame
                        .iter_mut()
                        .take(2)
                        .for_each(|slot| *slot = T::from_sample_(sample.clamp(-1.0, 1.0)));
                });
            });
        },
        move |error| pulse.fail(error.kind()),
        Some(BUILDING),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(channels: u16, rates: (u32, u32), format: SampleFormat) -> SupportedStreamConfigRange {
        let size = SupportedBufferSize::Range { min: 64, max: 4_096 };
        SupportedStreamConfigRange::new(channels, rates.0, rates.1, size, format)
    }

    fn chosen(ranges: Vec<SupportedStreamConfigRange>) -> (u16, u32, SampleFormat) {
        let default = range(2, (44_100, 44_100), SampleFormat::I16).with_sample_rate(44_100);
        let config = choose(ranges, || Ok(default)).unwrap();
        (config.channels(), config.sample_rate(), config.sample_format())
    }

    #[test]
    fn mono_floats_at_48_khz_are_taken_where_the_device_can() {
        let all = vec![
            range(2, (8_000, 96_000), SampleFormat::F32),
            range(1, (8_000, 96_000), SampleFormat::I16),
            range(1, (8_000, 96_000), SampleFormat::F32),
            range(8, (8_000, 96_000), SampleFormat::F32),
        ];
        assert_eq!(chosen(all), (1, 48_000, SampleFormat::F32));
    }

    #[test]
    fn a_device_of_another_rate_keeps_it() {
        let ranges = vec![range(2, (44_100, 44_100), SampleFormat::F32)];
        assert_eq!(chosen(ranges), (2, 44_100, SampleFormat::I16));
    }

    #[test]
    fn five_milliseconds_are_asked_for_as_near_as_the_device_allows() {
        let with = |size| {
            let range = SupportedStreamConfigRange::new(1, 44_100, 48_000, size, SampleFormat::F32);
            buffer_sizes(&range.with_sample_rate(48_000))[0]
        };
        assert_eq!(with(SupportedBufferSize::Unknown), BufferSize::Fixed(240));
        assert_eq!(with(SupportedBufferSize::Range { min: 1, max: 200 }), BufferSize::Fixed(200));
        assert_eq!(with(SupportedBufferSize::Range { min: 1_024, max: 4_096 }), BufferSize::Fixed(1_024));
        assert_eq!(with(SupportedBufferSize::Range { min: 9, max: 1 }), BufferSize::Fixed(240));
    }

    #[test]
    fn a_size_that_is_refused_is_followed_by_the_one_the_device_likes() {
        let config = range(1, (48_000, 48_000), SampleFormat::F32).with_sample_rate(48_000);
        let built = sized(&config, |config| match config.buffer_size {
            BufferSize::Fixed(_) => Err(Problem::Unsupported("no".to_owned())),
            BufferSize::Default => Ok("default"),
        });
        assert_eq!(built, Ok("default"));
        let busy = sized(&config, |_| Err::<(), _>(Problem::Busy));
        assert_eq!(busy, Err(Problem::Busy), "another size would not help");
    }

    #[test]
    fn work_that_hangs_is_left_behind() {
        let (release, hang) = mpsc::channel::<()>();
        let waited = within("hangs", Duration::ZERO, move || hang.recv()).unwrap();
        assert_eq!(waited.map(|_| ()), Err(Problem::NoAnswer));
        drop(release);
        assert_eq!(within("answers", Duration::from_secs(60), || 7).unwrap(), Ok(7));
    }
}
