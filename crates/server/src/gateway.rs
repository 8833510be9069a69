//! The socket at `/v1/socket` (`PROTOCOL.md`, section 5).
//!
//! One task for each connection, which reads, writes and waits in turn: what it can't write, it does not read more of.
//! Nothing is queued for a connection but in its mailbox.

mod connection;
mod frames;
mod hello;
mod presence;
mod socket;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use carillon_wire::Code;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use self::socket::Socket;
use crate::api::ApiError;
use crate::app::Shared;

/// Turns a request into a socket (RFC 6455, section 4.2).
pub(crate) async fn upgrade(State(app): State<Shared>, mut request: Request) -> Response {
    if *app.stop.borrow() {
        return ApiError::from(Code::Restarting).into_response();
    }
    let headers = request.headers();
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let asked = has(headers, &header::CONNECTION, "upgrade")
        && has(headers, &header::UPGRADE, "websocket")
        && has(headers, &header::SEC_WEBSOCKET_VERSION, "13");
    let (Some(accept), true) = (key, asked) else {
        return ApiError::with_detail(Code::Malformed, "this is a WebSocket, version 13").into_response();
    };
    let Some(audience) = app.audience(headers) else {
        return ApiError::with_detail(Code::Malformed, "the Host header is missing").into_response();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // Fails when the client went away in between.
        let Ok(upgraded) = upgrade.await else { return };
        let socket = Socket::new(TokioIo::new(upgraded), &app).await;
        serve(app, socket, audience).await;
    });
    let headers = [
        (header::CONNECTION, "upgrade"),
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_ACCEPT, accept.as_str()),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// Whether a header holds a word in its list, in whatever case.
fn has(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(word))
}

/// A connection from the first frame to the last. The larger futures are boxed: they are gone while it is idle.
async fn serve(app: Shared, mut socket: Socket, audience: String) {
    let greeted = Box::pin(hello::greet(&app, &mut socket, &audience)).await;
    drop(audience);
    let end = match greeted {
        Ok(greeted) => connection::run(app, &mut socket, greeted).await,
        Err(end) => end,
    };
    Box::pin(socket.finish(end)).await;
}
