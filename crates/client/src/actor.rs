//! The one task of a profile: it owns the call machine, the keys of each call, the peers and the line.
//!
//! What happens comes in by channels (the shells' wishes, the line's events, the peers' events, the outcome of work in
//! the background) and goes into the machine; what the machine wants goes out in [`outputs`].

mod acks;
mod frames;
mod network;
mod ongoing;
mod outputs;
mod sound;
mod upkeep;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carillon_call::{Calls, Input, Network, Signal, Transport, User};
use carillon_e2e::{CallContext, ReplayCache, commitment};
use carillon_wire::frame::{ClientFrame, Media};
use carillon_wire::rest::{CallSettings, Me};
use carillon_wire::{AccountId, CallId, Code, Millis, PROTOCOL};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::clock::{Calendar, steady_now};
use crate::convert::call_state;
use crate::dto::{Account, ClientEvent, Connection, Party, State, Tone};
use crate::error::{ClientError, LocalCode};
use crate::http::SignedApi;
use crate::peer::{PeerEvents, PeerFactory};
use crate::secrets::Vault;
use crate::socket::{Dial, Socket, SocketCommand, SocketConfig, SocketEvent};
use crate::sound::{DeskStatus, Engine, News, SoundChange, SoundSettings};
use crate::store::Store;
use crate::trust::{Devices, TrustBook};
use crate::video::VideoEngine;
use acks::Acks;
use ongoing::Ongoing;
pub(crate) use upkeep::account;

/// What a shell wants.
pub(crate) enum Wish {
    /// Keep a line to the server.
    Connect,
    /// Everything, as it is now.
    State(oneshot::Sender<State>),
    /// Call somebody whose devices have been checked.
    Dial(Box<Dialled>, oneshot::Sender<CallId>),
    /// Do something about a call; the answer tells whether there is such a call.
    Call(CallId, User, oneshot::Sender<Result<(), ClientError>>),
    /// Watch the presence of these.
    Watch(Vec<AccountId>),
    /// The addresses of this machine changed.
    NetworkChanged,
    /// There is an account now.
    SignedIn(SignedIn, Account),
    /// The account looks different.
    Account(Account),
    /// The settings are these.
    Settings(CallSettings),
    /// The person has seen the missed calls.
    MissedSeen,
    /// Change how sound is taken and played; the answer is what it is then.
    Sound(SoundChange, oneshot::Sender<Result<SoundSettings, ClientError>>),
    /// How sound is set, and how the devices are.
    SoundState(oneshot::Sender<(SoundSettings, DeskStatus)>),
    /// Hang up, close the line, and end.
    Shutdown(oneshot::Sender<()>),
}

/// Whom to call.
pub(crate) struct Dialled {
    pub(crate) party: Party,
    pub(crate) devices: Devices,
    pub(crate) media: Media,
}

/// What belongs to a signed-in account.
#[derive(Clone)]
pub(crate) struct SignedIn {
    pub(crate) api: Arc<SignedApi>,
    pub(crate) vault: Vault,
    pub(crate) dial: Arc<dyn Dial>,
}

/// What the client and its task share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) trust: TrustBook,
    pub(crate) events: broadcast::Sender<ClientEvent>,
    pub(crate) peers: Arc<dyn PeerFactory>,
    pub(crate) calendar: Calendar,
    /// Whether the next calls hide this machine's address.
    pub(crate) hide_address: AtomicBool,
}

/// What came of work in the background.
enum Done {
    /// The devices of a call's callee were fetched and checked.
    Devices(CallId, Result<Devices, ClientError>),
    /// The own account was fetched.
    Me(Box<Me>),
    /// The settings were fetched.
    Settings(CallSettings),
    /// The missed calls were counted.
    Missed { unread: u32, newest: u64 },
}

/// Both ends of a channel whose senders are handed out.
type Inbox<T> = (mpsc::UnboundedSender<T>, mpsc::UnboundedReceiver<T>);

/// The task.
pub(crate) struct Actor {
    shared: Arc<Shared>,
    wishes: mpsc::Receiver<Wish>,
    signed_in: Option<SignedIn>,
    account: Option<Account>,
    settings: Option<CallSettings>,
    unread: u32,
    newest_missed: u64,
    connection: Connection,
    socket: Option<Socket>,
    watched: Vec<AccountId>,
    machine: Calls,
    calls: HashMap<CallId, Ongoing>,
    replays: ReplayCache,
    acks: Acks,
    placing: HashMap<CallId, ongoing::Placing>,
    from_socket: (mpsc::Sender<SocketEvent>, mpsc::Receiver<SocketEvent>),
    from_peers: Inbox<(CallId, Transport)>,
    from_work: Inbox<Done>,
    /// None for a client that carries no sound.
    engine: Option<Engine>,
    from_sound: mpsc::UnboundedReceiver<News>,
    /// None for a client that carries no pictures.
    video: Option<VideoEngine>,
    /// What is to be heard for each call.
    tones: BTreeMap<CallId, Tone>,
    upkeep_at: Instant,
    /// When the credentials of the relays are asked for anew.
    renew_relays_at: Option<Instant>,
    /// The addresses of this machine when they were last looked at, if they ever were, and when they are looked at next.
    addresses: Option<Vec<IpAddr>>,
    glance_at: Instant,
    /// When it is looked next whether the camera gives pictures.
    camera_at: Instant,
}

