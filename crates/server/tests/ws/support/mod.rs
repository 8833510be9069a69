//! A server, its people and their devices.

mod client;
mod hands;
mod http;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use carillon_e2e::challenge::{Challenge, Purpose};
use carillon_e2e::{AccountKey, DeviceKey, Prekey};
use carillon_policy::handle::skeleton;
use carillon_server::clock::Clock;
use carillon_server::store::{DeviceAdded, DeviceEntry, SessionEntry, SignUpEntry, SignedUp, Store};
use carillon_server::{Config, RunningServer, Server};
use carillon_wire::rest::CallSettingsChange;
use carillon_wire::{AccountId, Bytes32, DeviceId, Handle, PROTOCOL, Signature, UnixMillis};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) use client::{Client, Reply, boxed, create, create_with};
pub(crate) use hands::Hands;
pub(crate) use http::{ask, code_in, talk};

/// How long anything may take before a test gives up.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Waits for something that must come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("{what} did not come"))
}

/// A server with a runtime of its own, so that it can be killed.
pub(crate) struct TestServer {
    running: Option<(RunningServer, Runtime)>,
    pub(crate) hands: Hands,
    config: Config,
    _folder: TempDir,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With a configuration that differs from that of a local server.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::local(folder.path());
        change(&mut config);
        let mut server = Self { running: None, hands: Hands::default(), config, _folder: folder };
        server.start_again().await;
        server
    }

    pub(crate) async fn start_again(&mut self) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (config, clock) = (self.config.clone(), Clock::new(self.hands.clone()));
        let running = runtime.spawn(Server::start_with(config, clock)).await.unwrap().unwrap();
        self.running = Some((running, runtime));
    }

    /// Ends it without warning: no task of it runs on.
    pub(crate) async fn kill(&mut self) {
        let (running, runtime) = self.running.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(LIMIT)).await.unwrap();
        drop(running);
    }

    /// Ends it as the operator does.
    pub(crate) async fn shut_down(&mut self) {
        let (running, runtime) = self.running.take().unwrap();
        runtime.spawn(running.shutdown(LIMIT)).await.unwrap();
        tokio::task::spawn_blocking(move || drop(runtime)).await.unwrap();
    }

    pub(crate) fn running(&self) -> &RunningServer {
        &self.running.as_ref().unwrap().0
    }

    pub(crate) fn store(&self) -> &Store {
        &self.running().app().store
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> String {
        self.running().addr().to_string()
    }

    /// Whether a line stands in the metrics.
    pub(crate) fn counts(&self, line: &str) -> bool {
        self.running().app().metrics.text().lines().any(|one| one == line)
    }

    /// Signs somebody up who lets everyone call.
    pub(crate) async fn somebody(&self, handle: &str) -> Device {
        let device = self.somebody_with_defaults(handle).await;
        let change = CallSettingsChange { everyone: Some(true), ..CallSettingsChange::default() };
        self.store().change_call_settings(device.account, change).await.unwrap();
        device
    }

    /// Signs somebody up with the settings that an account begins with.
    pub(crate) async fn somebody_with_defaults(&self, handle: &str) -> Device {
        let device = Device::new(AccountKey::generate(&mut rand::rng()));
        let handle = Handle::parse(handle).unwrap();
        let entry = SignUpEntry {
            account: device.account,
            skeleton: skeleton(&handle),
            name: format!("{} of the tests", handle.as_str()),
            handle,
            account_key: device.account_key.public(),
            invitation: None,
            device: device.entry(),
            session: device.session(),
        };
        let signed_up = self.store().sign_up(&entry, self.hands.date()).await.unwrap();
        assert_eq!(signed_up, SignedUp::Done);
        device
    }

    /// Adds a device to somebody's account.
    pub(crate) async fn further(&self, first: &Device) -> Device {
        let device = Device::new(AccountKey::from_secret(&first.account_key.secret()));
        let (entry, session) = (device.entry(), device.session());
        let added = self.store().add_device(device.account, &entry, &session, self.hands.date()).await;
        assert_eq!(added.unwrap(), DeviceAdded::Added);
        device
    }

    /// A device's connection, signed in.
    pub(crate) async fn connect(&self, device: &Device) -> Client {
        Client::connect(self, device, None).await
    }

    /// A device's connection, signed in after the last number that it has handled.
    pub(crate) async fn resume(&self, device: &Device, handled: u64) -> Client {
        Client::connect(self, device, Some(handled)).await
    }

    /// Advances the time by what a span of the protocol is, and a little.
    pub(crate) fn pass(&self, span: carillon_wire::Millis) {
        self.hands.pass(span.duration() + Duration::from_millis(10));
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some((running, runtime)) = self.running.take() {
            runtime.shutdown_background();
            drop(running);
        }
    }
}

/// Somebody's device.
pub(crate) struct Device {
    account_key: AccountKey,
    key: DeviceKey,
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) token: String,
    number: u16,
}

impl Device {
    fn new(account_key: AccountKey) -> Self {
        static NUMBER: AtomicU16 = AtomicU16::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let key = DeviceKey::generate(&mut rand::rng());
        let (account, device) = (account_key.id(), key.id());
        Self { account_key, key, account, device, token: format!("token-{number}-of-a-test"), number }
    }

    fn entry(&self) -> DeviceEntry {
        let prekey = Prekey::generate(&mut rand::rng()).public();
        let now = UnixMillis(1_800_000_000_000);
        DeviceEntry {
            device: self.device,
            device_key: self.key.public(),
            name: format!("device {}", self.number),
            certificate: self.account_key.certify(&self.key.public(), &prekey, 1, now).unwrap(),
            seq: 1,
        }
    }

    fn session(&self) -> SessionEntry {
        let token_hash = Bytes32::from(<[u8; 32]>::from(Sha256::digest(self.token.as_bytes())));
        SessionEntry { token_hash, nonce: token_hash }
    }

    /// Signs the challenge of a socket.
    pub(crate) fn sign(&self, nonce: &Bytes32, protocol: u16, audience: &str) -> Signature {
        Challenge { purpose: Purpose::Hello, nonce, device: self.device, protocol, audience }.sign(&self.key)
    }

    /// Signs the challenge of a socket, in the version that the server speaks.
    pub(crate) fn hello(&self, nonce: &Bytes32, audience: &str) -> Signature {
        self.sign(nonce, PROTOCOL, audience)
    }
}

/// Ada calls; Grace is called, on two devices. All are connected.
pub(crate) struct Pair {
    pub(crate) server: TestServer,
    pub(crate) ada: Device,
    pub(crate) phone: Device,
    pub(crate) laptop: Device,
}

impl Pair {
    pub(crate) async fn new() -> Self {
        let server = TestServer::start().await;
        let ada = server.somebody("ada").await;
        let phone = server.somebody("grace").await;
        let laptop = server.further(&phone).await;
        Self { server, ada, phone, laptop }
    }

    /// The connections of the caller, of the phone and of the laptop.
    pub(crate) async fn connect(&self) -> (Client, Client, Client) {
        (
            self.server.connect(&self.ada).await,
            self.server.connect(&self.phone).await,
            self.server.connect(&self.laptop).await,
        )
    }

    /// The devices that a call must have boxes for.
    pub(crate) fn callee(&self) -> [&Device; 2] {
        [&self.phone, &self.laptop]
    }
}

/// Something that several tasks use.
pub(crate) type SharedServer = Arc<TestServer>;
