//! What a sound device is called.

use std::fmt;

/// Names a device of this machine, the same after a restart. What a person types after `--microphone` and what a
/// settings file keeps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(String);

impl DeviceId {
    /// An id as [`DeviceId::as_str`] gave it.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The direction of a device. One piece of hardware may be there twice, once as each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SoundKind {
    /// Sound comes in.
    Microphone,
    /// Sound goes out.
    Speaker,
}

impl fmt::Display for SoundKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Microphone => "microphone",
            Self::Speaker => "speaker",
        })
    }
}

/// A microphone or a speaker of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundDevice {
    /// Unique among the devices of its kind.
    pub id: DeviceId,
    /// For a person to read.
    pub name: String,
    /// Microphone or speaker.
    pub kind: SoundKind,
    /// Whether the system would choose it.
    pub is_default: bool,
    /// Whether the system, or its name, tells that it sits on a head: then there is no echo to remove.
    pub headset: bool,
}

/// Words that makers put into the names of what is worn on or in the ear.
const WORN: &[&str] =
    &["headset", "headphone", "earphone", "earbud", "earpiece", "airpods", "hands-free", "handsfree"];

/// Whether a name or an id speaks of a headset.
pub(crate) fn names_a_headset(text: &str) -> bool {
    let text = text.to_lowercase();
    WORN.iter().any(|word| text.contains(word))
}

/// The device that a person means by `words`: its id, else its name, else a part of the name of just one device.
/// Upper and lower case are the same in names.
pub(crate) fn resolve<'a>(
    words: &str,
    kind: SoundKind,
    devices: &'a [SoundDevice],
) -> Option<&'a SoundDevice> {
    let of_kind = devices.iter().filter(|device| device.kind == kind);
    named(words, of_kind, |device| device.id.as_str(), |device| device.name.as_str())
}

/// The one of `all` that a person means by `words`, by the rules of [`resolve`].
pub(crate) fn named<'a, T>(
    words: &str,
    all: impl IntoIterator<Item = &'a T, IntoIter: Clone>,
    id: fn(&T) -> &str,
    name: fn(&T) -> &str,
) -> Option<&'a T> {
    let all = all.into_iter();
    let wanted = words.to_lowercase();
    if let Some(found) = all.clone().find(|one| id(one) == words) {
        return Some(found);
    }
    if let Some(found) = all.clone().find(|one| name(one).to_lowercase() == wanted) {
        return Some(found);
    }
    let mut partly = all.filter(|one| name(one).to_lowercase().contains(&wanted));
    partly.next().filter(|_| partly.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str, name: &str, kind: SoundKind) -> SoundDevice {
        SoundDevice { id: DeviceId::new(id), name: name.to_owned(), kind, is_default: false, headset: false }
    }

    #[test]
    fn a_device_is_found_by_id_by_name_and_by_a_part_of_its_name() {
        let devices = [
            device("p:a", "Desk Microphone", SoundKind::Microphone),
            device("p:b", "Webcam Microphone", SoundKind::Microphone),
            device("p:c", "Desk Speaker", SoundKind::Speaker),
        ];
        let found = |words| {
            resolve(words, SoundKind::Microphone, &devices).map(|device| device.id.as_str().to_owned())
        };
        assert_eq!(found("p:b").as_deref(), Some("p:b"));
        assert_eq!(found("desk microphone").as_deref(), Some("p:a"));
        assert_eq!(found("webcam").as_deref(), Some("p:b"));
        assert_eq!(found("microphone"), None, "two have it");
        assert_eq!(found("speaker"), None, "of the other kind");
    }

    #[test]
    fn what_is_worn_on_the_head_is_known_by_its_name() {
        assert!(names_a_headset("bluez_output.00.headset-head-unit"));
        assert!(names_a_headset("Anna's AirPods Pro"));
        assert!(!names_a_headset("HD-Audio Generic Analog Stereo"));
    }
}
