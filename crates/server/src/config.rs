//! What the operator decides: a TOML file, over it the environment.
//!
//! Every key of the file has a variable of the environment: its name in capitals after `CARILLON_`. Lists are
//! separated by commas there. A key that is not known is an error, so that a slip of the pen is not a setting that
//! silently does nothing.

mod keys;
mod secret;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use carillon_wire::limits;
use carillon_wire::rest::SignUpMode;
use serde::Deserialize;

pub use keys::{KEYS, Key};
pub use secret::Secret;

/// Variables that start like ours and are no keys: the client's, and where the file is.
const NO_KEYS: &[&str] = &["CARILLON_PROFILE", "CARILLON_SERVER", "CARILLON_CA", "CARILLON_CONFIG"];

/// Why a configuration can't be used. The sentence names the key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("{path} could not be read: {source}")]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML, has an unknown key, or a value of the wrong type.
    #[error("the configuration is not valid: {0}")]
    Invalid(String),
    /// A variable that starts with `CARILLON_` and is no key.
    #[error("the environment has {0}, which is no key of the configuration")]
    UnknownVariable(String),
    /// Reachable from other machines, and no `public_url`.
    #[error(
        "public_url is missing: a server that other machines can reach must know the address under which they \
         reach it, because sign-ins are bound to it. Set public_url = \"https://…\", or listen on 127.0.0.1"
    )]
    PublicUrlMissing,
    /// `public_url` is no address of a server.
    #[error(
        "public_url must be http:// or https:// with a host, and without a path, for example https://calls.example.org"
    )]
    PublicUrlInvalid,
    /// Only one of `tls_certificate` and `tls_key`.
    #[error("tls_certificate and tls_key belong together: set both or neither")]
    TlsIncomplete,
    /// TURN addresses without a secret, or the other way round.
    #[error("turn_urls and turn_secret (or turn_secret_file) belong together: set both or neither")]
    TurnIncomplete,
    /// A number that makes no sense.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Everything the operator can set. [`KEYS`] describes each for them.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address that clients are given. Needed unless `listen` is a loopback address.
    pub public_url: Option<String>,
    /// Where the database is.
    pub data_dir: PathBuf,
    /// Most MiB that the database may grow to.
    pub database_max_mib: Option<u32>,
    /// Who may sign up.
    pub sign_up: SignUpMode,
    /// PEM file with the certificate chain.
    pub tls_certificate: Option<PathBuf>,
    /// PEM file with the private key.
    pub tls_key: Option<PathBuf>,
    /// Most connections at once.
    pub max_connections: usize,
    /// Most connections at once from one IP address. Those of trusted proxies are not counted.
    pub max_connections_per_address: usize,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// TURN servers handed to clients, as `turn:` addresses (RFC 7065).
    pub turn_urls: Vec<String>,
    /// The secret shared with the TURN servers.
    pub turn_secret: Option<Secret>,
    /// A file with that secret, instead.
    pub turn_secret_file: Option<PathBuf>,
    /// Where `/metrics` is served, apart from the public address.
    pub metrics_listen: Option<SocketAddr>,
    /// Text or JSON.
    pub log_format: LogFormat,
    /// Which log lines are written, as `tracing-subscriber`'s `EnvFilter` reads it.
    pub log: String,
    /// When the server shuts down, clients come back spread over this many milliseconds.
    pub reconnect_window_ms: u64,
    /// Spans that the protocol promises. Not for operators: tests shorten them.
    #[serde(skip)]
    pub timings: Timings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: None,
            data_dir: PathBuf::from("data"),
            database_max_mib: None,
            sign_up: SignUpMode::Open,
            tls_certificate: None,
            tls_key: None,
            max_connections: 16_384,
            max_connections_per_address: 512,
            trusted_proxies: Vec::new(),
            turn_urls: Vec::new(),
            turn_secret: None,
            turn_secret_file: None,
            metrics_listen: None,
            log_format: LogFormat::Text,
            log: "info".to_owned(),
            reconnect_window_ms: 10_000,
            timings: Timings::default(),
        }
    }
}

