//! The one surface for every shell.

mod account;
mod calls;
mod people;
mod sound;

pub use account::NewAccount;
pub use sound::{EndState, SoundDeviceInfo, SoundState};

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use carillon_e2e::ReplayCache;
use carillon_e2e::phrase::Language;
use carillon_wire::rest::{CallSettings, ServerInfo};
use carillon_wire::{AccountId, Handle, PROTOCOL};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::actor::{Actor, Shared, SignedIn, Start, Wish};
use crate::address::ServerAddress;
use crate::clock::Calendar;
use crate::dto::{Account, ClientEvent, Connection, State};
use crate::error::{ClientError, LocalCode};
use crate::http::{Api, SignedApi};
use crate::identity::Identity;
use crate::peer::{PeerFactory, WebRtcPeers};
use crate::profile::Profile;
use crate::secrets::Vault;
use crate::socket::NetworkDial;
use crate::sound::{Engine, SoundSettings, SoundSetup};
use crate::store::{Store, fact};
use crate::tls::Roots;
use crate::trust::TrustBook;
use crate::video::{VideoEngine, VideoSetup};

/// Events that a receiver may leave unread before it is told to ask for the whole state.
const EVENT_BUFFER: usize = 256;
/// Wishes that may wait for the task.
const WISH_BUFFER: usize = 64;

/// How to open a client.
#[derive(Clone)]
pub struct ClientConfig {
    /// The profile: one account on this machine. Made if it is not there.
    pub profile: PathBuf,
    /// The server's address. Not needed for a profile that has an account.
    pub server: Option<String>,
    /// Allows plain http to another machine. Whoever is on the way then sees who calls whom, and can take over the session.
    pub insecure_http: bool,
    /// Keeps a new account's keys in a file of the profile, readable by whoever can read the owner's files.
    pub insecure_secrets: bool,
    /// A PEM file with the certificates of an operator's own authority, believed beside the system's. Kept with the account,
    /// until another is given.
    pub ca: Option<PathBuf>,
    /// Who makes the peer connections of calls.
    pub peers: Arc<dyn PeerFactory>,
    /// Whether and how calls sound.
    pub sound: SoundSetup,
    /// Whether and how calls have pictures.
    pub video: VideoSetup,
    /// Whether calls hide this machine's address, from now on; see [`Client::set_hide_address`]. None: as it was set
    /// last.
    pub hide_address: Option<bool>,
    /// Where the date comes from.
    pub calendar: Calendar,
}

impl ClientConfig {
    /// A profile with everything else as usual.
    pub fn new(profile: impl Into<PathBuf>) -> Self {
        Self {
            profile: profile.into(),
            server: None,
            insecure_http: false,
            insecure_secrets: false,
            ca: None,
            peers: Arc::new(WebRtcPeers::new()),
            sound: SoundSetup::default(),
            video: VideoSetup::default(),
            hide_address: None,
            calendar: Calendar::default(),
        }
    }

    /// The same with this server.
    #[must_use]
    pub fn server(mut self, address: impl Into<String>) -> Self {
        self.server = Some(address.into());
        self
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("server", &self.server)
            .field("insecure_http", &self.insecure_http)
            .field("insecure_secrets", &self.insecure_secrets)
            .field("ca", &self.ca.is_some())
            .finish_non_exhaustive()
    }
}

/// A person, named one way or the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// By handle.
    Handle(Handle),
    /// By account.
    Account(AccountId),
}

impl From<Handle> for Whom {
    fn from(handle: Handle) -> Self {
        Self::Handle(handle)
    }
}

impl From<AccountId> for Whom {
    fn from(account: AccountId) -> Self {
        Self::Account(account)
    }
}

