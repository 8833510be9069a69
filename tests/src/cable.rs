//! The cable between a client and its server, which can be pulled.

use std::net::SocketAddr;

use anyhow::Result;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards TCP connections on a loopback port. While it is pulled, connections end at once and new ones come to nothing.
#[derive(Debug)]
pub struct Cable {
    address: SocketAddr,
    plugged: watch::Sender<bool>,
}

impl Cable {
    /// A plugged cable to this host and port.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn to(host: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (plugged, state) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (mut state, host) = (state.clone(), host.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = forward(near, &host) => {}
                        _ = state.wait_for(|plugged| !plugged) => {}
                    }
                });
            }
        });
        Ok(Self { address, plugged })
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
}

async fn forward(mut near: TcpStream, host: &str) {
    let Ok(mut far) = TcpStream::connect(host).await else { return };
    // Either end may go at any time: that is what cables do.
    let _ = near.set_nodelay(true);
    let _ = far.set_nodelay(true);
    let _ = copy_bidirectional(&mut near, &mut far).await;
}