/// Spans of the connection handling, at the values of the protocol unless a test says otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Timings {
    /// For the whole head of a request.
    pub header: Duration,
    /// For a request from its head to its answer.
    pub request: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the upgrade to `hello`.
    pub hello: Duration,
    /// Silence after which a side sends `ping`.
    pub heartbeat: Duration,
    /// How long a connection may take none of what is sent to it.
    pub stall: Duration,
    /// Shortest and longest delay of `refused`.
    pub refusal: (Duration, Duration),
    /// How often the operator's changes are looked for.
    pub operator: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            request: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            hello: limits::HELLO_TIMEOUT.duration(),
            heartbeat: limits::HEARTBEAT.duration(),
            stall: Duration::from_secs(10),
            refusal: (Duration::from_millis(150), Duration::from_millis(350)),
            operator: Duration::from_secs(1),
        }
    }
}

impl Config {
    /// A server for this machine alone, on a free port: for tests and for the app.
    pub fn local(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data_dir: data_dir.into(),
            ..Self::default()
        }
    }

    /// Reads the file, if one is given, and the environment over it, and checks the whole.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut table = match file {
            Some(path) => parse(&read(path)?)?,
            None => toml::Table::new(),
        };
        for (name, value) in environment {
            let Some(key) = name.strip_prefix("CARILLON_") else { continue };
            if NO_KEYS.contains(&name.as_str()) || value.is_empty() {
                continue;
            }
            let key = KEYS
                .iter()
                .find(|known| known.name.eq_ignore_ascii_case(key))
                .ok_or_else(|| ConfigError::UnknownVariable(name.clone()))?;
            let value = key
                .value(&value)
                .ok_or_else(|| ConfigError::Invalid(format!("{name} must be {}", key.kind.describe())))?;
            table.insert(key.name.to_owned(), value);
        }
        let mut config: Self = table
            .try_into()
            .map_err(|error: toml::de::Error| ConfigError::Invalid(error.message().to_owned()))?;
        if let Some(path) = config.turn_secret_file.take() {
            config.turn_secret = Some(Secret::new(read(&path)?.trim()));
        }
        config.check()?;
        Ok(config)
    }

    /// Whether the parts fit together.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.public_url.is_some() {
            self.audience().ok_or(ConfigError::PublicUrlInvalid)?;
        } else if !self.listen.ip().is_loopback() {
            return Err(ConfigError::PublicUrlMissing);
        }
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            return Err(ConfigError::TlsIncomplete);
        }
        if self.turn_urls.is_empty() != self.turn_secret.is_none() {
            return Err(ConfigError::TurnIncomplete);
        }
        for (name, number) in [
            ("max_connections", self.max_connections),
            ("max_connections_per_address", self.max_connections_per_address),
        ] {
            if number == 0 {
                return Err(ConfigError::Zero(name));
            }
        }
        Ok(())
    }

    /// The audience of challenges (`PROTOCOL.md`, section 3): host of `public_url` in lower case, with the port if
    /// it is not the scheme's own. `None` without a `public_url`: then it is the `Host` that the client asks for.
    pub fn audience(&self) -> Option<String> {
        let uri: axum::http::Uri = self.public_url.as_deref()?.parse().ok()?;
        let own_port = match uri.scheme_str()? {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        let authority = uri.authority()?;
        if authority.as_str().contains('@') || uri.path() != "/" || uri.query().is_some() {
            return None;
        }
        audience_of(authority.as_str(), own_port)
    }

    /// Whether a client talks TLS to the server, or to the proxy before it.
    pub fn is_secure(&self) -> bool {
        match &self.public_url {
            Some(url) => url.to_ascii_lowercase().starts_with("https://"),
            None => self.tls_certificate.is_some(),
        }
    }
}

