//! The machine's sound system: which devices there are.
//!
//! Everything here may block, on Linux for as long as a hung server likes: call it from a thread that can be given
//! up ([`crate::running::within`]).

use std::sync::Arc;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait};

use crate::device::{DeviceId, SoundDevice, SoundKind, names_a_headset};
use crate::problem::{Problem, SoundError};
use crate::running::within;

/// A sound system that answered.
#[derive(Clone)]
pub(crate) struct Host {
    inner: Arc<cpal::Host>,
}

/// The most that listing devices may take.
const LISTING: Duration = Duration::from_secs(4);

/// What microphones and speakers the machine has.
///
/// # Errors
/// [`Problem::NoServer`] where nothing answers for sound, [`Problem::NoAnswer`] where it hangs.
pub fn sound_devices() -> Result<Vec<SoundDevice>, SoundError> {
    let listed = within("sound devices", LISTING, || Host::open(None).and_then(|host| host.devices()))?;
    Ok(listed??)
}

#[cfg(target_os = "linux")]
fn is_server(id: cpal::HostId) -> bool {
    id == cpal::HostId::PulseAudio
}

/// Whether ALSA stands in where no server runs. It then needs the hardware for itself.
#[cfg(target_os = "linux")]
fn open_bare() -> Result<cpal::Host, Problem> {
    Ok(cpal::host_from_id(cpal::HostId::Alsa)?)
}

impl Host {
    /// Connects to the system. `known`: the one that answered before, if any; after a server, only a server will do,
    /// for it comes back.
    ///
    /// # Errors
    /// [`Problem::NoServer`] and the like.
    #[cfg(target_os = "linux")]
    pub(crate) fn open(known: Option<&Self>) -> Result<Self, Problem> {
        let server = cpal::host_from_id(cpal::HostId::PulseAudio).map_err(Problem::from);
        let inner = match server {
            Ok(host) => host,
            Err(problem) if known.is_some_and(|known| is_server(known.inner.id())) => return Err(problem),
            Err(_) => open_bare()?,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Connects to the system.
    ///
    /// # Errors
    /// [`Problem::NoServer`].
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn open(_known: Option<&Self>) -> Result<Self, Problem> {
        let id = cpal::available_hosts().into_iter().next().ok_or(Problem::NoServer)?;
        Ok(Self { inner: Arc::new(cpal::host_from_id(id)?) })
    }

    /// A connection for one speaker alone.
    ///
    /// cpal gives all streams that play the same `sync_id`, and PulseAudio wants those of one connection on one sink:
    /// a second speaker, or the successor of one whose stream still closes, would be refused.
    ///
    /// # Errors
    /// [`Problem::NoServer`] and the like.
    #[cfg(target_os = "linux")]
    pub(crate) fn for_speaker(&self) -> Result<Self, Problem> {
        if is_server(self.inner.id()) { Self::open(Some(self)) } else { Ok(self.clone()) }
    }

    /// A connection for one speaker alone; the same will do.
    ///
    /// # Errors
    /// None.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unnecessary_wraps, reason = "a sound server may refuse")]
    pub(crate) fn for_speaker(&self) -> Result<Self, Problem> {
        Ok(self.clone())
    }

    /// Whether something better may have come: a server, where we make do without.
    #[cfg(target_os = "linux")]
    fn is_makeshift(&self) -> bool {
        !is_server(self.inner.id()) && cpal::available_hosts().into_iter().any(is_server)
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "Linux has two sound systems")]
    fn is_makeshift(&self) -> bool {
        false
    }

    /// Lists the devices, the default one of each kind marked.
    ///
    /// # Errors
    /// [`Problem::NoServer`] where neither a server nor a sound card is.
    pub(crate) fn devices(&self) -> Result<Vec<SoundDevice>, Problem> {
        let default_in = self.inner.default_input_device().and_then(|device| device.id().ok());
        let default_out = self.inner.default_output_device().and_then(|device| device.id().ok());
        let mut devices = Vec::new();
        for device in self.inner.devices()? {
            let Ok(id) = device.id() else { continue };
            if is_no_device(&id) {
                continue;
            }
            let Ok(description) = device.description() else { continue };
            let is_default = |default: &Option<cpal::DeviceId>| default.as_ref() == Some(&id);
            let sides = [
                (SoundKind::Microphone, description.supports_input(), is_default(&default_in)),
                (SoundKind::Speaker, description.supports_output(), is_default(&default_out)),
            ];
            for (kind, _, is_default) in sides.into_iter().filter(|(_, supported, _)| *supported) {
                devices.push(SoundDevice {
                    id: DeviceId::new(id.to_string()),
                    name: description.name().to_owned(),
                    kind,
                    is_default,
                    headset: is_worn(&description) || names_a_headset(id.id()),
                });
            }
        }
        if devices.is_empty() && !self.has_server() {
            return Err(Problem::NoServer);
        }
        Ok(devices)
    }

    #[cfg(target_os = "linux")]
    fn has_server(&self) -> bool {
        is_server(self.inner.id())
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "Linux has two sound systems")]
    fn has_server(&self) -> bool {
        true
    }

    /// The device of this id, as it is now.
    ///
    /// # Errors
    /// [`Problem::NoDevice`] when it is gone.
    pub(crate) fn device(&self, id: &DeviceId, kind: SoundKind) -> Result<cpal::Device, Problem> {
        self.inner
            .devices()?
            .find(|device| {
                let is_it = device.id().is_ok_and(|found| found.to_string() == id.as_str());
                is_it
                    && match kind {
                        SoundKind::Microphone => device.supports_input(),
                        SoundKind::Speaker => device.supports_output(),
                    }
            })
            .ok_or(Problem::NoDevice)
    }
}

fn is_worn(description: &cpal::DeviceDescription) -> bool {
    use cpal::device_description::DeviceType as Type;
    matches!(
        description.device_type(),
        Type::Headphones | Type::Headset | Type::Earpiece | Type::Handset | Type::HearingAid
    ) || names_a_headset(description.name())
}

/// What is listed but is no device: the monitor of a sink hears what this machine plays (PulseAudio names one as the
/// default where there is no microphone). ALSA lists its converters and every way to reach a card; of those, what
/// converts by itself.
fn is_no_device(id: &cpal::DeviceId) -> bool {
    if id.host().to_string() == "alsa" {
        return id.id() != "default" && !id.id().starts_with("plughw:");
    }
    id.id().ends_with(".monitor")
}

/// What a look at the system found.
pub(crate) struct Survey {
    /// To be used until the next look.
    pub(crate) host: Option<Host>,
    /// What there is.
    pub(crate) devices: Result<Vec<SoundDevice>, Problem>,
}

/// Looks at the system; connects anew when the one that was `known` does not answer or was only a makeshift.
pub(crate) fn survey(known: Option<Host>) -> Survey {
    let usable = known.clone().filter(|host| !host.is_makeshift());
    if let Some(host) = usable
        && let Ok(devices) = host.devices()
    {
        return Survey { host: Some(host), devices: Ok(devices) };
    }
    match Host::open(known.as_ref()) {
        Ok(host) => {
            let devices = host.devices();
            Survey { host: Some(host), devices }
        }
        // Kept, so that the next look knows that a server was there.
        Err(problem) => Survey { host: known, devices: Err(problem) },
    }
}