/// A calling client without a window. Cheap to clone; all clones are one client, with one task behind it.
///
/// It needs a tokio runtime. Method families:
/// - the account: [`sign_up`](Self::sign_up), [`recover`](Self::recover), [`sign_in`](Self::sign_in), devices, profile;
/// - people: search, follow, block, who may call;
/// - calls: [`connect`](Self::connect) once, then [`dial`](Self::dial), [`accept`](Self::accept),
///   [`decline`](Self::decline), [`hang_up`](Self::hang_up); recent and missed calls; pins;
/// - what happens: [`events`](Self::events), and [`state`](Self::state) for the whole at once.
///
/// When the last clone is dropped the client leaves like after [`shutdown`](Self::shutdown), without anybody waiting.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    wishes: mpsc::Sender<Wish>,
    signed_in: RwLock<Option<SignedIn>>,
    server: Mutex<Option<ServerAddress>>,
    insecure_http: bool,
    roots: Roots,
    vault: Vault,
    /// One sign-up or recovery at a time.
    joining: tokio::sync::Mutex<()>,
    profile: Mutex<Option<Profile>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("signed_in", &self.signed_in().is_ok()).finish_non_exhaustive()
    }
}

/// The stream of what happens; see [`Client::events`].
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<ClientEvent>,
}

