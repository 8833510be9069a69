//! Other people: search, profiles, following, blocks.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use carillon_wire::frame::Topic;
use carillon_wire::rest::{Page, Person};
use carillon_wire::{AccountId, Code, Handle};
use serde::Deserialize;

use super::error::{ApiError, Result};
use super::extract::{Changing, PageQuery, Params, Segment, SignedIn};
use super::{Errors, TAG_PEOPLE};
use crate::app::Shared;
use crate::effects::{recheck, tell};
use crate::store::PeopleList;

/// Fewest characters of a search.
const MIN_SEARCH: usize = 2;

/// What to search for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// The start of a handle, two characters or more; one `@` before it does not count.
    q: String,
    /// How many entries, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// People by the start of their handle.
///
/// Those who block the one who asks are shown like everybody else: were they missing, the block would show.
#[utoipa::path(get, path = "/v1/accounts", tag = TAG_PEOPLE, security(("token" = [])), params(Search),
    responses((status = 200, body = Page<Person>), Errors))]
pub(super) async fn search(
    State(app): State<Shared>,
    me: SignedIn,
    Params(Search { q, limit, cursor }): Params<Search>,
) -> Result<Json<Page<Person>>> {
    let limit = PageQuery { limit, cursor: None }.limit()?;
    let typed = q.trim();
    let prefix = typed.strip_prefix('@').unwrap_or(typed).to_ascii_lowercase();
    if prefix.chars().count() < MIN_SEARCH {
        return Err(ApiError::with_detail(Code::Malformed, "`q` must have 2 characters or more"));
    }
    let after = match cursor.as_deref().map(Handle::parse) {
        Some(Err(_)) => {
            return Err(ApiError::with_detail(Code::Malformed, "`cursor` is not one of this list"));
        }
        Some(Ok(handle)) => Some(handle),
        None => None,
    };
    app.quotas.searches.check(&me.account, app.clock.now())?;
    if !prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        // No handle starts like this.
        return Ok(Json(Page { items: Vec::new(), next: None }));
    }
    let page = app.store.search(me.account, &prefix, after.as_ref().map(Handle::as_str), limit).await?;
    Ok(Json(Page { items: page.people, next: page.next }))
}

/// One person, by id or by handle.
#[utoipa::path(get, path = "/v1/accounts/{account}", tag = TAG_PEOPLE, security(("token" = [])),
    params(("account" = String, Path, description = "An account id, or a handle after `@`.")),
    responses((status = 200, body = Person), Errors))]
pub(super) async fn person(State(app): State<Shared>, me: SignedIn, whom: Segment) -> Result<Json<Person>> {
    let person = if whom.0.starts_with('@') {
        app.quotas.searches.check(&me.account, app.clock.now())?;
        let handle = Handle::parse(&whom.0).map_err(|_| Code::HandleInvalid)?;
        app.store.person_by_handle(me.account, &handle).await?
    } else {
        app.store.person(me.account, whom.account()?).await?
    };
    Ok(Json(person.ok_or(Code::AccountUnknown)?))
}

async fn list(app: &Shared, me: SignedIn, list: PeopleList, query: &PageQuery) -> Result<Json<Page<Person>>> {
    let page = app.store.people(me.account, list, query.number()?, query.limit()?).await?;
    Ok(Json(Page { items: page.people, next: page.next.map(|next| next.to_string()) }))
}

/// Whom the own account follows, newest first.
#[utoipa::path(get, path = "/v1/following", tag = TAG_PEOPLE, security(("token" = [])), params(PageQuery),
    responses((status = 200, body = Page<Person>), Errors))]
pub(super) async fn following(
    State(app): State<Shared>,
    me: SignedIn,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<Person>>> {
    list(&app, me, PeopleList::Following, &query).await
}

/// Who follows the own account, newest first. People that it blocks are left out.
#[utoipa::path(get, path = "/v1/followers", tag = TAG_PEOPLE, security(("token" = [])), params(PageQuery),
    responses((status = 200, body = Page<Person>), Errors))]
pub(super) async fn followers(
    State(app): State<Shared>,
    me: SignedIn,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<Person>>> {
    list(&app, me, PeopleList::Followers, &query).await
}

/// Whom the own account blocks, newest first.
#[utoipa::path(get, path = "/v1/blocks", tag = TAG_PEOPLE, security(("token" = [])), params(PageQuery),
    responses((status = 200, body = Page<Person>), Errors))]
pub(super) async fn blocks(
    State(app): State<Shared>,
    me: SignedIn,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<Person>>> {
    list(&app, me, PeopleList::Blocks, &query).await
}

fn other(me: SignedIn, whom: &Segment) -> Result<AccountId> {
    let account = whom.account()?;
    if account == me.account { Err(Code::SelfTarget.into()) } else { Ok(account) }
}

/// Follows somebody. Done again, it changes nothing.
#[utoipa::path(put, path = "/v1/following/{account}", tag = TAG_PEOPLE, security(("token" = [])),
    params(("account" = String, Path, description = "An account id.")), responses((status = 204), Errors))]
pub(super) async fn follow(
    State(app): State<Shared>,
    Changing(me): Changing,
    whom: Segment,
) -> Result<StatusCode> {
    let whom = other(me, &whom)?;
    if !app.store.follow(me.account, whom).await? {
        return Err(Code::AccountUnknown.into());
    }
    recheck(&app, me.account).await;
    tell(&app, me.account, &[Topic::Following]).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a following.
#[utoipa::path(delete, path = "/v1/following/{account}", tag = TAG_PEOPLE, security(("token" = [])),
    params(("account" = String, Path, description = "An account id.")), responses((status = 204), Errors))]
pub(super) async fn unfollow(
    State(app): State<Shared>,
    Changing(me): Changing,
    whom: Segment,
) -> Result<StatusCode> {
    app.store.unfollow(me.account, other(me, &whom)?).await?;
    recheck(&app, me.account).await;
    tell(&app, me.account, &[Topic::Following]).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Blocks somebody and ends following in both directions. Done again, it changes nothing.
#[utoipa::path(put, path = "/v1/blocks/{account}", tag = TAG_PEOPLE, security(("token" = [])),
    params(("account" = String, Path, description = "An account id.")), responses((status = 204), Errors))]
pub(super) async fn block(
    State(app): State<Shared>,
    Changing(me): Changing,
    whom: Segment,
) -> Result<StatusCode> {
    let whom = other(me, &whom)?;
    if !app.store.block(me.account, whom).await? {
        return Err(Code::AccountUnknown.into());
    }
    // A call that rings at this moment ends, whoever of the two placed it. The other side's devices are not told
    // that its lists have changed: it would be told of the block.
    recheck(&app, me.account).await;
    recheck(&app, whom).await;
    tell(&app, me.account, &[Topic::Blocks, Topic::Following]).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a block.
#[utoipa::path(delete, path = "/v1/blocks/{account}", tag = TAG_PEOPLE, security(("token" = [])),
    params(("account" = String, Path, description = "An account id.")), responses((status = 204), Errors))]
pub(super) async fn unblock(
    State(app): State<Shared>,
    Changing(me): Changing,
    whom: Segment,
) -> Result<StatusCode> {
    app.store.unblock(me.account, other(me, &whom)?).await?;
    recheck(&app, me.account).await;
    tell(&app, me.account, &[Topic::Blocks]).await;
    Ok(StatusCode::NO_CONTENT)
}
