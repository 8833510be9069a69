//! A real Chromium without a window, with a camera and a microphone from files or of its own making, driven over the
//! DevTools protocol.
//!
//! Its page (`page.js`) is one end of a call. Descriptions and candidates pass through the test.

mod devtools;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::person::PATIENCE;
use devtools::{DevTools, Happening};

/// Names the browser, where it is none that is looked for.
pub const PROGRAM: &str = "CARILLON_CHROMIUM";
/// What Chromium and its kin are called on the `PATH`.
const PROGRAMS: [&str; 3] = ["chromium", "google-chrome", "google-chrome-stable"];
/// Those that lie here see folders of their own, not what a test writes.
const SNAPS: &str = "/snap/bin";
/// Where they lie on systems that put no programs on it.
const PLACES: [&str; 3] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
];
/// Lines of its log that are kept.
const LINES: usize = 80;

const SETTINGS: &[&str] = &[
    "--headless=new",
    // The one page that it opens is our own, and containers have no user namespaces to make a sandbox of.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    // The two ends meet over loopback, and a name in place of an address is for other machines' eyes.
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--remote-debugging-port=0",
];

/// What its camera and its microphone give.
#[derive(Debug, Clone, Default)]
pub struct Capture {
    /// A Y4M file, again and again; without one a picture of its own.
    pub film: Option<PathBuf>,
    /// A WAV file, again and again; without one a beep each second.
    pub voice: Option<PathBuf>,
}

/// What the page tells unasked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// A local candidate, as a `candidate:` line.
    Candidate(String),
    /// The first picture of the other side is on the screen: when, in ms since 1970.
    First(f64),
}

/// How the page's call stands.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct State {
    /// `RTCPeerConnection.connectionState`.
    pub connection: String,
    /// `RTCDataChannel.readyState`.
    pub control: String,
    /// MIME type of the pictures that come.
    pub received_codec: Option<String>,
    /// MIME type of the pictures that go.
    pub sent_codec: Option<String>,
    /// MIME type of the sound that comes.
    pub sound_codec: Option<String>,
    /// Pictures decoded.
    pub frames_decoded: u64,
    /// Bytes of pictures that came, without headers.
    pub bytes_received: u64,
    /// Pictures that were shown since they are watched.
    pub frames_shown: u64,
    /// Different numbers read off their bar codes.
    pub pictures_read: u64,
    /// Of the last picture, in pixels.
    pub width: u32,
    /// Of the last picture, in pixels.
    pub height: u32,
    /// Packets of pictures that came by retransmission.
    pub repaired: u64,
    /// Keyframes asked for.
    pub keyframes_asked: u64,
    /// Of the sound that was played, as `totalAudioEnergy` of W3C webrtc-stats.
    pub audio_energy: f64,
    /// Messages on the data channel.
    pub messages: u64,
}

#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The last lines of what a browser says of itself.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<VecDeque<String>>>);

impl Log {
    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: String) {
        let mut lines = self.lines();
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// A browser with one page. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    page: DevTools,
    told: mpsc::UnboundedReceiver<Told>,
    log: Log,
    /// Before its folder, which it writes to.
    child: Child,
    _folder: Folder,
}

