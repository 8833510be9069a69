//! The listener: accepts connections, keeps them within their limits, and serves HTTP/1 on them.
//!
//! What a connection may take from others is bounded: how many there are, how long the head of a request, a request, a
//! TLS handshake may take, how large heads are, how long a write may make no progress.

mod gate;
mod guarded;
mod timer;
mod tls;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, Request};
use carillon_wire::Code;
use carillon_wire::rest::ErrorBody;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

pub(crate) use gate::Gate;
use gate::Permit;
pub(crate) use guarded::Guarded;
use timer::ClockTimer;
pub(crate) use tls::Certificates;
pub use tls::TlsError;

use crate::app::ClientAddress;
use crate::clock::Clock;
use crate::config::{Config, Timings};

/// Room for the head of a request. Ours are below 1 KiB.
const HEAD_BYTES: usize = 16 * 1024;

/// Most lines in the head of a request.
const HEAD_LINES: usize = 64;

/// How long to wait after a failed accept, first and at most: nearly always the process is out of file descriptors, and
/// some connection must end first.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How long a connection that was answered and closed may go on sending, so that the answer is not torn up by a reset.
const LINGER: Duration = Duration::from_secs(1);

/// What the connections of one listener share.
#[derive(Clone)]
pub(crate) struct Listening {
    pub(crate) router: Router,
    pub(crate) tls: Option<Arc<Certificates>>,
    pub(crate) clock: Clock,
    pub(crate) gate: Arc<Gate>,
    pub(crate) timings: Timings,
    pub(crate) trusted_proxies: Arc<[IpAddr]>,
    /// Turns true when the server shuts down.
    pub(crate) stop: watch::Receiver<bool>,
}

impl Listening {
    pub(crate) fn new(
        router: Router,
        tls: Option<Arc<Certificates>>,
        clock: Clock,
        config: &Config,
        gate: Arc<Gate>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let trusted_proxies = config.trusted_proxies.clone().into();
        Self { router, tls, clock, gate, timings: config.timings, trusted_proxies, stop }
    }

    /// Accepts connections until the server shuts down.
    pub(crate) async fn run(mut self, listener: TcpListener) {
        let mut pause = ACCEPT_PAUSE.0;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stopped(&mut self.stop) => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    pause = ACCEPT_PAUSE.0;
                    self.admit(stream, peer);
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "connections can't be accepted for a moment");
                    sleep(pause).await;
                    pause = (pause * 2).min(ACCEPT_PAUSE.1);
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let address = peer.ip().to_canonical();
        let proxy = self.trusted_proxies.contains(&address);
        let Some(permit) = self.gate.admit((!proxy).then_some(address)) else {
            if let Some(turning_away) = self.gate.turn_away() {
                let encrypted = self.tls.is_some();
                tokio::spawn(async move {
                    turn_away(stream, encrypted).await;
                    drop(turning_away);
                });
            }
            return;
        };
        // Only fails on a socket that is already dead.
        let _ = stream.set_nodelay(true);
        let listening = self.clone();
        tokio::spawn(async move { listening.shake_hands(stream, permit, address, proxy).await });
    }

    async fn shake_hands(self, stream: TcpStream, permit: Permit, address: IpAddr, proxy: bool) {
        // The socket has a shorter limit of its own, after which it still tries to say why.
        let stream = Guarded::new(stream, permit, self.timings.stall * 2);
        match &self.tls {
            None => self.serve(stream, address, proxy).await,
            Some(tls) => {
                let shaken = self.clock.within(self.timings.handshake, tls.acceptor().accept(stream)).await;
                if let Some(Ok(stream)) = shaken {
                    self.serve(stream, address, proxy).await;
                }
            }
        }
    }

    async fn serve<S>(&self, stream: S, address: IpAddr, proxy: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = TowerToHyperService::new(self.router.clone());
        let (limit, proxies) = (self.timings.request, Arc::clone(&self.trusted_proxies));
        let service = service_fn(move |mut request: Request<Incoming>| {
            let address =
                if proxy { forwarded(request.headers(), &proxies).unwrap_or(address) } else { address };
            request.extensions_mut().insert(ClientAddress(address));
            let answer = router.call(request);
            async move {
                // There is nobody to answer who takes this long to ask: the connection ends.
                timeout(limit, answer)
                    .await
                    .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))
                    .map(|answer| answer.unwrap_or_else(|never: Infallible| match never {}))
            }
        });
        let connection = http1::Builder::new()
            .timer(ClockTimer(self.clock.clone()))
            .header_read_timeout(self.timings.header)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEAD_LINES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let mut stop = self.stop.clone();
        // What goes wrong here is the client's: it has gone, was too slow, or does not speak HTTP.
        tokio::select! {
            result = connection.as_mut() => drop(result),
            () = stopped(&mut stop) => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }
}

/// Waits until the server shuts down.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The sender is part of what everything shares: it is not gone before the one who asks.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The client in front of trusted proxies: the last address in `X-Forwarded-For` that none of them has.
fn forwarded(headers: &HeaderMap, proxies: &[IpAddr]) -> Option<IpAddr> {
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    lines
        .iter()
        .rev()
        .flat_map(|line| line.rsplit(','))
        .map_while(|address| address.trim().parse::<IpAddr>().ok())
        .map(|address| address.to_canonical())
        .find(|address| !proxies.contains(address))
}

/// Whether an error of `accept` is about the connection that would have been accepted (accept(2), "Error handling").
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// Says `overloaded`, where that can be said without a handshake, and closes.
async fn turn_away(mut stream: TcpStream, encrypted: bool) {
    if encrypted {
        return;
    }
    let code = Code::Overloaded;
    let body = ErrorBody { code, message: code.sentence().to_owned(), retry_after: None };
    let body = serde_json::to_string(&body).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = timeout(LINGER, stream.write_all(answer.as_bytes())).await;
    linger(&mut stream).await;
}

/// Closes the own direction and reads what still comes, for a moment: closing both at once would reset the connection
/// and tear up what was sent last.
pub(crate) async fn linger(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let rest = async {
        stream.shutdown().await?;
        let mut waste = [0; 4096];
        while stream.read(&mut waste).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    let _ = timeout(LINGER, rest).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_the_last_address_that_is_no_trusted_proxy() {
        let proxies: Vec<IpAddr> = ["127.0.0.1", "10.0.0.1"].map(|text| text.parse().unwrap()).into();
        for (lines, client) in [
            (vec!["203.0.113.7"], Some("203.0.113.7")),
            (vec!["198.51.100.1, 203.0.113.7, 10.0.0.1"], Some("203.0.113.7")),
            (vec!["198.51.100.1", "203.0.113.7"], Some("203.0.113.7")),
            (vec!["203.0.113.7, unknown"], None),
            (vec![], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in &lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            assert_eq!(forwarded(&headers, &proxies), client.map(|text| text.parse().unwrap()), "{lines:?}");
        }
    }
}
