//! The emulated line between the two: each hears of the other's addresses only as ports of the line.

use std::path::Path;
use std::sync::Arc;

use carillon_client::peer::{AudioPath, Peer, PeerCommand, PeerEvents, PeerFactory, Role, WebRtcPeers};
use carillon_link::{
    Change, End, Forwarder, ForwarderError, Plan, Script, ScriptError, SettingError, Settings,
};
use carillon_wire::CallId;
use carillon_wire::frame::Media;

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

/// Peers whose packets go over the line.
pub(super) struct LinePeers {
    inner: WebRtcPeers,
    line: Arc<Forwarder>,
    end: End,
}

impl LinePeers {
    pub(super) fn new(line: Arc<Forwarder>, end: End) -> Self {
        Self { inner: WebRtcPeers::loopback(), line, end }
    }
}

impl PeerFactory for LinePeers {
    fn create(&self, call: CallId, role: Role, media: Media, events: PeerEvents) -> Box<dyn Peer> {
        let peer = self.inner.create(call, role, media, events);
        Box::new(LinePeer { peer, line: Arc::clone(&self.line), other: self.end.other() })
    }
}

struct LinePeer {
    peer: Box<dyn Peer>,
    line: Arc<Forwarder>,
    other: End,
}

impl Peer for LinePeer {
    fn handle(&mut self, command: PeerCommand) {
        let command = match command {
            PeerCommand::AddCandidates { generation, candidates, last } => {
                let stand_in = |candidate: &String| self.line.stand_in(self.other, candidate);
                let candidates = candidates.iter().filter_map(stand_in).collect();
                PeerCommand::AddCandidates { generation, candidates, last }
            }
            other => other,
        };
        self.peer.handle(command);
    }

    fn audio(&mut self) -> Option<Box<dyn AudioPath>> {
        self.peer.audio()
    }
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
