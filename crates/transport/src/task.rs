//! The task of one connection: what the machine asks goes to the stack, what the stack says goes to the machine.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use carillon_call::{PeerCommand, Role, Transport};
use carillon_wire::Bytes32;
use carillon_wire::payload::{Description, SdpKind};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use webrtc::peer_connection::{RTCIceConnectionState, RTCPeerConnectionState};

use crate::bucket::Bucket;
use crate::candidate::{Candidate, CandidateError, Kind, MAX_CANDIDATES};
use crate::config::PeerConfig;
use crate::connection::{Connection, ConnectionError, FromStack};
use crate::drops::Dropped;
use crate::message;
use crate::outgoing::Outgoing;
use crate::peer::{Event, Events, Shared};

/// How often the silence on the path is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Messages of the other side: media state, rates, candidates of a restart. A person does not make more.
const MESSAGES: (u32, u32) = (50, 100);

/// Messages that may wait for DTLS to be compared.
const MAX_HELD: usize = 32;

/// See the module.
pub(crate) struct Task {
    config: PeerConfig,
    shared: Arc<Shared>,
    events: Events,
    local: LocalSide,
    remote: RemoteSide,
    path: PathState,
    /// The certificate was compared, and this has been said.
    dtls_up: bool,
    data_open: bool,
    messages: Bucket,
    held: Vec<Transport>,
}

/// Our descriptions and candidates.
#[derive(Debug, Default)]
struct LocalSide {
    fingerprint: Option<Bytes32>,
    /// The generation whose description has been given out.
    described: Option<u32>,
    /// Found and not given out: they come after their description.
    found: Vec<String>,
    given: HashSet<String>,
    generation: u32,
    gathered: bool,
}

/// The other side's.
#[derive(Debug, Default)]
struct RemoteSide {
    sealed: Option<Bytes32>,
    applied: Option<u32>,
    /// Of the generation that comes next, when they are faster than its description.
    early: Vec<Candidate>,
    early_generation: u32,
    count: usize,
}

/// What was said of the path.
#[derive(Debug, Default)]
struct PathState {
    agent_up: bool,
    said_up: Option<bool>,
    up_since: Option<Instant>,
}

/// Whether to go on.
type Go = Result<(), ConnectionError>;

impl Task {
    pub(crate) fn new(config: PeerConfig, shared: Arc<Shared>, events: Events) -> Self {
        let (per_second, burst) = MESSAGES;
        Self {
            config,
            shared,
            events,
            local: LocalSide::default(),
            remote: RemoteSide::default(),
            path: PathState::default(),
            dtls_up: false,
            data_open: false,
            messages: Bucket::new(per_second, burst),
            held: Vec::new(),
        }
    }

    fn say(&self, transport: Transport) {
        (self.events)(Event::Call(transport));
    }

    fn dropped(&self, reason: Dropped) {
        self.shared.counters.dropped(reason);
    }
}

/// Runs a connection from its opening to its end, which comes in every case.
pub(crate) async fn run(
    mut task: Task,
    mut commands: mpsc::UnboundedReceiver<PeerCommand>,
    outgoing: Outgoing,
) {
    task.config.ice_servers.known(task.config.timings.servers).await;
    let opened = Connection::open(&task.config, &task.shared).await;
    match opened {
        Ok((mut connection, mut from_stack, mut seen)) => {
            let mut outgoing = Some(outgoing);
            let lived =
                live(&mut task, &mut connection, &mut commands, &mut from_stack, &mut seen, &mut outgoing)
                    .await;
            if let Err(error) = &lived {
                tracing::warn!(%error, "the peer connection is broken");
                task.say(Transport::Failed);
            }
            task.shared.counters.admitted.store(false, Ordering::Release);
            connection.linger(task.config.timings.linger).await;
            connection.close().await;
        }
        Err(error) => {
            tracing::warn!(%error, "no peer connection could be opened");
            task.say(Transport::Failed);
        }
    }
    (task.events)(Event::Closed);
}

async fn live(
    task: &mut Task,
    connection: &mut Connection,
    commands: &mut mpsc::UnboundedReceiver<PeerCommand>,
    from_stack: &mut mpsc::UnboundedReceiver<FromStack>,
    seen: &mut mpsc::UnboundedReceiver<Bytes32>,
    outgoing: &mut Option<Outgoing>,
) -> Go {
    if task.config.role == Role::Caller {
        let description = connection.offer(0).await?;
        task.described(0, description);
    }
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                None | Some(PeerCommand::Close) => return Ok(()),
                Some(command) => task.command(connection, command).await?,
            },
            Some(fingerprint) = seen.recv() => task.certificate_seen(fingerprint),
            Some(said) = from_stack.recv() => {
                task.said(connection, said, outgoing).await?;
                if from_stack.is_empty() {
                    task.give_candidates();
                }
            }
            _ = look.tick(), if task.path.agent_up => task.look(Instant::now())?,
        }
    }
}

