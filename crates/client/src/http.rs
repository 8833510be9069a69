//! The REST part of the protocol: one method for each request that Carillon makes.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use carillon_e2e::challenge::Purpose;
use carillon_wire::rest::{
    Abilities, CallSettings, CallSettingsChange, Challenge, Device, DeviceKeys, ErrorBody, Me, MissedCall,
    MissedKind, NewDevice, Page, Person, Profile, ProfileChange, ServerInfo, Session, SignIn, SignUp,
};
use carillon_wire::signed::Signed;
use carillon_wire::{AccountId, Code, DeviceId, Handle, Millis};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, StatusCode, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::address::ServerAddress;
use crate::error::{ClientError, LocalCode};
use crate::identity::Identity;
use crate::tls::{self, Roots};

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a whole request may take. A picture of 2 MiB needs 0.6 Mbit/s to make it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer that is read. A page of 200 people is 60 KiB, a picture less than 200 KiB.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// A token is renewed this long before its end.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// What anyone may ask a server.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    address: ServerAddress,
}

/// What is sent with a request.
enum Body {
    Nothing,
    Json(Vec<u8>),
    Picture(Vec<u8>),
}

impl Body {
    fn json<T: Serialize>(value: &T) -> Result<Self, ClientError> {
        serde_json::to_vec(value).map(Self::Json).map_err(|_| LocalCode::Invalid.into())
    }
}

impl Api {
    /// Requests to the server at this address. Redirects are not followed, for they would carry the token away, and no
    /// proxy is used, for the socket could not follow.
    ///
    /// # Errors
    /// `storage` when the system's root certificates can't be read.
    pub(crate) fn new(address: ServerAddress, roots: &Roots) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(roots.config(address.is_secure())?)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("carillon/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                ClientError::saying(LocalCode::Storage, format!("TLS can't be set up: {error}"))
            })?;
        Ok(Self { http, address })
    }

    pub(crate) const fn address(&self) -> &ServerAddress {
        &self.address
    }

    pub(crate) async fn server(&self) -> Result<ServerInfo, ClientError> {
        read(&self.send(Method::GET, "/v1/server", Body::Nothing, None).await?)
    }

    pub(crate) async fn challenge(&self) -> Result<Challenge, ClientError> {
        read(&self.send(Method::POST, "/v1/challenges", Body::Nothing, None).await?)
    }

    pub(crate) async fn sign_up(&self, body: &SignUp) -> Result<Session, ClientError> {
        read(&self.send(Method::POST, "/v1/accounts", Body::json(body)?, None).await?)
    }

    pub(crate) async fn add_device(&self, body: &NewDevice) -> Result<Session, ClientError> {
        read(&self.send(Method::POST, "/v1/devices", Body::json(body)?, None).await?)
    }

    async fn sign_in(&self, identity: &Identity) -> Result<Session, ClientError> {
        let nonce = self.challenge().await?.nonce;
        let signature = identity.sign_challenge(Purpose::Session, &nonce, &self.address.audience());
        let body = SignIn { device: identity.device(), nonce, signature };
        read(&self.send(Method::POST, "/v1/sessions", Body::json(&body)?, None).await?)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Body,
        token: Option<&str>,
    ) -> Result<Vec<u8>, ClientError> {
        let mut request = self.http.request(method, self.address.join(path)?);
        request = match body {
            Body::Nothing => request,
            Body::Json(bytes) => request.header(CONTENT_TYPE, "application/json").body(bytes),
            Body::Picture(bytes) => request.header(CONTENT_TYPE, "application/octet-stream").body(bytes),
        };
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, Zeroizing::new(format!("Bearer {token}")).as_str());
        }
        let mut answer = request.send().await.map_err(|error| unreachable_server(&self.address, &error))?;
        let status = answer.status();
        let retry_after =
            answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut bytes = Vec::new();
        while let Some(chunk) =
            answer.chunk().await.map_err(|error| unreachable_server(&self.address, &error))?
        {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(LocalCode::BadAnswer.into());
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() { Ok(bytes) } else { Err(fault(status, retry_after, &bytes)) }
    }
}

