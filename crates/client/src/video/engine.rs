//! Camera and threads of the calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use carillon_call::CallView;
use carillon_devices::camera::{Camera, CameraChoice, FrameSlot, Wanted};
use carillon_wire::CallId;

use super::demand::VideoDemand;
use super::{Screen, incoming, outgoing};
use crate::error::{ClientError, LocalCode};
use crate::lips::Lips;
use crate::peer::VideoPath;

/// What a camera is asked for: more than that is not sent.
const WANTED: Wanted = Wanted { width: 1280, height: 720, frame_rate: 30 };

/// The pictures of this client.
pub(crate) struct VideoEngine {
    /// None: there is no camera to send from.
    choice: Option<CameraChoice>,
    screen: Screen,
    demand: VideoDemand,
    slot: FrameSlot,
    camera: Option<Camera>,
    /// Why it could not be opened at all.
    refused: Option<String>,
    /// What was told of it.
    told: Option<String>,
    calls: HashMap<CallId, Running>,
}

/// The threads of one call. They end when this is dropped.
struct Running {
    sends: Arc<AtomicBool>,
    starved: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    incoming: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.incoming.thread().unpark();
    }
}

impl VideoEngine {
    /// # Errors
    /// `invalid` when the camera is named by nothing.
    pub(crate) fn new(camera: Option<&str>, screen: Screen) -> Result<Self, ClientError> {
        let choice = choice_of(camera)?;
        let (demand, slot) = (VideoDemand::default(), FrameSlot::new());
        let calls = HashMap::new();
        Ok(Self { choice, screen, demand, slot, camera: None, refused: None, told: None, calls })
    }

    /// A call's pictures have a way now.
    pub(crate) fn path(&mut self, call: CallId, path: VideoPath, lips: Lips) {
        match self.start(call, path, lips) {
            Ok(running) => {
                self.calls.insert(call, running);
                self.apply();
            }
            Err(error) => tracing::error!(%error, "the system refuses a thread for pictures"),
        }
    }

    /// A call's way is gone.
    pub(crate) fn forget(&mut self, call: CallId) {
        self.calls.remove(&call);
    }

    /// What the calls want now.
    pub(crate) fn follow<'a>(&mut self, views: impl Iterator<Item = &'a CallView>) {
        let demand = VideoDemand::of(views);
        if demand == self.demand {
            return;
        }
        self.demand = demand;
        self.apply();
    }

    /// What is wrong with the camera, where that is something else than was told before; `Some(None)`: nothing any more.
    pub(crate) fn news(&mut self) -> Option<Option<String>> {
        let problem = match &self.camera {
            Some(camera) => camera.status().problem.map(|problem| problem.to_string()),
            None => self.refused.clone(),
        };
        (problem != self.told).then(|| {
            self.told.clone_from(&problem);
            problem
        })
    }

    /// Whether pictures are wanted of the camera.
    pub(crate) const fn is_wanted(&self) -> bool {
        self.demand.camera
    }

    /// Whether pictures are wanted of the camera, and none leave: it gives none, or the line carries none.
    pub(crate) fn camera_fails(&self) -> bool {
        let sends = self.demand.sends.and_then(|call| self.calls.get(&call));
        let starved = sends.is_some_and(|running| running.starved.load(Ordering::Acquire));
        self.demand.camera && (starved || self.gives_none())
    }

    fn gives_none(&self) -> bool {
        match &self.camera {
            Some(camera) => camera.status().problem.is_some(),
            None => true,
        }
    }

    fn apply(&mut self) {
        for (call, running) in &self.calls {
            running.sends.store(self.demand.sends == Some(*call), Ordering::Release);
        }
        if !self.demand.camera {
            (self.camera, self.refused) = (None, None);
        } else if let (None, Some(choice)) = (&self.camera, &self.choice) {
            match Camera::open(choice, WANTED, self.slot.clone()) {
                Ok(camera) => (self.camera, self.refused) = (Some(camera), None),
                Err(error) => self.refused = Some(error.to_string()),
            }
        }
    }

    fn start(&self, call: CallId, path: VideoPath, lips: Lips) -> std::io::Result<Running> {
        let [sends, starved, stop] = std::array::from_fn(|_| Arc::new(AtomicBool::new(false)));
        let VideoPath { outgoing, incoming } = path;
        let out = outgoing::Outgoing::new(
            outgoing,
            self.slot.clone(),
            Arc::clone(&sends),
            Arc::clone(&starved),
            Arc::clone(&stop),
        );
        thread::Builder::new().name("video out".to_owned()).spawn(move || out.run())?;
        let into = incoming::Incoming::new(call, incoming, lips, Arc::clone(&self.screen), Arc::clone(&stop));
        let incoming = thread::Builder::new().name("video in".to_owned()).spawn(move || into.run())?;
        Ok(Running { sends, starved, stop, incoming })
    }
}

fn choice_of(camera: Option<&str>) -> Result<Option<CameraChoice>, ClientError> {
    let wrong = |error: carillon_devices::ChoiceError| {
        ClientError::saying(LocalCode::Invalid, format!("Which camera? {error}."))
    };
    camera.map(str::parse).transpose().map_err(wrong)
}
