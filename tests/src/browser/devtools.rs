//! Chromium's DevTools protocol over its WebSocket, as far as a test needs it.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::person::PATIENCE;

/// What the browser tells unasked: the name of the event, and its parameters.
pub(super) type Happening = (String, Value);

struct Request {
    method: String,
    params: Value,
    session: Option<String>,
    reply: oneshot::Sender<Result<Value>>,
}

/// A line to the browser. It ends when this is dropped.
#[derive(Debug, Clone)]
pub(super) struct DevTools {
    requests: mpsc::UnboundedSender<Request>,
    /// Of the page; the browser's own before one was entered.
    session: Option<String>,
}

impl DevTools {
    /// Connects to the address that the browser named. What happens there comes out at the other end.
    pub(super) async fn connect(url: &str) -> Result<(Self, mpsc::UnboundedReceiver<Happening>)> {
        // What a page has seen in half a minute is longer than the default allows.
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let (socket, _) = tokio_tungstenite::connect_async_with_config(url, Some(config), true).await?;
        let (requests, asked) = mpsc::unbounded_channel();
        let (happens, happenings) = mpsc::unbounded_channel();
        tokio::spawn(run(socket, asked, happens));
        Ok((Self { requests, session: None }, happenings))
    }

    /// The same line, for the page of this session.
    pub(super) fn of_page(self, session: String) -> Self {
        Self { session: Some(session), ..self }
    }

    /// Asks, and waits for the answer.
    pub(super) async fn request(&self, method: &str, params: Value) -> Result<Value> {
        let (reply, answer) = oneshot::channel();
        let (method, session) = (method.to_owned(), self.session.clone());
        let what = method.clone();
        let _ = self.requests.send(Request { method, params, session, reply });
        let answer = timeout(PATIENCE, answer).await.with_context(|| format!("no answer to {what}"))?;
        answer.context("the browser is gone")?.with_context(|| what)
    }

    /// Lets the page compute this, waits for what is promised, and gives its value.
    pub(super) async fn evaluate(&self, expression: &str) -> Result<Value> {
        let params = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
        });
        let mut answer = self.request("Runtime.evaluate", params).await?;
        if let Some(exception) = answer.get("exceptionDetails") {
            let text = &exception["exception"]["description"];
            bail!("the page threw {}", text.as_str().unwrap_or("what has no description"));
        }
        Ok(answer["result"]["value"].take())
    }
}

async fn run(
    mut socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    mut asked: mpsc::UnboundedReceiver<Request>,
    happens: mpsc::UnboundedSender<Happening>,
) {
    let mut open: HashMap<u64, oneshot::Sender<Result<Value>>> = HashMap::new();
    for id in 1.. {
        let request = loop {
            let message = tokio::select! {
                request = asked.recv() => break request,
                message = socket.next() => message,
            };
            let Some(Ok(message)) = message else { return };
            let Ok(mut said) = serde_json::from_slice::<Value>(&message.into_data()) else { continue };
            if let Some(reply) = said["id"].as_u64().and_then(|id| open.remove(&id)) {
                let answer = match said["error"]["message"].as_str() {
                    Some(error) => Err(anyhow::Error::msg(error.to_owned())),
                    None => Ok(said["result"].take()),
                };
                let _ = reply.send(answer);
            } else if let Some(event) = said["method"].as_str() {
                let _ = happens.send((event.to_owned(), said["params"].take()));
            }
        };
        let Some(Request { method, params, session, reply }) = request else { return };
        let mut words = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            words["sessionId"] = session.into();
        }
        open.insert(id, reply);
        if socket.send(Message::text(words.to_string())).await.is_err() {
            return;
        }
    }
}