fn unreachable_server(address: &ServerAddress, error: &reqwest::Error) -> ClientError {
    if let Some(why) = tls::refusal(error) {
        let message = format!("The certificate of {address} is not trusted: {why}");
        return ClientError::saying(LocalCode::CertificateRefused, message);
    }
    ClientError::saying(
        LocalCode::Offline,
        format!("The server at {address} can't be reached. Is it running?"),
    )
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|_| LocalCode::BadAnswer.into())
}

/// What an answer that is not a success means. `retry_after` is the header's, in seconds.
fn fault(status: StatusCode, retry_after: Option<u64>, bytes: &[u8]) -> ClientError {
    let header = retry_after.map(Millis::from_secs);
    match serde_json::from_slice::<ErrorBody>(bytes) {
        Ok(body) => ClientError {
            code: crate::error::ErrorCode::Server(body.code),
            message: body.message,
            retry_after: body.retry_after.or(header),
        },
        // A gateway in front of a server that is down.
        Err(_) if status.is_server_error() => {
            ClientError { retry_after: header, ..ClientError::local(LocalCode::Offline) }
        }
        Err(_) if status == StatusCode::TOO_MANY_REQUESTS => {
            ClientError { retry_after: header, ..ClientError::server(Code::RateLimited) }
        }
        Err(_) => ClientError::local(LocalCode::BadAnswer),
    }
}

/// What a signed-in device may ask. Signs in by itself, and again when the token has run out.
#[derive(Debug)]
pub(crate) struct SignedApi {
    api: Api,
    identity: Arc<Identity>,
    token: Mutex<Option<Token>>,
    badge: std::sync::Mutex<Option<Signed>>,
}

struct Token {
    text: Zeroizing<String>,
    good_until: Instant,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token([redacted])")
    }
}

/// Which of a person's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeopleList {
    Following,
    Followers,
    Blocks,
}

impl PeopleList {
    const fn path(self) -> &'static str {
        match self {
            Self::Following => "/v1/following",
            Self::Followers => "/v1/followers",
            Self::Blocks => "/v1/blocks",
        }
    }
}

impl SignedApi {
    pub(crate) fn new(api: Api, identity: Arc<Identity>) -> Self {
        Self { api, identity, token: Mutex::new(None), badge: std::sync::Mutex::new(None) }
    }

    pub(crate) const fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    pub(crate) const fn open(&self) -> &Api {
        &self.api
    }

    /// Takes over the session that a sign-up began.
    pub(crate) async fn begin(&self, session: &Session) {
        *self.token.lock().await = Some(Token::new(session));
        self.note_badge(&session.me);
    }

    /// The badge for offers, as the server last gave it.
    pub(crate) fn badge(&self) -> Option<Signed> {
        self.badge.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_badge(&self, me: &Me) {
        *self.badge.lock().unwrap_or_else(PoisonError::into_inner) = me.badge.clone();
    }

    /// Signs in anew, whatever the token.
    pub(crate) async fn sign_in(&self) -> Result<Me, ClientError> {
        let session = self.api.sign_in(&self.identity).await?;
        self.begin(&session).await;
        Ok(session.me)
    }

    /// Ends the session, if there is one.
    pub(crate) async fn sign_out(&self) -> Result<(), ClientError> {
        let token = self.token.lock().await.take();
        if let Some(token) = token {
            self.api.send(Method::DELETE, "/v1/sessions/current", Body::Nothing, Some(&token.text)).await?;
        }
        Ok(())
    }

    pub(crate) async fn me(&self) -> Result<Me, ClientError> {
        let me = self.get("/v1/me").await?;
        self.note_badge(&me);
        Ok(me)
    }

    pub(crate) async fn change_profile(&self, change: &ProfileChange) -> Result<Me, ClientError> {
        read(&self.call(Method::PATCH, "/v1/me", || Body::json(change)).await?)
    }

    pub(crate) async fn set_picture(&self, picture: &[u8]) -> Result<Profile, ClientError> {
        read(&self.call(Method::PUT, "/v1/me/picture", || Ok(Body::Picture(picture.to_vec()))).await?)
    }

    pub(crate) async fn remove_picture(&self) -> Result<Profile, ClientError> {
        read(&self.call(Method::DELETE, "/v1/me/picture", || Ok(Body::Nothing)).await?)
    }

    /// The bytes of a picture, by the path in a profile.
    pub(crate) async fn picture(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        self.call(Method::GET, path, || Ok(Body::Nothing)).await
    }

    pub(crate) async fn search(&self, text: &str) -> Result<Page<Person>, ClientError> {
        let mut path = String::from("/v1/accounts?q=");
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() {
                path.push(char::from(byte));
            } else {
                path.push_str(&format!("%{byte:02X}"));
            }
        }
        self.get(&path).await
    }

