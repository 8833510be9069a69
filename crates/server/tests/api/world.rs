//! A server without a listener, its time in the hands of the test, and the devices that talk to it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use carillon_e2e::challenge::{Challenge as Signing, Purpose};
use carillon_e2e::{AccountKey, DeviceKey, Prekey};
use carillon_server::api;
use carillon_server::app::{App, ClientAddress, Shared};
use carillon_server::clock::{Clock, TimeSource};
use carillon_server::config::Config;
use carillon_server::store::{SqliteOptions, Store};
use carillon_wire::rest::{Challenge, ErrorBody, NewDevice, Session, SignIn, SignUp};
use carillon_wire::signed::{Credentials, Signed};
use carillon_wire::{AccountId, Bytes32, Code, DeviceId, Millis, PROTOCOL, UnixMillis};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const HOST: &str = "127.0.0.1:8080";
pub(crate) const START: UnixMillis = UnixMillis(1_800_000_000_000);

/// A clock that stands still until the test moves it.
#[derive(Clone, Default)]
pub(crate) struct Hands(Arc<Mutex<Duration>>);

impl TimeSource for Hands {
    fn wall(&self) -> Duration {
        START.since(UnixMillis(0)).duration() + *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

/// The server.
pub(crate) struct World {
    pub(crate) app: Shared,
    hands: Hands,
    router: Router,
    /// Where requests come from. Each test may change it: quotas are counted by it.
    pub(crate) address: IpAddr,
    _folder: tempfile::TempDir,
}

/// What a request was answered with.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok<T: DeserializeOwned>(self) -> T {
        assert_eq!(self.status, StatusCode::OK, "{}", String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn no_content(self) {
        assert_eq!(self.status, StatusCode::NO_CONTENT, "{}", String::from_utf8_lossy(&self.body));
        assert!(self.body.is_empty());
    }

    /// The code of an error, whose status and sentence must be the code's.
    #[track_caller]
    pub(crate) fn code(self) -> Code {
        self.error().code
    }

    #[track_caller]
    pub(crate) fn error(self) -> ErrorBody {
        let text = String::from_utf8_lossy(&self.body);
        let error: ErrorBody = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no error: {text}"));
        assert_eq!(self.status.as_u16(), error.code.status());
        assert!(error.message.starts_with(error.code.sentence()));
        error
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}, None).await
    }

    pub(crate) async fn with(configure: impl FnOnce(&mut Config), max_pages: Option<u32>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::local(folder.path());
        configure(&mut config);
        let options = SqliteOptions { path: folder.path().join("carillon.db"), max_pages };
        let store = Store::open_sqlite(options).await.unwrap();
        let hands = Hands::default();
        let app = Arc::new(App::new(config, Clock::new(hands.clone()), store).await.unwrap());
        let router = api::router().with_state(app.clone());
        Self { app, hands, router, address: Ipv4Addr::new(192, 0, 2, 1).into(), _folder: folder }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, span: Millis) {
        *self.hands.0.lock().unwrap() += span.duration();
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.app.clock.wall()
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ClientAddress(self.address));
        request.headers_mut().entry(header::HOST).or_insert(HOST.parse().unwrap());
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A request as anybody can make it.
    pub(crate) async fn anyone(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        self.send(Request::builder().method(method).uri(path).body(body.into()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        self.anyone(Method::POST, path, serde_json::to_vec(body).unwrap()).await
    }

    pub(crate) async fn nonce(&self) -> Bytes32 {
        self.post("/v1/challenges", &json!({})).await.ok::<Challenge>().nonce
    }

    /// Somebody with a first device, signed up. The same number is always the same person.
    pub(crate) async fn somebody(&self, number: u8, handle: &str) -> Phone {
        let mut phone = Phone::new(number, number);
        phone.session = Some(self.post("/v1/accounts", &phone.sign_up(self, handle).await).await.ok());
        phone
    }
}

/// A device of a person.
pub(crate) struct Phone {
    pub(crate) account: AccountKey,
    pub(crate) device: DeviceKey,
    pub(crate) prekey: Prekey,
    pub(crate) session: Option<Session>,
}

impl Phone {
    /// A device that the server has not seen, of the person `account`.
    pub(crate) fn new(account: u8, device: u8) -> Self {
        Self {
            account: AccountKey::from_secret(&[account; 32]),
            device: DeviceKey::from_secret(&[device; 32]),
            prekey: Prekey::from_secret(&[device; 32]),
            session: None,
        }
    }

    pub(crate) fn account_id(&self) -> AccountId {
        self.account.id()
    }

    pub(crate) fn device_id(&self) -> DeviceId {
        self.device.id()
    }

    pub(crate) fn certificate(&self, seq: u64, issued_at: UnixMillis) -> Signed {
        self.account.certify(&self.device.public(), &self.prekey.public(), seq, issued_at).unwrap()
    }

    pub(crate) fn sign(&self, nonce: &Bytes32, audience: &str) -> carillon_wire::Signature {
        let signing = Signing {
            purpose: Purpose::Session,
            nonce,
            device: self.device_id(),
            protocol: PROTOCOL,
            audience,
        };
        signing.sign(&self.device)
    }

    pub(crate) async fn new_device(&self, world: &World) -> NewDevice {
        let nonce = world.nonce().await;
        NewDevice {
            credentials: Credentials {
                account_key: self.account.public(),
                certificate: self.certificate(1, world.now()),
                badge: None,
            },
            device_name: "Phone".to_owned(),
            signature: self.sign(&nonce, HOST),
            nonce,
        }
    }

    pub(crate) async fn sign_up(&self, world: &World, handle: &str) -> SignUp {
        SignUp {
            handle: handle.to_owned(),
            name: None,
            invitation: None,
            device: self.new_device(world).await,
        }
    }

    pub(crate) async fn sign_in(&self, world: &World) -> SignIn {
        let nonce = world.nonce().await;
        SignIn { device: self.device_id(), signature: self.sign(&nonce, HOST), nonce }
    }

    pub(crate) fn token(&self) -> &str {
        &self.session.as_ref().unwrap().token
    }

    /// A request with the token of this device.
    pub(crate) async fn send(
        &self,
        world: &World,
        method: Method,
        path: &str,
        body: impl Into<Body>,
    ) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token()));
        world.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, world: &World, path: &str) -> Answer {
        self.send(world, Method::GET, path, Body::empty()).await
    }

    pub(crate) async fn put(&self, world: &World, path: &str) -> Answer {
        self.send(world, Method::PUT, path, Body::empty()).await
    }

    pub(crate) async fn delete(&self, world: &World, path: &str) -> Answer {
        self.send(world, Method::DELETE, path, Body::empty()).await
    }

    pub(crate) async fn patch(&self, world: &World, path: &str, body: Value) -> Answer {
        self.send(world, Method::PATCH, path, body.to_string()).await
    }

    pub(crate) async fn follow(&self, world: &World, whom: &Self) {
        self.put(world, &format!("/v1/following/{}", whom.account_id())).await.no_content();
    }
}
