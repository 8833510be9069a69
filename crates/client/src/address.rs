//! Where a server is.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use crate::error::{ClientError, LocalCode};

/// The address of a server: `https://host[:port]`, or `http://` where that is allowed.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerAddress {
    url: Url,
    host: String,
    port: u16,
    secure: bool,
}

impl ServerAddress {
    /// Parses what a person types: without a scheme it is https.
    ///
    /// Plain http is taken for this machine only (`localhost`, `127.0.0.0/8`, `::1`), or anywhere with
    /// `insecure_http`: then whoever is on the way reads who calls whom, and can take over the session.
    ///
    /// # Errors
    /// `address_invalid`, `address_insecure`.
    pub fn parse(text: &str, insecure_http: bool) -> Result<Self, ClientError> {
        let text = text.trim();
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let url = Url::parse(&with_scheme).map_err(|_| LocalCode::AddressInvalid)?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(LocalCode::AddressInvalid.into()),
        };
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let (Some(host), Some(port), true) = (url.host_str(), url.port_or_known_default(), bare) else {
            return Err(LocalCode::AddressInvalid.into());
        };
        let host = host.to_ascii_lowercase();
        if !secure && !insecure_http && !is_this_machine(&host) {
            return Err(LocalCode::AddressInsecure.into());
        }
        Ok(Self { host, port, secure, url })
    }

    /// Whether TLS is spoken.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Host name, or address without the brackets of IPv6.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether the server is on this machine.
    pub(crate) fn is_here(&self) -> bool {
        is_this_machine(self.host())
    }

    /// TCP port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What a challenge is signed for: host and, if it is not the scheme's own, port (PROTOCOL.md, section 3).
    pub fn audience(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// The address of a path that starts with `/`.
    ///
    /// # Errors
    /// `address_invalid` when the path can't be one.
    pub fn join(&self, path: &str) -> Result<Url, ClientError> {
        let url = self.url.join(path).map_err(|_| LocalCode::AddressInvalid)?;
        // A path like `//other.example` would name another host.
        if url.origin() == self.url.origin() { Ok(url) } else { Err(LocalCode::AddressInvalid.into()) }
    }

    /// The socket's address.
    pub fn socket(&self) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        format!("{scheme}://{}/v1/socket", self.audience())
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ServerAddress {
        ServerAddress::parse(text, false).unwrap()
    }

    #[test]
    fn the_audience_is_host_and_unusual_port_in_lower_case() {
        assert_eq!(address("https://Calls.Example.org").audience(), "calls.example.org");
        assert_eq!(address("calls.example.org:443").audience(), "calls.example.org");
        assert_eq!(address("calls.example.org:8443/").audience(), "calls.example.org:8443");
        assert_eq!(address("http://127.0.0.1:8443").audience(), "127.0.0.1:8443");
        assert_eq!(address("http://[::1]:80").audience(), "[::1]");
        assert_eq!(address("http://[::1]:80").host(), "::1");
    }

    #[test]
    fn plain_http_leads_to_this_machine_only() {
        for here in ["http://localhost:1", "http://127.8.0.1:1", "http://[::1]:1"] {
            assert!(ServerAddress::parse(here, false).is_ok(), "{here}");
        }
        for away in ["http://calls.example.org", "http://10.0.0.1", "http://localhost.example.org"] {
            let error = ServerAddress::parse(away, false).unwrap_err();
            assert!(error.is_local(LocalCode::AddressInsecure), "{away}");
            assert!(ServerAddress::parse(away, true).is_ok(), "{away}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "ftp://a", "https://", "https://a/b", "https://a?b", "https://u:p@a", "a b", "https://a#b"]
        {
            let error = ServerAddress::parse(text, true).unwrap_err();
            assert!(error.is_local(LocalCode::AddressInvalid), "{text}");
        }
    }

    #[test]
    fn a_path_never_leads_to_another_host() {
        let server = address("https://a.example");
        assert_eq!(server.join("/v1/me").unwrap().as_str(), "https://a.example/v1/me");
        assert!(server.join("//b.example/v1").is_err());
        assert!(server.join("https://b.example/v1").is_err());
    }
}
