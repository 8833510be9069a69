//! From the first frame of a connection until its device is signed in.

use carillon_e2e::challenge::{Challenge, Purpose};
use carillon_wire::frame::{ClientFrame, FrameError, Ref, ServerFrame, decode_client};
use carillon_wire::{Bytes32, Code, DeviceId, PROTOCOLS_SERVED, Signature};
use rand::random;

use super::socket::{End, Incoming, Socket};
use crate::app::App;
use crate::bus::Line;
use crate::calls::{Sender, code_of, is_mail_number};
use crate::net::stopped;
use crate::store::Connected;

/// How many frames a device may send before `hello`. Each is answered.
const PATIENCE: usize = 8;

/// A device that has signed in and was not welcomed yet.
pub(super) struct Greeted {
    pub(super) sender: Sender,
    pub(super) line: Line,
    pub(super) connected: Connected,
    pub(super) proto: u16,
    /// Of its `hello`.
    pub(super) reference: Option<Ref>,
}

/// A `hello` taken apart.
struct Hello {
    reference: Option<Ref>,
    proto: u16,
    device: DeviceId,
    signature: Signature,
    resume: Option<u64>,
}

/// Gives a challenge and takes the answer.
pub(super) async fn greet(app: &App, socket: &mut Socket, audience: &str) -> Result<Greeted, End> {
    let nonce = Bytes32::from(random::<[u8; 32]>());
    let protocols = PROTOCOLS_SERVED.to_vec();
    socket.send(None, ServerFrame::Challenge { nonce, protocols }, None).await?;
    let mut stop = app.stop.subscribe();
    let hello = tokio::select! {
        hello = app.clock.within(app.config.timings.hello, wait_for_hello(app, socket)) => {
            hello.ok_or_else(|| End::refused(Code::HelloTimeout))??
        }
        () = stopped(&mut stop) => return Err(End::Restarting),
    };
    let sender = verify(app, &nonce, audience, &hello).await?;
    let line = app.bus.attach(sender.account, sender.device);
    let connected = app.store.connect(sender.device, app.node, hello.resume, app.clock.now());
    let connected = app.metrics.timed("connect", connected).await;
    let (connected, aftermath) = connected
        .map_err(|failure| End::refused(code_of(&failure)))?
        .ok_or_else(|| End::refused(Code::DeviceRevoked))?;
    app.follow_up(&aftermath);
    Ok(Greeted { sender, line, connected, proto: hello.proto, reference: hello.reference })
}

/// Answers whatever else comes with `not_signed_in`.
async fn wait_for_hello(app: &App, socket: &mut Socket) -> Result<Hello, End> {
    for _ in 0..PATIENCE {
        let frame = match socket.receive().await? {
            Incoming::Text(text) => decode_client(&text),
            Incoming::Binary => Err(super::frames::binary()),
            Incoming::Life => continue,
        };
        match frame {
            Ok(numbered) => {
                app.metrics.frame(numbered.frame.kind());
                if let ClientFrame::Hello { proto, device, signature, resume } = numbered.frame {
                    return Ok(Hello { reference: numbered.reference, proto, device, signature, resume });
                }
                let refusal = ServerFrame::error(Code::NotSignedIn);
                socket.send(numbered.reference, refusal, None).await?;
            }
            Err(error) => answer_unreadable(socket, error).await?,
        }
    }
    Err(End::refused(Code::NotSignedIn))
}

async fn answer_unreadable(socket: &mut Socket, error: FrameError) -> Result<(), End> {
    socket.send(error.reference, super::frames::unreadable(&error), None).await
}

/// Whether the device is whom it says, and may be here.
async fn verify(app: &App, nonce: &Bytes32, audience: &str, hello: &Hello) -> Result<Sender, End> {
    if !PROTOCOLS_SERVED.contains(&hello.proto) {
        let code = Code::ProtocolUnsupported;
        return Err(End::Refused(ServerFrame::Error {
            code,
            message: code.sentence().to_owned(),
            call: None,
            retry_after: None,
            protocols: Some(PROTOCOLS_SERVED.to_vec()),
        }));
    }
    if !hello.resume.is_none_or(is_mail_number) {
        return Err(End::refused(Code::Malformed));
    }
    let device = app
        .store
        .device_identity(hello.device)
        .await
        .map_err(|failure| End::refused(code_of(&failure)))?
        .ok_or_else(|| End::refused(Code::DeviceUnknown))?;
    let challenge =
        Challenge { purpose: Purpose::Hello, nonce, device: hello.device, protocol: hello.proto, audience };
    // First the signature: only the device itself learns that it was revoked.
    challenge.verify(&device.device_key, &hello.signature).map_err(|_| End::refused(Code::BadSignature))?;
    if device.revoked {
        return Err(End::refused(Code::DeviceRevoked));
    }
    if device.suspended {
        return Err(End::refused(Code::AccountSuspended));
    }
    Ok(Sender { account: device.account, device: hello.device })
}