/// What an actor starts with.
pub(crate) struct Start {
    pub(crate) signed_in: Option<SignedIn>,
    pub(crate) account: Option<Account>,
    pub(crate) settings: Option<CallSettings>,
    pub(crate) replays: ReplayCache,
    pub(crate) engine: Option<Engine>,
    pub(crate) from_sound: mpsc::UnboundedReceiver<News>,
    pub(crate) video: Option<VideoEngine>,
}

impl Actor {
    /// Starts the task.
    pub(crate) fn start(shared: Arc<Shared>, wishes: mpsc::Receiver<Wish>, start: Start) {
        let actor = Self {
            shared,
            wishes,
            signed_in: start.signed_in,
            account: start.account,
            settings: start.settings,
            unread: 0,
            newest_missed: 0,
            connection: Connection::Idle,
            socket: None,
            watched: Vec::new(),
            machine: Calls::new(),
            calls: HashMap::new(),
            replays: start.replays,
            acks: Acks::default(),
            placing: HashMap::new(),
            from_socket: mpsc::channel(64),
            from_peers: mpsc::unbounded_channel(),
            from_work: mpsc::unbounded_channel(),
            engine: start.engine,
            from_sound: start.from_sound,
            video: start.video,
            tones: BTreeMap::new(),
            upkeep_at: Instant::now() + upkeep::INTERVAL,
            renew_relays_at: None,
            addresses: None,
            glance_at: Instant::now(),
            camera_at: Instant::now(),
        };
        tokio::spawn(actor.run());
    }

    async fn run(mut self) {
        let farewell = loop {
            let timeout = self.machine.poll_timeout().map(Instant::from_std);
            tokio::select! {
                wish = self.wishes.recv() => match wish {
                    Some(Wish::Shutdown(done)) => break Some(done),
                    Some(wish) => self.fulfil(wish),
                    None => break None,
                },
                Some(event) = self.from_socket.1.recv() => self.heard(event).await,
                Some((call, event)) = self.from_peers.1.recv() => self.input(call, Input::Transport(event)),
                Some(done) = self.from_work.1.recv() => self.done(done).await,
                Some(news) = self.from_sound.recv() => self.sound_says(news),
                () = sleep_until(self.renew_relays_at.unwrap_or(self.upkeep_at)), if self.renew_relays_at.is_some() => {
                    self.renew_relays_at = None;
                    self.request(ClientFrame::Turn {});
                }
                () = sleep_until(self.glance_at), if !self.calls.is_empty() => {
                    self.glance();
                    self.camera_says();
                }
                () = sleep_until(self.camera_at), if self.video.as_ref().is_some_and(VideoEngine::is_wanted) => {
                    self.camera_says();
                }
                () = sleep_until(timeout.unwrap_or(self.upkeep_at)), if timeout.is_some() => {
                    self.machine.handle_timeout(steady_now());
                }
                () = sleep_until(self.upkeep_at) => {
                    self.upkeep_at = Instant::now() + upkeep::INTERVAL;
                    self.upkeep();
                }
            }
            self.drain().await;
        };
        self.leave().await;
        if let Some(done) = farewell {
            let _ = done.send(());
        }
    }

    /// Hangs up whatever is on, closes the line cleanly, closes the database.
    async fn leave(mut self) {
        let live: Vec<_> = self.calls.keys().copied().collect();
        for call in live {
            // An incoming call that was not answered goes on ringing elsewhere.
            if self.machine.get(call).is_some_and(|call| call.state() != carillon_call::State::Alerting) {
                self.input(call, Input::User(User::HangUp));
            }
        }
        self.drain().await;
        if let Some(mut engine) = self.engine.take() {
            // Devices take a moment to close; recordings are complete then.
            let _ = tokio::task::spawn_blocking(move || engine.close()).await;
        }
        if let Some(video) = self.video.take() {
            // So may a camera.
            let _ = tokio::task::spawn_blocking(move || drop(video)).await;
        }
        if let Some(socket) = self.socket.take() {
            // Whatever the line still says must not keep it from ending.
            self.from_socket.1.close();
            socket.close().await;
        }
        self.shared.store.close().await;
    }

    fn fulfil(&mut self, wish: Wish) {
        match wish {
            Wish::Connect => self.connect(),
            Wish::State(reply) => {
                let _ = reply.send(self.state());
            }
            Wish::Dial(dialled, reply) => {
                let call = self.dial(*dialled);
                let _ = reply.send(call);
            }
            Wish::Call(call, user, reply) => {
                let _ = reply.send(self.act(call, user));
            }
            Wish::Watch(accounts) => {
                self.watched = accounts;
                self.watch();
            }
            Wish::NetworkChanged => self.moved(),
            Wish::SignedIn(signed_in, account) => {
                self.signed_in = Some(signed_in);
                self.account = Some(account.clone());
                self.emit(ClientEvent::Account(account));
            }
            Wish::Account(account) => self.set_account(account),
            Wish::Settings(settings) => self.set_settings(settings),
            Wish::MissedSeen => self.missed_seen(),
            Wish::Sound(change, reply) => {
                let _ = reply.send(self.set_sound(change));
            }
            Wish::SoundState(reply) => {
                let _ = reply.send(self.sound_state());
            }
            // Ended the loop before it came here.
            Wish::Shutdown(done) => drop(done),
        }
    }

