//! The cable between a client and its server, which can be pulled, and which can hold back what the client says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the request for the socket begins; everything else goes through even while the cable is held.
const SOCKET: &[u8] = b"GET /v1/socket ";

/// Forwards TCP connections on a loopback port. While it is pulled, connections end at once and new ones come to nothing.
#[derive(Debug)]
pub struct Cable {
    address: SocketAddr,
    plugged: watch::Sender<bool>,
    held: watch::Sender<bool>,
    heard: Heard,
}

/// What the server has said on sockets: its frames are not masked (RFC 6455, section 5.1), so their text can be found.
type Heard = Arc<Mutex<Vec<u8>>>;

impl Cable {
    /// A plugged cable to this host and port.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn to(host: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (plugged, state) = watch::channel(true);
        let (held, holding) = watch::channel(false);
        let heard = Heard::default();
        let hears = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (mut state, host) = (state.clone(), host.clone());
                let (holding, hears) = (holding.clone(), Arc::clone(&hears));
                tokio::spawn(async move {
                    tokio::select! {
                        () = forward(near, &host, holding, hears) => {}
                        _ = state.wait_for(|plugged| !plugged) => {}
                    }
                });
            }
        });
        Ok(Self { address, plugged, held, heard })
    }

    /// The address at this end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Pulls it.
    pub fn pull(&self) {
        self.plugged.send_replace(false);
    }

    /// Plugs it in again.
    pub fn plug(&self) {
        self.plugged.send_replace(true);
    }

    /// Holds back what the client says on its socket from now on. Requests by REST, and what the server says, go through.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Lets through what was held back, and what comes.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// Whether the server has said this on a socket.
    pub fn has_heard(&self, text: &str) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

async fn forward(near: TcpStream, host: &str, held: watch::Receiver<bool>, heard: Heard) {
    let Ok(far) = TcpStream::connect(host).await else { return };
    // Either end may go at any time: that is what cables do.
    let _ = near.set_nodelay(true);
    let _ = far.set_nodelay(true);
    let (mut near_in, near_out) = near.into_split();
    let (far_in, mut far_out) = far.into_split();
    let mut head = [0; SOCKET.len()];
    let Ok(_) = near_in.read_exact(&mut head).await else { return };
    let Ok(()) = far_out.write_all(&head).await else { return };
    let socket = head == *SOCKET;
    tokio::join!(
        copy(near_in, far_out, socket.then_some(held), None),
        copy(far_in, near_out, None, socket.then_some(heard)),
    );
}

/// Copies until the end, which it passes on. Waits with each piece while it is held, and writes down what it passes on.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut held: Option<watch::Receiver<bool>>,
    heard: Option<Heard>,
) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let bytes = &piece[..length];
        if let Some(held) = &mut held {
            // The sender is gone when nobody has the cable any longer.
            let _ = held.wait_for(|held| !held).await;
        }
        if let Some(heard) = &heard {
            heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        }
        if to.write_all(bytes).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
