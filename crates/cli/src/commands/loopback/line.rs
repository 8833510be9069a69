//! The emulated line between the two: each hears of the other's addresses only as ports of the line.

use std::path::Path;
use std::sync::Arc;

use carillon_client::peer::{Detour, PeerFactory, WebRtcPeers};
use carillon_link::{
    Change, End, Forwarder, ForwarderError, Plan, Script, ScriptError, SettingError, Settings,
};

use crate::args::Line;

/// Why there is no such line. The text says what would do.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("--{name}: {reason}")]
    Setting { name: &'static str, reason: SettingError },
    #[error("{file}: {reason}")]
    Steps { file: String, reason: ScriptError },
    #[error("{0}")]
    Whole(ScriptError),
    #[error("{file}: {reason}")]
    File { file: String, reason: std::io::Error },
    #[error("{0}")]
    Ports(#[from] ForwarderError),
}

/// The line that was asked for.
pub(super) fn plan(line: &Line) -> Result<Plan, LineError> {
    let mut settings = Settings::default();
    for (name, value) in line.named() {
        let mut change = Change::default();
        change.set(name, value).map_err(|reason| LineError::Setting { name, reason })?;
        change.apply(&mut settings);
    }
    let script = line.steps.as_deref().map(steps).transpose()?.unwrap_or_default();
    Plan::new(settings, script).map_err(LineError::Whole)
}

fn steps(file: &Path) -> Result<Script, LineError> {
    let name = file.display().to_string();
    let text =
        std::fs::read_to_string(file).map_err(|reason| LineError::File { file: name.clone(), reason })?;
    Script::parse(&text).map_err(|reason| LineError::Steps { file: name, reason })
}

/// Peers whose packets go over the line, at this end of it.
pub(super) fn peers(line: Arc<Forwarder>, end: End) -> impl PeerFactory {
    let other = end.other();
    Detour::new(WebRtcPeers::loopback(), move |candidate: &str| line.stand_in(other, candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_none_is_named() {
        let line = Line { loss: Some("110".to_owned()), ..Line::default() };
        assert!(plan(&line).unwrap_err().to_string().starts_with("--loss: "));
        assert!(plan(&Line::default()).is_ok());
    }
}