/// Host and port of an authority as challenges name it.
pub(crate) fn audience_of(authority: &str, own_port: u16) -> Option<String> {
    let authority: axum::http::uri::Authority = authority.parse().ok()?;
    let host = authority.host().to_ascii_lowercase();
    match authority.port_u16() {
        Some(port) if port != own_port => Some(format!("{host}:{port}")),
        _ if host.is_empty() => None,
        _ => Some(host),
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

fn parse(text: &str) -> Result<toml::Table, ConfigError> {
    text.parse().map_err(|error: toml::de::Error| ConfigError::Invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("carillon.toml");
        std::fs::write(&path, file).unwrap();
        Config::load(Some(&path), environment.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())))
    }

    #[test]
    fn nothing_set_is_a_server_for_this_machine() {
        let config = Config::load(None, []).unwrap();
        assert!(config.listen.ip().is_loopback());
        assert_eq!(config.audience(), None);
    }

    #[test]
    fn the_environment_goes_before_the_file() {
        let config = load(
            "listen = '0.0.0.0:1'\npublic_url = 'https://Calls.Example.org'\nsign_up = 'closed'",
            &[
                ("CARILLON_LISTEN", "[::]:9000"),
                ("CARILLON_MAX_CONNECTIONS", "7"),
                ("CARILLON_TURN_URLS", "turn:a.example, turn:b.example"),
                ("CARILLON_TURN_SECRET", "hush"),
                ("HOME", "/home/ada"),
                ("CARILLON_PROFILE", "/home/ada/profile"),
            ],
        )
        .unwrap();
        assert_eq!(config.listen.port(), 9000);
        assert_eq!(config.max_connections, 7);
        assert_eq!(config.turn_urls, ["turn:a.example", "turn:b.example"]);
        assert_eq!(config.sign_up, SignUpMode::Closed);
        assert_eq!(config.audience().as_deref(), Some("calls.example.org"));
    }

    #[test]
    fn unknown_keys_are_named() {
        let error = load("listem = '127.0.0.1:1'", &[]).unwrap_err().to_string();
        assert!(error.contains("listem"), "{error}");
        let error = load("", &[("CARILLON_LISTEM", "127.0.0.1:1")]).unwrap_err().to_string();
        assert!(error.contains("CARILLON_LISTEM"), "{error}");
        let error = load("", &[("CARILLON_MAX_CONNECTIONS", "many")]).unwrap_err().to_string();
        assert!(error.contains("CARILLON_MAX_CONNECTIONS must be a whole number"), "{error}");
    }

    #[test]
    fn a_public_address_needs_a_public_url() {
        let error = load("listen = '0.0.0.0:8080'", &[]).unwrap_err();
        assert!(matches!(error, ConfigError::PublicUrlMissing));
        assert!(load("listen = '[::1]:8080'", &[]).is_ok());
        for url in
            ["calls.example.org", "ftp://example.org", "https://example.org/calls", "https://a@example.org"]
        {
            let error = load(&format!("public_url = '{url}'"), &[]).unwrap_err();
            assert!(matches!(error, ConfigError::PublicUrlInvalid), "{url}");
        }
    }

    #[test]
    fn the_audience_has_the_port_only_if_it_is_not_the_schemes_own() {
        for (url, audience) in [
            ("https://calls.example.org:443", "calls.example.org"),
            ("https://calls.example.org:80", "calls.example.org:80"),
            ("http://127.0.0.1:8443/", "127.0.0.1:8443"),
            ("http://[::1]:80", "[::1]"),
        ] {
            let config = Config { public_url: Some(url.to_owned()), ..Config::default() };
            assert_eq!(config.audience().as_deref(), Some(audience));
        }
    }

    #[test]
    fn secrets_come_from_a_file_and_are_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("turn");
        std::fs::write(&path, "hush\n").unwrap();
        let file = format!("turn_urls = ['turn:a.example']\nturn_secret_file = '{}'", path.display());
        let config = load(&file, &[]).unwrap();
        assert_eq!(config.turn_secret.as_ref().unwrap().expose(), "hush");
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn halves_are_refused() {
        assert!(matches!(load("tls_key = 'k.pem'", &[]), Err(ConfigError::TlsIncomplete)));
        assert!(matches!(load("turn_urls = ['turn:a']", &[]), Err(ConfigError::TurnIncomplete)));
        assert!(matches!(load("max_connections = 0", &[]), Err(ConfigError::Zero("max_connections"))));
    }

    #[test]
    fn every_key_is_described_and_every_described_key_exists() {
        let described: String = KEYS.iter().map(|key| format!("{} = {}\n", key.name, key.example)).collect();
        let table: toml::Table = described.parse().unwrap();
        assert_eq!(table.len(), KEYS.len());
        table.try_into::<Config>().unwrap();
        let fields = format!("{:#?}", Config::default());
        for line in fields.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     ")) {
            let Some((name, _)) = line.trim().split_once(':') else { continue };
            assert!(name == "timings" || KEYS.iter().any(|key| key.name == name), "{name}");
        }
    }
}