    pub(crate) async fn person_by_handle(&self, handle: &Handle) -> Result<Person, ClientError> {
        self.get(&format!("/v1/accounts/{handle}")).await
    }

    pub(crate) async fn person(&self, account: AccountId) -> Result<Person, ClientError> {
        self.get(&format!("/v1/accounts/{account}")).await
    }

    pub(crate) async fn device_keys(&self, account: AccountId) -> Result<DeviceKeys, ClientError> {
        self.get(&format!("/v1/accounts/{account}/devices")).await
    }

    pub(crate) async fn people(
        &self,
        list: PeopleList,
        cursor: Option<&str>,
    ) -> Result<Page<Person>, ClientError> {
        self.get(&page_path(list.path(), cursor)).await
    }

    pub(crate) async fn set_following(&self, account: AccountId, on: bool) -> Result<(), ClientError> {
        let method = if on { Method::PUT } else { Method::DELETE };
        self.call(method, &format!("/v1/following/{account}"), || Ok(Body::Nothing)).await.map(drop)
    }

    pub(crate) async fn set_blocked(&self, account: AccountId, on: bool) -> Result<(), ClientError> {
        let method = if on { Method::PUT } else { Method::DELETE };
        self.call(method, &format!("/v1/blocks/{account}"), || Ok(Body::Nothing)).await.map(drop)
    }

    pub(crate) async fn settings(&self) -> Result<CallSettings, ClientError> {
        self.get("/v1/settings/calls").await
    }

    pub(crate) async fn change_settings(
        &self,
        change: CallSettingsChange,
    ) -> Result<CallSettings, ClientError> {
        read(&self.call(Method::PATCH, "/v1/settings/calls", || Body::json(&change)).await?)
    }

    pub(crate) async fn abilities(&self) -> Result<Abilities, ClientError> {
        self.get("/v1/abilities").await
    }

    pub(crate) async fn devices(&self) -> Result<Vec<Device>, ClientError> {
        self.get("/v1/devices").await
    }

    pub(crate) async fn revoke_device(&self, device: DeviceId) -> Result<(), ClientError> {
        self.call(Method::DELETE, &format!("/v1/devices/{device}"), || Ok(Body::Nothing)).await.map(drop)
    }

    pub(crate) async fn renew_certificate(&self, certificate: &Signed) -> Result<(), ClientError> {
        self.call(Method::PUT, "/v1/devices/current/certificate", || Body::json(certificate)).await.map(drop)
    }

    pub(crate) async fn missed(&self, kind: MissedKind, after: u64) -> Result<Page<MissedCall>, ClientError> {
        let list = match kind {
            MissedKind::Missed => "missed",
            MissedKind::Filtered => "filtered",
        };
        self.get(&format!("/v1/calls/{list}?after={after}")).await
    }

    pub(crate) async fn delete_missed(&self, id: u64) -> Result<(), ClientError> {
        self.call(Method::DELETE, &format!("/v1/calls/missed/{id}"), || Ok(Body::Nothing)).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        read(&self.call(Method::GET, path, || Ok(Body::Nothing)).await?)
    }

