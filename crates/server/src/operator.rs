//! What the operator's tools ask: `/healthz` and `/metrics`.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::app::Shared;

/// Of the text that [`Metrics::text`](crate::metrics::Metrics::text) writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `/healthz`: whether the server can read and write. Says nothing else, so it may be public.
pub(crate) fn health() -> Router<Shared> {
    Router::new().route("/healthz", get(healthz))
}

/// `/metrics`: not for the public.
pub(crate) fn metrics() -> Router<Shared> {
    Router::new().route("/metrics", get(scrape))
}

async fn healthz(State(app): State<Shared>) -> Response {
    match app.store.check().await {
        Ok(()) => (StatusCode::OK, "ok\n").into_response(),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the store is not healthy");
            (StatusCode::SERVICE_UNAVAILABLE, "the database can't be written\n").into_response()
        }
    }
}

async fn scrape(State(app): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], app.metrics.text()).into_response()
}
