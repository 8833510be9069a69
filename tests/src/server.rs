//! A `carillon-server` process of our own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::net::TcpStream;

/// How long a server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A server process on a loopback port, with its data in a folder of its own. Killed when dropped; the folder goes too.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
    data: PathBuf,
    settings: Vec<(&'static str, String)>,
    shell: Vec<String>,
}

impl Server {
    /// Starts one with these settings, named as in the environment without `CARILLON_`.
    ///
    /// # Errors
    /// When the program is not built, or does not answer in time.
    pub async fn start(settings: &[(&'static str, &str)]) -> Result<Self> {
        Self::start_in(&[], settings).await
    }

    /// The same through these words, which end in a shell script. The script finds the program in `$0` and the data folder
    /// in `$1`, and becomes the program.
    ///
    /// # Errors
    /// As [`start`](Self::start), and when the script ends before.
    pub async fn start_in(shell: &[&str], settings: &[(&'static str, &str)]) -> Result<Self> {
        let shell: Vec<_> = shell.iter().map(|word| (*word).to_owned()).collect();
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let data = std::env::temp_dir().join(format!("carillon-server-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&data)?;
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let child = spawn(port, &data, &settings, &shell)?;
        let mut server = Self { child, port, data, settings, shell };
        server.wait_until_up().await?;
        Ok(server)
    }

    /// Its address, as a client is given it.
    pub fn url(&self) -> String {
        let scheme = if self.speaks_tls() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    fn speaks_tls(&self) -> bool {
        self.settings.iter().any(|(name, _)| *name == "TLS_CERTIFICATE")
    }

    /// Its host and port: the audience of challenges.
    pub fn audience(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, by its name: `HUP` for example.
    ///
    /// # Errors
    /// When that can't be done.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status()?;
        ensure!(status.success(), "kill -{name}: {status}");
        Ok(())
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Ends it without warning (SIGKILL on Unix) and waits until it is gone.
    ///
    /// # Errors
    /// When the process can't be ended.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again after [`kill`](Self::kill): the same port, the same data.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_again(&mut self) -> Result<()> {
        self.child = spawn(self.port, &self.data, &self.settings, &self.shell)?;
        self.wait_until_up().await
    }

    async fn wait_until_up(&mut self) -> Result<()> {
        let http = crate::device::http_client();
        let deadline = Instant::now() + START_LIMIT;
        let mut every = tokio::time::interval(Duration::from_millis(20));
        loop {
            every.tick().await;
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended at its start ({status})");
            }
            // Whom to trust is the test's business: that it listens is enough to know here.
            let up = if self.speaks_tls() {
                TcpStream::connect(self.audience()).await.is_ok()
            } else {
                let answer = http.get(format!("{}/healthz", self.url())).send().await;
                answer.is_ok_and(|answer| answer.status().is_success())
            };
            if up {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the server did not answer within {START_LIMIT:?}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// A program of this workspace, beside the one that runs.
///
/// # Errors
/// When it is not built.
pub fn program(name: &str) -> Result<PathBuf> {
    let mut folder = std::env::current_exe()?;
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    ensure!(path.exists(), "{} is not built: run `cargo build --workspace --bins`", path.display());
    Ok(path)
}

fn spawn(port: u16, data: &Path, settings: &[(&'static str, String)], shell: &[String]) -> Result<Child> {
    let program = program("carillon-server")?;
    let mut command = match shell {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program).arg(data);
            command
        }
    };
    command
        .env("CARILLON_LISTEN", format!("127.0.0.1:{port}"))
        .env("CARILLON_DATA_DIR", data)
        .env("CARILLON_LOG", "warn")
        .stdin(Stdio::null());
    for (name, value) in settings {
        command.env(format!("CARILLON_{name}"), value);
    }
    command.spawn().context("the server could not be started")
}