    /// Sends with a token; if the server does not know it any longer, signs in and sends once more.
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: impl Fn() -> Result<Body, ClientError>,
    ) -> Result<Vec<u8>, ClientError> {
        let token = self.token().await?;
        let first = self.api.send(method.clone(), path, body()?, Some(&token)).await;
        match first {
            Err(error) if error.is_server(Code::TokenExpired) || error.is_server(Code::NotSignedIn) => {
                self.forget(&token).await;
                let token = self.token().await?;
                self.api.send(method, path, body()?, Some(&token)).await
            }
            other => other,
        }
    }

    /// The token, after signing in where needed. Requests that come at once wait for one sign-in.
    async fn token(&self) -> Result<Zeroizing<String>, ClientError> {
        let mut slot = self.token.lock().await;
        if let Some(token) = slot.as_ref().filter(|token| token.good_until > Instant::now()) {
            return Ok(token.text.clone());
        }
        let session = self.api.sign_in(&self.identity).await?;
        self.note_badge(&session.me);
        let token = Token::new(&session);
        let text = token.text.clone();
        *slot = Some(token);
        Ok(text)
    }

    /// Drops this token, unless a newer one has taken its place.
    async fn forget(&self, used: &str) {
        let mut slot = self.token.lock().await;
        if slot.as_ref().is_some_and(|token| token.text.as_str() == used) {
            *slot = None;
        }
    }
}

impl Token {
    fn new(session: &Session) -> Self {
        let good_for = session.expires_in.duration().saturating_sub(TOKEN_MARGIN);
        // A server that promises more than a day is not believed: asking again costs one request.
        let good_for = good_for.min(carillon_wire::limits::TOKEN_TTL.duration());
        Self { text: Zeroizing::new(session.token.clone()), good_until: Instant::now() + good_for }
    }
}

fn page_path(path: &str, cursor: Option<&str>) -> String {
    match cursor {
        // Cursors come from the server: they go back as they came, unless they could mean something else in a URL.
        Some(cursor) => {
            let safe: String =
                cursor.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.~".contains(*c)).collect();
            format!("{path}?cursor={safe}")
        }
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn an_error_of_the_server_keeps_its_code_its_sentence_and_its_wait() {
        let body = br#"{"code":"rate_limited","message":"Slowly.","retry_after":1500}"#;
        let error = fault(StatusCode::TOO_MANY_REQUESTS, Some(9), body);
        assert_eq!(error.code, ErrorCode::Server(Code::RateLimited));
        assert_eq!(error.message, "Slowly.");
        assert_eq!(error.retry_after, Some(Millis(1500)));
    }

    #[test]
    fn the_header_tells_the_wait_where_the_body_does_not() {
        let error = fault(StatusCode::TOO_MANY_REQUESTS, Some(9), br#"{"code":"rate_limited","message":""}"#);
        assert_eq!(error.retry_after, Some(Millis(9000)));
        let error = fault(StatusCode::TOO_MANY_REQUESTS, Some(9), b"<html>");
        assert!(error.is_server(Code::RateLimited));
        assert_eq!(error.retry_after, Some(Millis(9000)));
    }

    #[test]
    fn a_gateway_without_a_server_behind_it_counts_as_offline() {
        assert!(fault(StatusCode::BAD_GATEWAY, None, b"<html>").is_local(LocalCode::Offline));
    }

    #[test]
    fn another_kind_of_server_is_recognised() {
        assert!(fault(StatusCode::NOT_FOUND, None, b"<html>").is_local(LocalCode::BadAnswer));
        assert!(read::<ServerInfo>(b"<html>").unwrap_err().is_local(LocalCode::BadAnswer));
    }

    #[test]
    fn a_code_from_the_future_does_not_fail() {
        let error = fault(StatusCode::CONFLICT, None, br#"{"code":"from_the_future","message":"Do this."}"#);
        assert!(error.is_server(Code::Unknown));
        assert_eq!(error.message, "Do this.");
    }
}