impl Task {
    async fn command(&mut self, connection: &mut Connection, command: PeerCommand) -> Go {
        match command {
            PeerCommand::ApplyRemote { generation, kind, description } => {
                self.apply(connection, generation, kind, description).await
            }
            PeerCommand::AddCandidates { generation, candidates, last: _ } => {
                self.add_candidates(connection, generation, &candidates).await
            }
            PeerCommand::RestartIce { generation } => {
                self.begin(generation);
                let description = connection.offer(generation).await?;
                self.described(generation, description);
                Ok(())
            }
            PeerCommand::SendData(payload) => {
                // A channel that is not open, or one too long: the machine has another way, and counts on neither.
                match message::write(&payload) {
                    Ok(text) if self.data_open => {
                        if connection.send_data(&text).await.is_err() {
                            self.dropped(Dropped::BadMessage);
                        }
                    }
                    Ok(_) | Err(_) => self.dropped(Dropped::BadMessage),
                }
                Ok(())
            }
            PeerCommand::LimitRate { bits_per_second } => {
                self.shared.counters.limit.store(bits_per_second, Ordering::Relaxed);
                Ok(())
            }
            PeerCommand::Create { .. } | PeerCommand::Close => Ok(()),
        }
    }

    async fn apply(
        &mut self,
        connection: &mut Connection,
        generation: u32,
        kind: SdpKind,
        description: Description,
    ) -> Go {
        let fits = match kind {
            SdpKind::Offer => self.config.role == Role::Callee && self.remote.applied < Some(generation),
            SdpKind::Answer => self.config.role == Role::Caller && generation == self.local.generation,
        };
        let same = self.remote.sealed.is_none_or(|sealed| sealed == description.fingerprint);
        if !fits || !same {
            self.dropped(Dropped::BadDescription);
            return Ok(());
        }
        self.remote.sealed = Some(description.fingerprint);
        if kind == SdpKind::Offer {
            self.begin(generation);
        }
        let answer = connection.apply(generation, kind, &description).await.inspect_err(|_| {
            self.dropped(Dropped::BadDescription);
        })?;
        self.remote.applied = Some(generation);
        self.remote.count = 0;
        if let Some(answer) = answer {
            self.described(generation, answer);
        }
        let early = std::mem::take(&mut self.remote.early);
        if self.remote.early_generation == generation {
            for candidate in early {
                self.add_candidate(connection, &candidate).await;
            }
        }
        Ok(())
    }

    /// A new generation starts on our side. What was found for the one before is of no use any longer.
    fn begin(&mut self, generation: u32) {
        self.local.generation = generation;
        self.local.found.clear();
        self.local.given.clear();
        self.local.gathered = false;
    }

    fn described(&mut self, generation: u32, description: Description) {
        self.local.fingerprint = Some(description.fingerprint);
        self.local.described = Some(generation);
        self.say(Transport::LocalDescription { generation, description });
        self.give_candidates();
    }

    async fn add_candidates(&mut self, connection: &Connection, generation: u32, lines: &[String]) -> Go {
        if self.remote.applied > Some(generation) {
            lines.iter().for_each(|_| self.dropped(Dropped::StaleCandidate));
            return Ok(());
        }
        let early = self.remote.applied < Some(generation);
        if early && self.remote.early_generation < generation {
            self.remote.early.clear();
            self.remote.early_generation = generation;
        }
        for line in lines {
            let candidate = match Candidate::parse(line, self.config.interfaces) {
                Ok(candidate) => candidate,
                Err(error) => {
                    self.dropped(reason(error));
                    continue;
                }
            };
            if early {
                if self.remote.early.len() == MAX_CANDIDATES {
                    self.dropped(Dropped::BadCandidate);
                } else if generation == self.remote.early_generation {
                    self.remote.early.push(candidate);
                }
            } else {
                self.add_candidate(connection, &candidate).await;
            }
        }
        Ok(())
    }

    async fn add_candidate(&mut self, connection: &Connection, candidate: &Candidate) {
        if self.remote.count == MAX_CANDIDATES || connection.add_candidate(candidate).await.is_err() {
            self.dropped(Dropped::BadCandidate);
        } else {
            self.remote.count += 1;
        }
    }

    /// A certificate that is neither ours nor the sealed one: DTLS breaks off now, and the machine learns why.
    fn certificate_seen(&mut self, fingerprint: Bytes32) {
        let expected = [self.local.fingerprint, self.remote.sealed].contains(&Some(fingerprint));
        if !self.dtls_up && !expected && self.remote.sealed.is_some() {
            self.say(Transport::DtlsUp { fingerprint });
        }
    }