impl Browser {
    /// Starts one, with its page open.
    ///
    /// # Errors
    /// When there is none on this machine, with what to do; when it does not come up, with its log.
    pub async fn start(capture: &Capture) -> Result<Self> {
        let program = program().with_context(|| {
            format!(
                "there is no Chromium on this machine: `cargo xtask test` installs it or says how, or name one in {PROGRAM}"
            )
        })?;
        let random: u64 = rand::random();
        let folder = std::env::temp_dir().join(format!("carillon-browser-{}-{random:x}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let folder = Folder(folder);
        let page = folder.0.join("page.html");
        std::fs::write(&page, include_str!("browser/page.html"))?;
        std::fs::write(folder.0.join("page.js"), include_str!("browser/page.js"))?;

        let mut command = Command::new(&program);
        command.args(SETTINGS).arg(format!("--user-data-dir={}", folder.0.join("profile").display()));
        for (option, file) in [("video", &capture.film), ("audio", &capture.voice)] {
            if let Some(file) = file {
                command.arg(format!("--use-file-for-fake-{option}-capture={}", file.display()));
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.arg("about:blank").spawn().with_context(|| program.display().to_string())?;
        let log = Log::default();
        let address = listen(&mut child, log.clone())?;
        let entered = async {
            let address = timeout(PATIENCE, address).await.context("the browser does not come up")?;
            enter(&address.context("the browser ended")?, &page, &log).await
        };
        let (page, told) = entered.await.with_context(|| said(&log))?;
        Ok(Self { page, told, log, child, _folder: folder })
    }

    /// The process; its own children do most of the work.
    pub fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Calls: gives the offer. `settings` as `page.js` takes them.
    ///
    /// # Errors
    /// When the page throws.
    pub async fn offer(&self, settings: &Value) -> Result<String> {
        self.ask("offer", &[settings]).await
    }

    /// Is called with this offer: gives the answer.
    ///
    /// # Errors
    /// When the page throws.
    pub async fn answer(&self, offer: &str, settings: &Value) -> Result<String> {
        self.ask("answer", &[&json!(offer), settings]).await
    }

    /// Its call was answered.
    ///
    /// # Errors
    /// When the page throws.
    pub async fn answered(&self, answer: &str) -> Result<()> {
        self.ask::<Value>("answered", &[&json!(answer)]).await.map(drop)
    }

    /// A candidate of the other side.
    ///
    /// # Errors
    /// When the page throws.
    pub async fn candidate(&self, line: &str) -> Result<()> {
        self.ask::<Value>("addCandidate", &[&json!(line)]).await.map(drop)
    }

    /// How it stands.
    ///
    /// # Errors
    /// When the page throws.
    pub async fn state(&self) -> Result<State> {
        self.ask("state", &[]).await
    }

    /// Calls a function of the page with what can be written as JSON.
    ///
    /// # Errors
    /// When the page throws, or gives something else.
    pub async fn ask<T: DeserializeOwned>(&self, function: &str, arguments: &[&Value]) -> Result<T> {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        let expression = format!("{function}({})", arguments.join(", "));
        let value =
            self.page.evaluate(&expression).await.with_context(|| format!("{function} in the page"))?;
        serde_json::from_value(value).with_context(|| format!("what {function} gave"))
    }

    /// What the page tells next.
    ///
    /// # Errors
    /// When the browser is gone.
    pub async fn told(&mut self) -> Result<Told> {
        self.told.recv().await.context("the browser is gone")
    }

    /// What browser and page said last, to be shown with a failure.
    pub fn log(&self) -> String {
        said(&self.log)
    }

    /// Ends it, and waits until it is gone.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn close(mut self) -> Result<()> {
        // The answer may get lost with the browser.
        let _ = self.page.request("Browser.close", json!({})).await;
        timeout(PATIENCE, self.child.wait()).await.context("the browser does not end")??;
        Ok(())
    }
}

fn said(log: &Log) -> String {
    let lines: Vec<_> = log.lines().iter().cloned().collect();
    format!("the browser said:\n  {}", lines.join("\n  "))
}

/// Where the browser is.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(PROGRAM) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).filter(|folder| folder != Path::new(SNAPS)).collect();
    let on_path = PROGRAMS.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    on_path.chain(PLACES.iter().map(PathBuf::from)).find(|file| file.is_file())
}

/// Keeps what the browser writes; gives the address at which it listens.
fn listen(child: &mut Child, log: Log) -> Result<oneshot::Receiver<String>> {
    let output = child.stderr.take().context("no standard error")?;
    let (found, address) = oneshot::channel();
    tokio::spawn(async move {
        let (mut found, mut lines) = (Some(found), BufReader::new(output).lines());
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(url) = line.strip_prefix("DevTools listening on ")
                && let Some(found) = found.take()
            {
                let _ = found.send(url.trim().to_owned());
            }
            log.add(line);
        }
    });
    Ok(address)
}

/// Opens the page, and passes on what it tells.
async fn enter(address: &str, page: &Path, log: &Log) -> Result<(DevTools, mpsc::UnboundedReceiver<Told>)> {
    let (browser, mut happenings) = DevTools::connect(address).await?;
    let targets = browser.request("Target.getTargets", json!({})).await?;
    let targets = targets["targetInfos"].as_array().context("no targets")?;
    let tab = targets.iter().find(|target| target["type"] == "page").context("no page is open")?;
    let params = json!({ "targetId": tab["targetId"], "flatten": true });
    let attached = browser.request("Target.attachToTarget", params).await?;
    let session = attached["sessionId"].as_str().context("no session")?.to_owned();
    let tab = browser.of_page(session);
    tab.request("Runtime.enable", json!({})).await?;
    tab.request("Runtime.addBinding", json!({ "name": "tell" })).await?;
    tab.request("Page.enable", json!({})).await?;
    let path = page.display().to_string().replace('\\', "/");
    let url = format!("file:///{}", path.trim_start_matches('/'));
    tab.request("Page.navigate", json!({ "url": url })).await?;
    let (tell, told) = mpsc::unbounded_channel();
    let loaded = async {
        while let Some(happening) = happenings.recv().await {
            if happening.0 == "Page.loadEventFired" {
                return Ok(());
            }
            pass_on(&happening, &tell, log);
        }
        bail!("the browser is gone")
    };
    timeout(PATIENCE, loaded).await.context("the page does not load")??;
    let log = log.clone();
    tokio::spawn(async move {
        while let Some(happening) = happenings.recv().await {
            pass_on(&happening, &tell, &log);
        }
    });
    Ok((tab, told))
}

fn pass_on((event, params): &Happening, tell: &mpsc::UnboundedSender<Told>, log: &Log) {
    match event.as_str() {
        "Runtime.bindingCalled" => {
            let payload = params["payload"].as_str().unwrap_or_default();
            match serde_json::from_str(payload) {
                Ok(told) => drop(tell.send(told)),
                Err(error) => log.add(format!("the page told {payload}: {error}")),
            }
        }
        "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" => log.add(format!("page: {params}")),
        _ => {}
    }
}
