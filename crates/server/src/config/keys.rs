//! The keys of the configuration, as they are described to the operator.

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Number,
    /// Several texts; in the environment separated by commas.
    List,
}

impl Kind {
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a whole number",
            Self::List => "a list, separated by commas",
        }
    }
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name in the file. In the environment: in capitals, after `CARILLON_`.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// A value as it could stand in the file.
    pub example: &'static str,
    /// What it does, and what happens without it.
    pub about: &'static str,
}

impl Key {
    /// A variable's text as a value of this key.
    pub(super) fn value(&self, text: &str) -> Option<toml::Value> {
        Some(match self.kind {
            Kind::Text => toml::Value::String(text.to_owned()),
            Kind::Number => toml::Value::Integer(text.trim().parse().ok()?),
            Kind::List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                toml::Value::Array(items.map(|item| toml::Value::String(item.to_owned())).collect())
            }
        })
    }
}

const fn key(name: &'static str, kind: Kind, example: &'static str, about: &'static str) -> Key {
    Key { name, kind, example, about }
}

/// Every key.
pub const KEYS: &[Key] = &[
    key("listen", Kind::Text, "'127.0.0.1:8080'", "Address and port to listen on. 127.0.0.1:8080 if absent."),
    key(
        "public_url",
        Kind::Text,
        "'https://calls.example.org'",
        "The address that clients are given. Needed unless listen is a loopback address.",
    ),
    key("data_dir", Kind::Text, "'data'", "Folder of the database; made if it is not there."),
    key(
        "database_max_mib",
        Kind::Number,
        "4096",
        "Most MiB that the database may grow to. As the disk allows if absent.",
    ),
    key("sign_up", Kind::Text, "'open'", "Who may sign up: open, invitation or closed."),
    key(
        "tls_certificate",
        Kind::Text,
        "'chain.pem'",
        "PEM file with the certificate chain, for TLS. Looked at again every minute and at SIGHUP.",
    ),
    key("tls_key", Kind::Text, "'key.pem'", "PEM file with the private key, for TLS."),
    key("max_connections", Kind::Number, "16384", "Most connections at once."),
    key(
        "max_connections_per_address",
        Kind::Number,
        "512",
        "Most connections at once from one IP address; trusted proxies are not counted.",
    ),
    key(
        "trusted_proxies",
        Kind::List,
        "['127.0.0.1']",
        "IP addresses of proxies whose X-Forwarded-For is believed.",
    ),
    key("turn_urls", Kind::List, "['turn:turn.example.org']", "TURN servers handed to clients."),
    key("turn_secret", Kind::Text, "'…'", "The secret shared with the TURN servers."),
    key("turn_secret_file", Kind::Text, "'turn.secret'", "A file with that secret, instead."),
    key(
        "metrics_listen",
        Kind::Text,
        "'127.0.0.1:9090'",
        "Address and port of /metrics. If absent, /metrics is served beside the rest, but only by a server that \
         listens on a loopback address and has no public_url.",
    ),
    key("log_format", Kind::Text, "'text'", "How the log is written: text or json."),
    key("log", Kind::Text, "'info'", "Which log lines are written: error, warn, info, debug, or a filter."),
    key(
        "reconnect_window_ms",
        Kind::Number,
        "10000",
        "When the server shuts down, clients come back spread over this time.",
    ),
];