    fn connect(&mut self) {
        let (Some(signed_in), None) = (&self.signed_in, &self.socket) else { return };
        let address = signed_in.api.open().address();
        let identity = Arc::clone(signed_in.api.identity());
        let config = SocketConfig {
            account: identity.account(),
            identity,
            audience: address.audience(),
            url: address.socket(),
            dial: Arc::clone(&signed_in.dial),
            chance: rand::random,
        };
        self.socket = Some(Socket::start(config, self.from_socket.0.clone()));
    }

    fn state(&self) -> State {
        let now = steady_now();
        State {
            server: self.signed_in.as_ref().map(|signed_in| signed_in.api.open().address().to_string()),
            account: self.account.clone(),
            connection: self.connection,
            calls: self
                .machine
                .views()
                .filter_map(|view| {
                    let ongoing = self.calls.get(&view.call)?;
                    Some(call_state(&view, &ongoing.party, ongoing.emoji, ongoing.failure.as_ref(), now))
                })
                .collect(),
            unread_missed: self.unread,
            settings: self.settings,
            hide_address: self.shared.hide_address.load(Ordering::Relaxed),
        }
    }

    fn dial(&mut self, dialled: Dialled) -> CallId {
        let call = CallId::new(rand::random());
        let nonce = commitment::nonce(&mut rand::rng());
        let callee = dialled.party.account;
        let caller = self.account.as_ref().map_or(AccountId::new([0; 16]), |account| account.account);
        let context = CallContext { call, caller, callee, protocol: PROTOCOL };
        let ongoing =
            Ongoing::outgoing(context, dialled.party, dialled.devices, nonce, self.shared.calendar.now());
        self.calls.insert(call, ongoing);
        let commitment = commitment::commit(&nonce);
        self.input(call, Input::User(User::Dial { callee, media: dialled.media, nonce, commitment }));
        call
    }

    fn act(&mut self, call: CallId, user: User) -> Result<(), ClientError> {
        if !self.machine.get(call).is_some_and(|call| call.state().is_live()) {
            return Err(ClientError::server(Code::CallUnknown));
        }
        self.input(call, Input::User(user));
        Ok(())
    }

    fn input(&mut self, call: CallId, input: Input) {
        self.machine.handle(steady_now(), call, input);
    }

    fn signal(&mut self, call: CallId, signal: Signal) {
        self.input(call, Input::Signal(signal));
    }

    fn emit(&self, event: ClientEvent) {
        // Without a receiver nobody is interested.
        let _ = self.shared.events.send(event);
    }

    fn command(&self, command: SocketCommand) {
        if let Some(socket) = &self.socket {
            socket.command(command);
        }
    }

    fn request(&self, frame: ClientFrame) {
        self.command(SocketCommand::Request(frame));
    }

    fn watch(&self) {
        if !self.watched.is_empty() {
            self.request(ClientFrame::Presence { accounts: self.watched.clone() });
        }
    }

    /// The line changed.
    async fn heard(&mut self, event: SocketEvent) {
        match event {
            SocketEvent::Connecting => self.connection_is(Connection::Connecting),
            SocketEvent::Online { lost } => {
                self.connection_is(Connection::Online);
                self.machine.handle_network(steady_now(), Network::Online);
                if lost {
                    self.machine.handle_network(steady_now(), Network::Lost);
                }
                self.watch();
                self.request(ClientFrame::Turn {});
                self.refresh(upkeep::Part::ALL);
                self.upkeep();
            }
            SocketEvent::Offline { retry_in, code } => {
                self.connection_is(Connection::Offline { retry_in: Millis::from(retry_in), code });
            }
            SocketEvent::SignedOut(code) => {
                self.socket = None;
                self.connection_is(Connection::SignedOut { code });
            }
            SocketEvent::Deliver { seq, event } => self.delivered(seq, event).await,
            SocketEvent::Reply { request, frame } => self.replied(request, frame),
            SocketEvent::Frame(frame) => self.told(frame),
        }
    }

    fn connection_is(&mut self, connection: Connection) {
        let was_online = self.connection == Connection::Online;
        if was_online && connection != Connection::Online {
            self.machine.handle_network(steady_now(), Network::Offline);
        }
        if self.connection != connection {
            self.connection = connection;
            self.emit(ClientEvent::Connection(connection));
        }
    }

    fn peer_events(&self, call: CallId) -> PeerEvents {
        PeerEvents::new(call, self.from_peers.0.clone())
    }

    fn signed_in(&self) -> Result<&SignedIn, ClientError> {
        self.signed_in.as_ref().ok_or_else(|| LocalCode::NoAccount.into())
    }
}