    async fn said(
        &mut self,
        connection: &Connection,
        said: FromStack,
        outgoing: &mut Option<Outgoing>,
    ) -> Go {
        match said {
            FromStack::Candidate { generation, line } => self.found(generation, &line),
            FromStack::Gathered { generation } => {
                self.local.gathered |= generation == self.local.generation;
            }
            FromStack::Ice(state) => {
                self.ice(state);
                if self.path.agent_up {
                    self.shared.set_path(connection.path().await);
                }
            }
            FromStack::Connection(state) => {
                if state == RTCPeerConnectionState::Connected && !self.dtls_up {
                    self.compare(connection, outgoing).await?;
                }
            }
            FromStack::DataOpen => {
                self.data_open = true;
                self.after_dtls(Transport::DataOpen);
            }
            FromStack::Data(bytes) => match message::parse(&bytes) {
                Ok(payload) if self.messages.take(Instant::now()) => {
                    self.after_dtls(Transport::Data(payload))
                }
                Ok(_) | Err(_) => self.dropped(Dropped::BadMessage),
            },
        }
        Ok(())
    }

    /// Compares the certificate that DTLS let through with the sealed one. Media passes from here on, not before.
    async fn compare(&mut self, connection: &Connection, outgoing: &mut Option<Outgoing>) -> Go {
        let Some(fingerprint) = connection.fingerprint().await else { return Ok(()) };
        self.dtls_up = true;
        self.shared.set_srtp(connection.srtp_profile().await);
        self.say(Transport::DtlsUp { fingerprint });
        if Some(fingerprint) != self.remote.sealed {
            return Ok(());
        }
        if let Some(outgoing) = outgoing.take() {
            connection.send(outgoing).await?;
        }
        self.shared.counters.admitted.store(true, Ordering::Release);
        for transport in std::mem::take(&mut self.held) {
            self.say(transport);
        }
        Ok(())
    }

    /// The data channel is younger than DTLS, but what it says may be faster than the comparison.
    fn after_dtls(&mut self, transport: Transport) {
        if self.shared.counters.is_admitted() {
            self.say(transport);
        } else if !self.dtls_up && self.held.len() < MAX_HELD {
            self.held.push(transport);
        } else {
            self.dropped(Dropped::BadMessage);
        }
    }

    fn found(&mut self, generation: u32, line: &str) {
        if generation != self.local.generation {
            return;
        }
        let Ok(candidate) = Candidate::parse(line, self.config.interfaces) else { return };
        if self.config.relay_only && candidate.kind != Kind::Relay {
            return;
        }
        let line = candidate.line();
        if self.local.given.len() < MAX_CANDIDATES && self.local.given.insert(line.clone()) {
            self.local.found.push(line);
        }
    }

    /// Gives out what was found, as one, once its description is out.
    fn give_candidates(&mut self) {
        let generation = self.local.generation;
        if self.local.described != Some(generation) {
            return;
        }
        let last = std::mem::take(&mut self.local.gathered);
        let candidates = std::mem::take(&mut self.local.found);
        if last || !candidates.is_empty() {
            self.say(Transport::LocalCandidates { generation, candidates, last });
        }
    }

    fn ice(&mut self, state: RTCIceConnectionState) {
        match state {
            RTCIceConnectionState::Connected | RTCIceConnectionState::Completed => {
                self.path.agent_up = true;
                self.path.up_since.get_or_insert_with(Instant::now);
                self.shared.counters.hear(Instant::now());
                self.say_path(true);
            }
            RTCIceConnectionState::Disconnected => {
                self.path.agent_up = false;
                self.say_path(false);
            }
            RTCIceConnectionState::Failed => {
                self.path.agent_up = false;
                self.path.said_up = None;
                self.say(Transport::IceFailed);
            }
            // A restart: the machine asked for it, and hears of its success.
            RTCIceConnectionState::Checking => {
                self.path.agent_up = false;
                self.path.said_up = None;
            }
            // New, closed, and what the stack may add.
            _ => {}
        }
    }

    fn say_path(&mut self, up: bool) {
        if self.path.said_up != Some(up) {
            self.path.said_up = Some(up);
            self.say(if up { Transport::IceUp } else { Transport::IceDown });
        }
    }

    /// Consent checks keep the path from being silent, so silence means that nothing comes through.
    fn look(&mut self, now: Instant) -> Go {
        let silent = self.shared.counters.silence(now) > self.config.timings.down;
        self.say_path(!silent);
        let waiting = self.path.up_since.filter(|_| !self.dtls_up);
        if waiting.is_some_and(|since| now.saturating_duration_since(since) > self.config.timings.dtls) {
            return Err(ConnectionError::Handshake);
        }
        Ok(())
    }
}

const fn reason(error: CandidateError) -> Dropped {
    match error {
        CandidateError::TooLong | CandidateError::Malformed => Dropped::BadCandidate,
        CandidateError::Forbidden => Dropped::ForbiddenCandidate,
        CandidateError::Unusable => Dropped::UnusableCandidate,
    }
}
