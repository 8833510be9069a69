//! What a request that fails is answered with.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use carillon_policy::rate::RetryAfter;
use carillon_wire::rest::ErrorBody;
use carillon_wire::{Code, Millis};

use crate::store::StoreError;

/// An answer that is not a success: a [`Code`], its status and its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    code: Code,
    detail: Option<String>,
    retry_after: Option<Millis>,
}

/// Result of a handler.
pub(super) type Result<T> = std::result::Result<T, ApiError>;

impl ApiError {
    /// The code's own sentence, and after it what exactly is wrong. `detail` must not repeat what was sent.
    pub fn with_detail(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: Some(detail.into()), retry_after: None }
    }
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self { code, detail: None, retry_after: None }
    }
}

impl From<RetryAfter> for ApiError {
    fn from(wait: RetryAfter) -> Self {
        Self { code: Code::RateLimited, detail: None, retry_after: Some(wait.0) }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Code::StorageFull.into(),
            StoreError::Busy => Code::Overloaded.into(),
            StoreError::Corrupt(_)
            | StoreError::Database(_)
            | StoreError::Migration(_)
            | StoreError::File(_) => {
                // SQLite's messages name tables and columns, never values.
                tracing::error!(error = &error as &dyn std::error::Error, "a request failed in the store");
                Code::Internal.into()
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let sentence = self.code.sentence();
        let message = match self.detail {
            Some(detail) => format!("{sentence} ({detail})"),
            None => sentence.to_owned(),
        };
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = ErrorBody { code: self.code, message, retry_after: self.retry_after };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.0.div_ceil(1000)));
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110, section 11.6.1 asks for it with every 401.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
