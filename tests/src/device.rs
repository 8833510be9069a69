//! A device that speaks the protocol by hand: what a second implementation would do, and what an attacker can.

use anyhow::{Context as _, Result, bail};
use carillon_e2e::challenge::{Challenge, Purpose};
use carillon_e2e::{AccountKey, DeviceKey, Prekey};
use carillon_wire::frame::{ClientFrame, Numbered, Ref, ServerFrame, decode_server, encode};
use carillon_wire::rest::{CallSettings, CallSettingsChange, NewDevice, Session, SignUp};
use carillon_wire::signed::Credentials;
use carillon_wire::{AccountId, DeviceId, PROTOCOL, UnixMillis, rest};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// An account with one device, signed up.
#[derive(Debug)]
pub struct Device {
    account_key: AccountKey,
    key: DeviceKey,
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// For `Authorization: Bearer`.
    pub token: String,
}

/// Where a server is, and a connection pool to it.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    url: String,
    audience: String,
}

impl Http {
    /// For the server at this address.
    pub fn new(url: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { client: http_client(), url: url.into(), audience: audience.into() }
    }

    /// A request to a path; `from` is what a trusted proxy would say of where it comes from.
    pub fn request(&self, method: Method, path: &str, from: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).header("x-forwarded-for", from)
    }
}

impl Device {
    /// Signs a new account up.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn sign_up(http: &Http, handle: &str, from: &str) -> Result<Self> {
        let account_key = AccountKey::generate(&mut rand::rng());
        let (key, device) = new_device(http, &account_key, from).await?;
        let body = SignUp { handle: handle.to_owned(), name: None, invitation: None, device };
        let request = http.request(Method::POST, "/v1/accounts", from).json(&body);
        Ok(Self::of(account_key, key, answer(request).await?))
    }

    /// A further device of the same account.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn further(&self, http: &Http, from: &str) -> Result<Self> {
        let account_key = AccountKey::from_secret(&self.account_key.secret());
        let (key, device) = new_device(http, &account_key, from).await?;
        let request = http.request(Method::POST, "/v1/devices", from).json(&device);
        Ok(Self::of(account_key, key, answer(request).await?))
    }

    fn of(account_key: AccountKey, key: DeviceKey, session: Session) -> Self {
        let (account, device) = (account_key.id(), key.id());
        Self { account_key, key, account, device, token: session.token }
    }

    /// Blocks somebody.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn block(&self, http: &Http, account: AccountId) -> Result<()> {
        let path = format!("/v1/blocks/{account}");
        let response =
            http.request(Method::PUT, &path, "2001:db8::1").bearer_auth(&self.token).send().await?;
        response.error_for_status()?;
        Ok(())
    }

    /// Lets everyone call this account.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn let_everyone_call(&self, http: &Http) -> Result<()> {
        let change = CallSettingsChange { everyone: Some(true), ..CallSettingsChange::default() };
        let request =
            http.request(Method::PATCH, "/v1/settings/calls", "2001:db8::1").bearer_auth(&self.token);
        let _: CallSettings = answer(request.json(&change)).await?;
        Ok(())
    }

    /// Opens the socket and signs in.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn connect(&self, http: &Http) -> Result<Line> {
        let stream = TcpStream::connect(&http.audience).await?;
        stream.set_nodelay(true)?;
        let url = format!("ws://{}/v1/socket", http.audience);
        let (socket, _) = tokio_tungstenite::client_async(url, MaybeTlsStream::Plain(stream)).await?;
        let mut line = Line { socket, next: 0 };
        let ServerFrame::Challenge { nonce, .. } = line.receive().await?.frame else {
            bail!("the server did not begin with a challenge");
        };
        let signature = Challenge {
            purpose: Purpose::Hello,
            nonce: &nonce,
            device: self.device,
            protocol: PROTOCOL,
            audience: &http.audience,
        }
        .sign(&self.key);
        let hello = ClientFrame::Hello { proto: PROTOCOL, device: self.device, signature, resume: None };
        line.send_bare(hello).await?;
        match line.receive().await?.frame {
            ServerFrame::Welcome { .. } => Ok(line),
            other => bail!("no welcome but {other:?}"),
        }
    }
}

/// A signed-in socket.
#[derive(Debug)]
pub struct Line {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next: Ref,
}

impl Line {
    /// Sends a request; its number comes back in the reply.
    ///
    /// # Errors
    /// When the line is lost.
    pub async fn send(&mut self, frame: ClientFrame) -> Result<Ref> {
        self.next += 1;
        self.socket.send(Message::text(encode(&Numbered::new(self.next, frame)))).await?;
        Ok(self.next)
    }

    /// Sends a frame that has no number.
    ///
    /// # Errors
    /// When the line is lost.
    pub async fn send_bare(&mut self, frame: ClientFrame) -> Result<()> {
        Ok(self.socket.send(Message::text(encode(&Numbered::bare(frame)))).await?)
    }

    /// The next frame. Cancelling it loses nothing.
    ///
    /// # Errors
    /// When the line is lost.
    pub async fn receive(&mut self) -> Result<Numbered<ServerFrame>> {
        loop {
            match self.socket.next().await.context("the server closed the line")?? {
                Message::Text(text) => return Ok(decode_server(&text)?),
                Message::Close(frame) => bail!("the server closed the line: {frame:?}"),
                Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => {}
            }
        }
    }
}

/// The handle of the nth of a crowd. It looks like no other: of letters that no rule of look-alikes folds.
pub fn handle(mut index: usize) -> String {
    const LETTERS: &[u8] = b"abefghkptxy";
    let mut text = String::from("ka");
    for _ in 0..6 {
        text.push(char::from(LETTERS[index % LETTERS.len()]));
        index /= LETTERS.len();
    }
    text
}

/// A connection pool. Names the provider of cryptography first, which reqwest asks for even where there is no TLS.
pub fn http_client() -> reqwest::Client {
    // An error says that another test in this process was first.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// The keys of a device, and what the server wants to see of them.
async fn new_device(http: &Http, account_key: &AccountKey, from: &str) -> Result<(DeviceKey, NewDevice)> {
    let key = DeviceKey::generate(&mut rand::rng());
    let prekey = Prekey::generate(&mut rand::rng());
    let challenge: rest::Challenge = answer(http.request(Method::POST, "/v1/challenges", from)).await?;
    let signature = Challenge {
        purpose: Purpose::Session,
        nonce: &challenge.nonce,
        device: key.id(),
        protocol: PROTOCOL,
        audience: &http.audience,
    }
    .sign(&key);
    let certificate = account_key.certify(&key.public(), &prekey.public(), 1, now())?;
    let credentials = Credentials { account_key: account_key.public(), certificate, badge: None };
    let device_name = "by hand".to_owned();
    Ok((key, NewDevice { credentials, device_name, nonce: challenge.nonce, signature }))
}

async fn answer<T: serde::de::DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T> {
    let response = request.send().await?;
    let status = response.status();
    if !status.is_success() {
        bail!("{status}: {}", response.text().await?);
    }
    Ok(response.json().await?)
}

/// The time of this machine.
pub fn now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