impl Events {
    /// The next event; `None` when the client has ended. [`ClientEvent::Missing`] means that some were lost, because
    /// they were not read in time: ask for the [`state`](Client::state).
    ///
    /// Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(ClientEvent::Missing),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl Client {
    /// Opens a profile, and locks it for this process. Speaks to no server yet.
    ///
    /// # Errors
    /// `profile_locked`, `profile_damaged`, `profile_newer`, `storage`; `key_store`, `keys_missing` for a profile with
    /// an account; `address_invalid`, `address_insecure`, `other_server`, `ca_invalid`.
    pub async fn open(config: ClientConfig) -> Result<Self, ClientError> {
        let profile = Profile::open(&config.profile)?;
        let store = Store::open(&profile.database()?).await?;
        let account: Option<Account> = store.fact(fact::ACCOUNT).await?;
        let settings: Option<CallSettings> = store.fact(fact::SETTINGS).await?;
        let kept_sound: Option<SoundSettings> = store.fact(fact::SOUND).await?;
        let kept_insecure: bool = store.fact(fact::INSECURE_HTTP).await?.unwrap_or_default();
        let insecure_http = config.insecure_http || kept_insecure;
        let server =
            choose_server(&store, config.server.as_deref(), insecure_http, account.is_some()).await?;
        let roots = choose_roots(&store, config.ca.as_deref(), account.is_some()).await?;
        let vault = choose_vault(&store, &profile, config.insecure_secrets, account.is_some()).await?;
        let signed_in = match (&account, &server) {
            (Some(_), Some(server)) => {
                let secrets = vault.load().await?.ok_or(LocalCode::KeysMissing)?;
                Some(signed_in(server, Identity::from_secrets(&secrets)?, vault.clone(), &roots)?)
            }
            (Some(_), None) => return Err(LocalCode::NoServer.into()),
            (None, _) => None,
        };
        let replays = ReplayCache::from_entries(store.replays(config.calendar.now()).await?);
        let trust = TrustBook::load(store.clone()).await?;
        let (events, _) = broadcast::channel(EVENT_BUFFER);
        if server.as_ref().is_some_and(ServerAddress::is_here) {
            config.peers.server_is_here();
        }
        let hide_address = match config.hide_address {
            Some(hide) => {
                store.set_fact(fact::HIDE_ADDRESS, &hide).await?;
                hide
            }
            None => store.fact(fact::HIDE_ADDRESS).await?.unwrap_or_default(),
        };
        config.peers.hide_address(hide_address);
        let shared = Arc::new(Shared {
            store,
            trust,
            events,
            peers: config.peers,
            calendar: config.calendar,
            hide_address: AtomicBool::new(hide_address),
        });
        let (wishes, receiver) = mpsc::channel(WISH_BUFFER);
        let (news, from_sound) = mpsc::unbounded_channel();
        let engine = match config.sound {
            SoundSetup::Off => None,
            SoundSetup::On { change, source } => {
                Some(Engine::new(kept_sound.unwrap_or_default().with(change)?, source, news))
            }
        };
        let video = match config.video {
            VideoSetup::Off => None,
            VideoSetup::On { camera, screen } => Some(VideoEngine::new(camera.as_deref(), screen)?),
        };
        let start =
            Start { signed_in: signed_in.clone(), account, settings, replays, engine, from_sound, video };
        Actor::start(Arc::clone(&shared), receiver, start);
        let inner = Inner {
            shared,
            wishes,
            signed_in: RwLock::new(signed_in),
            server: Mutex::new(server),
            insecure_http,
            roots,
            vault,
            joining: tokio::sync::Mutex::new(()),
            profile: Mutex::new(Some(profile)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether the keys are in a file, because no key store was wished for: worth a warning.
    pub fn keeps_keys_in_a_file(&self) -> bool {
        match self.inner.vault {
            Vault::File(_) => true,
            Vault::KeyStore(_) => false,
        }
    }

    /// What the server says of itself. Remembers who signs its badges.
    ///
    /// # Errors
    /// `no_server`, `offline`, `bad_answer`; `protocol_unsupported` when it speaks another version.
    pub async fn server_info(&self) -> Result<ServerInfo, ClientError> {
        let info = self.open_api()?.server().await?;
        if !info.protocols.contains(&PROTOCOL) {
            return Err(ClientError::server(carillon_wire::Code::ProtocolUnsupported));
        }
        if !self.inner.shared.trust.observe_issuer(info.issuer_key).await? {
            tracing::warn!("the server has another key for badges than before; its badges are not believed");
        }
        Ok(info)
    }

    /// Everything, as it is now. To miss nothing in between, ask for the [`events`](Self::events) first.
    ///
    /// # Errors
    /// `stopped`.
    pub async fn state(&self) -> Result<State, ClientError> {
        let (reply, answer) = oneshot::channel();
        self.wish(Wish::State(reply)).await?;
        answer.await.map_err(|_| LocalCode::Stopped.into())
    }

    /// Everything that happens from now on.
    pub fn events(&self) -> Events {
        Events { receiver: self.inner.shared.events.subscribe() }
    }

    /// Keeps a line to the server from now on, so that calls come in. Returns at once; the line's ups and downs are
    /// events.
    ///
    /// # Errors
    /// `no_account`, `stopped`.
    pub async fn connect(&self) -> Result<(), ClientError> {
        self.signed_in()?;
        self.wish(Wish::Connect).await
    }

    /// [`connect`](Self::connect), and waits until the line is up.
    ///
    /// # Errors
    /// `offline` when it is not up in this time (it goes on trying), `certificate_refused` when the server's certificate is
    /// the reason, `no_account`, `stopped`, and what the server says against this device: `device_revoked` for example.
    pub async fn connect_within(&self, limit: Duration) -> Result<(), ClientError> {
        let mut events = self.events();
        self.connect().await?;
        let mut last = None;
        let mut asked_why = false;
        let up = async {
            loop {
                match self.state().await?.connection {
                    Connection::Online => return Ok(()),
                    Connection::SignedOut { code } => return Err(ClientError::server(code)),
                    Connection::Offline { code: Some(code), .. } => last = Some(code),
                    // The line only knows that it did not come up. A certificate does not get better by waiting.
                    Connection::Offline { code: None, .. } if !asked_why => {
                        asked_why = true;
                        match self.server_info().await {
                            Err(error) if error.is_local(LocalCode::CertificateRefused) => return Err(error),
                            Ok(_) | Err(_) => {}
                        }
                        // The line may have come up meanwhile.
                        continue;
                    }
                    Connection::Idle | Connection::Connecting | Connection::Offline { code: None, .. } => {}
                }
                if events.next().await.is_none() {
                    return Err(LocalCode::Stopped.into());
                }
            }
        };
        match timeout(limit, up).await {
            Ok(outcome) => outcome,
            Err(_) => Err(last.map_or_else(|| LocalCode::Offline.into(), ClientError::server)),
        }
    }

    /// The network of this machine changed: another Wi-Fi, a cable. Connects anew at once.
    ///
    /// # Errors
    /// `stopped`.
    pub async fn network_changed(&self) -> Result<(), ClientError> {
        self.wish(Wish::NetworkChanged).await
    }

    /// Hangs up what is on, closes the line so that the server counts this device as away at once, and lets go of the
    /// profile. Clones are of no use afterwards.
    pub async fn shutdown(&self) {
        let (reply, done) = oneshot::channel();
        if self.wish(Wish::Shutdown(reply)).await.is_ok() {
            let _ = done.await;
        }
        self.inner.profile.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    async fn wish(&self, wish: Wish) -> Result<(), ClientError> {
        self.inner.wishes.send(wish).await.map_err(|_| LocalCode::Stopped.into())
    }

    fn signed_in(&self) -> Result<SignedIn, ClientError> {
        let signed_in = self.inner.signed_in.read().unwrap_or_else(PoisonError::into_inner);
        signed_in.clone().ok_or_else(|| LocalCode::NoAccount.into())
    }

    fn api(&self) -> Result<Arc<SignedApi>, ClientError> {
        Ok(self.signed_in()?.api)
    }

    fn server(&self) -> Result<ServerAddress, ClientError> {
        let server = self.inner.server.lock().unwrap_or_else(PoisonError::into_inner);
        server.clone().ok_or_else(|| LocalCode::NoServer.into())
    }

    fn open_api(&self) -> Result<Api, ClientError> {
        match self.signed_in() {
            Ok(signed_in) => Ok(signed_in.api.open().clone()),
            Err(_) => Api::new(self.server()?, &self.inner.roots),
        }
    }
}

/// The address that was given, or the one that was kept. An account lives on one server.
async fn choose_server(
    store: &Store,
    given: Option<&str>,
    insecure_http: bool,
    has_account: bool,
) -> Result<Option<ServerAddress>, ClientError> {
    let parse = |text: &str| ServerAddress::parse(text, insecure_http);
    let given = given.map(parse).transpose()?;
    let kept = match store.fact::<String>(fact::SERVER).await? {
        Some(kept) => Some(parse(&kept)?),
        None => None,
    };
    match (given, kept) {
        (Some(given), Some(kept)) if has_account && given != kept => {
            let message =
                format!("The account in this profile lives on {kept}. Use another profile for {given}.");
            Err(ClientError::saying(LocalCode::OtherServer, message))
        }
        (given, kept) => Ok(given.or(kept)),
    }
}

/// Where the keys are, or will be.
async fn choose_vault(
    store: &Store,
    profile: &Profile,
    insecure: bool,
    has_account: bool,
) -> Result<Vault, ClientError> {
    const FILE: &str = "file";
    let in_file = || Vault::File(profile.directory().to_owned());
    let kept: Option<String> = store.fact(fact::VAULT).await?;
    match kept.as_deref() {
        Some(FILE) if has_account || insecure => return Ok(in_file()),
        Some(name) if name != FILE && (has_account || !insecure) => {
            return Ok(Vault::KeyStore(name.to_owned()));
        }
        _ => {}
    }
    if insecure {
        store.set_fact(fact::VAULT, &FILE).await?;
        return Ok(in_file());
    }
    let name = carillon_wire::bytes::encode(&rand::random::<[u8; 16]>());
    store.set_fact(fact::VAULT, &name).await?;
    Ok(Vault::KeyStore(name))
}

/// The certificate authorities that were given, else those that were kept. An account's are replaced by those given.
async fn choose_roots(store: &Store, given: Option<&Path>, has_account: bool) -> Result<Roots, ClientError> {
    if let Some(path) = given {
        let roots = Roots::from_file(path)?;
        if has_account {
            keep_roots(store, &roots).await?;
        }
        return Ok(roots);
    }
    match store.fact::<String>(fact::CA).await? {
        Some(kept) if has_account => Roots::from_pem(kept),
        Some(_) | None => Ok(Roots::default()),
    }
}

async fn keep_roots(store: &Store, roots: &Roots) -> Result<(), ClientError> {
    match roots.pem() {
        Some(pem) => store.set_fact(fact::CA, &pem).await,
        None => Ok(()),
    }
}

fn signed_in(
    server: &ServerAddress,
    identity: Identity,
    vault: Vault,
    roots: &Roots,
) -> Result<SignedIn, ClientError> {
    let api = Arc::new(SignedApi::new(Api::new(server.clone(), roots)?, Arc::new(identity)));
    let dial = Arc::new(NetworkDial::new(server.clone(), roots.config(server.is_secure())?));
    Ok(SignedIn { api, vault, dial })
}

/// The words that restore an account, wiped when dropped. Whoever has them is this person.
pub struct RecoveryPhrase(Zeroizing<String>);

impl RecoveryPhrase {
    fn of(identity: &Identity, language: Language) -> Self {
        Self(identity.phrase(language))
    }

    /// The words, with single spaces between them: to be shown to the person once, and kept nowhere.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RecoveryPhrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryPhrase([redacted])")
    }
}
