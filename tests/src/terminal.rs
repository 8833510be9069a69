//! A program of ours that runs beside the test, and what it says.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// How long what has to come may take, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(90);

/// See the module. Dropping it ends the program.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    said: Receiver<String>,
    name: String,
}

impl Terminal {
    /// Starts a program whose lines are read, on both of its outputs.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| name.clone())?;
        let (lines, said) = channel();
        if let Some(output) = child.stdout.take() {
            read(output, lines.clone());
        }
        if let Some(output) = child.stderr.take() {
            read(output, lines);
        }
        Ok(Self { child, said, name })
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with these words, and gives it back. Earlier lines are passed over.
    ///
    /// # Errors
    /// When it does not come in time, or the program ends before: with the last it said.
    pub fn until(&self, words: &str) -> Result<String> {
        let late = Instant::now() + PATIENCE;
        let mut last = String::new();
        loop {
            let left = late.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(line) if line.contains(words) => return Ok(line),
                Ok(line) => last = line,
                Err(_) => bail!("{} did not say {words}, but in the end: {last}", self.name),
            }
        }
    }

    /// Ends the program as a person does by Ctrl+C, and waits until it has.
    ///
    /// # Errors
    /// When it does not end.
    pub fn interrupt(&mut self) -> Result<()> {
        let status = Command::new("kill").arg("-INT").arg(self.id().to_string()).status()?;
        ensure!(status.success(), "{} could not be interrupted: {status}", self.name);
        let late = Instant::now() + PATIENCE;
        loop {
            // Its outputs close with it.
            match self.said.recv_timeout(late.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => bail!("{} does not end", self.name),
            }
        }
        self.child.wait()?;
        Ok(())
    }
}

fn read(output: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).all(|line| lines.send(line).is_ok());
    });
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
