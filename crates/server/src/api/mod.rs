//! The REST part under `/v1/` (`PROTOCOL.md`, section 4), with the OpenAPI file that describes it.
//!
//! A handler reads the request, asks the store, and tells others what follows: `crate::effects` has those consequences in
//! one place. Every route is registered from the same annotation that describes it, so the file can't leave one out.

mod calls;
mod devices;
mod error;
mod extract;
mod names;
mod people;
mod profile;
mod sign_in;

use std::collections::BTreeMap;

use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use carillon_wire::Code;
use carillon_wire::rest::ErrorBody;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, OpenApi as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use error::ApiError;
pub(crate) use extract::hashed;

use crate::app::Shared;

const TAG_SIGN_IN: &str = "signing in";
const TAG_ME: &str = "own account";
const TAG_DEVICES: &str = "devices";
const TAG_PEOPLE: &str = "people";
const TAG_CALLS: &str = "calls";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Carillon",
        description = "The REST part of the Carillon protocol, version 1. PROTOCOL.md describes the rest.",
        license(name = "MIT OR Apache-2.0")
    ),
    components(schemas(ErrorBody))
)]
struct Document;

/// Every answer that is not a success, for the OpenAPI file.
struct Errors;

impl IntoResponses for Errors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let content = Content::new(Some(RefOr::Ref(Ref::from_schema_name(ErrorBody::name()))));
        let response = ResponseBuilder::new()
            .description("What went wrong, as a stable code; the status is the code's")
            .content("application/json", content)
            .build();
        BTreeMap::from([("default".to_owned(), response.into())])
    }
}

fn documented() -> (Router<Shared>, OpenApi) {
    let (router, mut openapi) = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(sign_in::server))
        .routes(routes!(sign_in::challenge))
        .routes(routes!(people::search, sign_in::sign_up))
        .routes(routes!(sign_in::sign_in))
        .routes(routes!(sign_in::sign_out))
        .routes(routes!(devices::list, sign_in::add_device))
        .routes(routes!(devices::renew))
        .routes(routes!(devices::revoke))
        .routes(routes!(profile::get_me, profile::patch_me))
        .routes(routes!(profile::put_picture, profile::delete_picture))
        .routes(routes!(profile::picture))
        .routes(routes!(profile::abilities))
        .routes(routes!(people::person))
        .routes(routes!(devices::keys))
        .routes(routes!(people::following))
        .routes(routes!(people::followers))
        .routes(routes!(people::blocks))
        .routes(routes!(people::follow, people::unfollow))
        .routes(routes!(people::block, people::unblock))
        .routes(routes!(calls::settings, calls::change_settings))
        .routes(routes!(calls::missed))
        .routes(routes!(calls::filtered))
        .routes(routes!(calls::forget))
        .split_for_parts();
    openapi
        .components
        .get_or_insert_default()
        .add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    (router, openapi)
}

/// The OpenAPI file, as it is served.
pub fn openapi() -> OpenApi {
    documented().1
}

/// The routes of the REST part. What else the server serves is to be merged into it; an unknown path gets
/// `not_found`, a wrong method `method_not_allowed`.
pub fn router() -> Router<Shared> {
    let (router, openapi) = documented();
    router
        .route("/v1/openapi.json", get(move || std::future::ready(Json(openapi.clone()).into_response())))
        .fallback(async || ApiError::from(Code::NotFound))
        .method_not_allowed_fallback(async || ApiError::from(Code::MethodNotAllowed))
}
