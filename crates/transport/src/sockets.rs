//! The runtime that the WebRTC stack is given: tokio's, with sockets that ask the [`Guard`], and tasks that end with
//! the connection. They also repeat what a handshake lost ([`Flight`]).
//!
//! The stack's own sockets read up to 64 datagrams at once, into 128 KiB for each socket, and let an error of one
//! datagram reach the session. A call sends some hundred packets a second: one datagram at a time is enough.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime,
    TokioRuntime, Transmit,
};

use crate::drops::Dropped;
use crate::flight::Flight;
use crate::guard::Guard;

/// Datagrams that are thrown away in a row before other tasks get their turn.
const DROPS_IN_A_ROW: usize = 64;

/// Boxed, as the stack's trait wants it.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tokio, guarded.
#[derive(Debug)]
pub(crate) struct Sockets {
    guard: Arc<Guard>,
    tasks: Arc<Tasks>,
}

impl Sockets {
    pub(crate) const fn new(guard: Arc<Guard>, tasks: Arc<Tasks>) -> Self {
        Self { guard, tasks }
    }
}

/// Tasks that end when this is dropped, or told to.
#[derive(Debug, Default)]
pub(crate) struct Tasks(Mutex<Vec<AbortHandle>>);

impl Tasks {
    pub(crate) fn keep(&self, task: AbortHandle) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }

    pub(crate) fn abort(&self) {
        for task in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.abort();
    }
}

struct Spawned(AbortHandle);

impl JoinHandle for Spawned {
    fn detach(&self) {}

    fn abort(&self) {
        self.0.abort();
    }

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl Runtime for Sockets {
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        let task = tokio::spawn(future).abort_handle();
        self.tasks.keep(task.clone());
        Box::new(Spawned(task))
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let local = socket.local_addr()?;
        let handshake = Arc::new(Handshake {
            socket: UdpSocket::from_std(socket)?,
            guard: Arc::clone(&self.guard),
            flight: Mutex::default(),
            changed: Notify::new(),
        });
        self.tasks.keep(tokio::spawn(Arc::clone(&handshake).repeat()).abort_handle());
        Ok(Arc::new(Guarded { handshake, local }))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(&'a self, _: SocketAddr) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host(host).await?.collect()) })
    }

    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn name(&self) -> &'static str {
        "guarded"
    }
}

/// A socket, and what was sent through it of a DTLS handshake.
#[derive(Debug)]
struct Handshake {
    socket: UdpSocket,
    guard: Arc<Guard>,
    flight: Mutex<Flight>,
    /// There is something to repeat.
    changed: Notify,
}

impl Handshake {
    /// Nobody panics while holding it.
    fn flight(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self, datagram: &[u8], to: SocketAddr) {
        let mut flight = self.flight();
        let waiting = flight.next().is_some();
        flight.left(datagram, to, self.guard.counters.rtt(), Instant::now());
        if !waiting && flight.next().is_some() {
            self.changed.notify_one();
        }
    }

    async fn repeat(self: Arc<Self>) {
        loop {
            let Some(next) = self.flight().next() else {
                self.changed.notified().await;
                continue;
            };
            tokio::time::sleep_until(next.into()).await;
            for (to, datagram) in self.flight().due(self.guard.counters.rtt(), Instant::now()) {
                // A full queue: to the session it is a lost datagram.
                match self.socket.try_send_to(datagram, *to) {
                    Ok(bytes) => self.guard.sent(bytes),
                    Err(_) => self.guard.counters.dropped(Dropped::NotSendable),
                }
            }
        }
    }
}

/// A socket that asks first.
#[derive(Debug)]
struct Guarded {
    handshake: Arc<Handshake>,
    local: SocketAddr,
}

impl AsyncUdpSocket for Guarded {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let (datagram, to) = (transmit.contents, transmit.destination);
        let guard = &self.handshake.guard;
        if !guard.lets_out(datagram, self.local, to, Instant::now()) {
            return Poll::Ready(Ok(datagram.len()));
        }
        let sent = ready!(self.handshake.socket.poll_send_to(cx, datagram, to));
        self.handshake.left(datagram, to);
        match sent {
            Ok(bytes) => guard.sent(bytes),
            // A candidate in a network that this machine does not reach, a full queue, a firewall: to the session it
            // is a lost datagram.
            Err(_) => guard.counters.dropped(Dropped::NotSendable),
        }
        Poll::Ready(Ok(datagram.len()))
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        for _ in 0..DROPS_IN_A_ROW {
            let mut read = ReadBuf::new(buffer);
            let from = match ready!(self.handshake.socket.poll_recv_from(cx, &mut read)) {
                Ok(from) => from,
                // Windows tells here that an earlier datagram did not arrive.
                Err(error) if is_of_a_datagram(&error) => continue,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let length = read.filled().len();
            if self.handshake.guard.admits(read.filled(), from, Instant::now()) {
                self.handshake.flight().came(read.filled());
                *meta = RecvMeta::default();
                meta.addr = from;
                meta.len = length;
                meta.stride = length;
                return Poll::Ready(Ok(1));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn is_of_a_datagram(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable | Interrupted
    )
}
