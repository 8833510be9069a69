//! What the operator's tools ask: `/healthz` and `/metrics`.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time::Instant;

use crate::app::{App, Shared};
use crate::{store, sweeper};

/// Of the text that [`Metrics::text`](crate::metrics::Metrics::text) writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long the store counts as healthy after it was found to be.
const HEALTH_KEPT: Duration = Duration::from_secs(1);

/// `/healthz`: whether the server can read and write. Says nothing else, so it may be public.
pub(crate) fn health() -> Router<Shared> {
    Router::new().route("/healthz", get(healthz))
}

/// `/metrics`: not for the public.
pub(crate) fn metrics() -> Router<Shared> {
    Router::new().route("/metrics", get(scrape))
}

/// Anybody may ask, as often as they like: the store is asked once a second at most, by one at a time.
async fn healthz(State(app): State<Shared>) -> Response {
    let mut healthy_at = app.healthy_at.lock().await;
    if healthy_at.is_none_or(|at| at.elapsed() >= HEALTH_KEPT) {
        *healthy_at = None;
        if let Err(error) = check(&app).await {
            tracing::error!(error = &error as &dyn std::error::Error, "the store is not healthy");
            return (StatusCode::SERVICE_UNAVAILABLE, "the database can't be written\n").into_response();
        }
        *healthy_at = Some(Instant::now());
    }
    (StatusCode::OK, "ok\n").into_response()
}

/// Reads, and renews the server's own lease: what every server has to write all the time. It must be a write that changes
/// something. SQLite leaves a page alone that would stay as it is, and so would not notice that the disk is full.
async fn check(app: &App) -> store::Result<()> {
    app.store.check().await?;
    app.store.renew_lease(app.node, sweeper::lease_until(app.clock.now())).await
}

async fn scrape(State(app): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], app.metrics.text()).into_response()
}
