use axum::body::Body;
use axum::http::{Method, Request, header};
use carillon_wire::limits::{CERTIFICATE_TTL, CHALLENGE_TTL, TOKEN_TTL};
use carillon_wire::rest::{Me, Page, Person, ServerInfo, Session, SignUpMode};
use carillon_wire::{Code, Millis, PROTOCOL};
use serde_json::json;

use crate::world::*;

#[tokio::test]
async fn somebody_signs_up_and_is_signed_in() {
    let world = World::new().await;
    let phone = Phone::new(1, 1);
    let mut request = phone.sign_up(&world, "@Ada_L").await;
    request.name = Some("  Ada Lovelace ".to_owned());
    let session: Session = world.post("/v1/accounts", &request).await.ok();
    assert_eq!(session.expires_in, TOKEN_TTL);
    assert_eq!(session.me.profile.handle.as_str(), "ada_l");
    assert_eq!(session.me.profile.name, "Ada Lovelace");
    assert_eq!(session.me.profile.account, phone.account_id());
    assert_eq!(session.me.device, phone.device_id());
    assert!(!session.me.profile.verified && session.me.badge.is_none());
    let phone = Phone { session: Some(session.clone()), ..phone };
    assert_eq!(phone.get(&world, "/v1/me").await.ok::<Me>(), session.me);
}

#[tokio::test]
async fn the_server_says_what_a_client_needs_to_know() {
    let world = World::with(|config| config.sign_up = SignUpMode::Invitation, None).await;
    let info: ServerInfo = world.anyone(Method::GET, "/v1/server", "").await.ok();
    assert_eq!(info.protocols, [PROTOCOL]);
    assert_eq!(info.sign_up, SignUpMode::Invitation);
    assert_eq!(info.issuer_key, world.app.issuer.public());
}

#[tokio::test]
async fn a_device_signs_in_again_and_out() {
    let world = World::new().await;
    let mut ada = world.somebody(1, "ada").await;
    let session: Session = world.post("/v1/sessions", &ada.sign_in(&world).await).await.ok();
    let first = ada.session.replace(session).unwrap();
    assert_ne!(first.token, ada.token());
    ada.delete(&world, "/v1/sessions/current").await.no_content();
    assert_eq!(ada.get(&world, "/v1/me").await.code(), Code::TokenExpired);
    ada.session = Some(first);
    assert_eq!(ada.get(&world, "/v1/me").await.ok::<Me>().profile.handle.as_str(), "ada");
}

#[tokio::test]
async fn a_token_runs_out() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    world.pass(Millis(TOKEN_TTL.0 - 1));
    ada.get(&world, "/v1/me").await.ok::<Me>();
    world.pass(Millis(1));
    assert_eq!(ada.get(&world, "/v1/me").await.code(), Code::TokenExpired);
}

#[tokio::test]
async fn without_a_token_there_is_only_the_way_in() {
    let world = World::new().await;
    for path in ["/v1/me", "/v1/devices", "/v1/accounts?q=ada", "/v1/following", "/v1/settings/calls"] {
        let answer = world.anyone(Method::GET, path, "").await;
        assert_eq!(answer.headers.get(header::WWW_AUTHENTICATE).unwrap(), "Bearer");
        assert_eq!(answer.code(), Code::NotSignedIn, "{path}");
    }
    for (value, code) in [
        ("Bearer nonsense", Code::TokenExpired),
        ("bearer \u{1f511}", Code::NotSignedIn),
        ("Basic YWRhOmFkYQ==", Code::NotSignedIn),
        ("Bearer", Code::NotSignedIn),
    ] {
        let request = Request::get("/v1/me").header(header::AUTHORIZATION, value.as_bytes());
        assert_eq!(world.send(request.body(Body::empty()).unwrap()).await.code(), code, "{value}");
    }
}

#[tokio::test]
async fn a_challenge_is_answered_once() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let request = ada.sign_in(&world).await;
    world.post("/v1/sessions", &request).await.ok::<Session>();
    assert_eq!(world.post("/v1/sessions", &request).await.code(), Code::ChallengeExpired);
}

#[tokio::test]
async fn a_sign_up_can_not_be_replayed_as_another() {
    let world = World::new().await;
    let bert = Phone::new(2, 2);
    let request = bert.sign_up(&world, "bert").await;
    world.post("/v1/accounts", &request).await.ok::<Session>();
    assert_eq!(world.post("/v1/accounts", &request).await.code(), Code::AccountExists);
    let mut sign_in = bert.sign_in(&world).await;
    sign_in.nonce = request.device.nonce;
    sign_in.signature = request.device.signature;
    assert_eq!(world.post("/v1/sessions", &sign_in).await.code(), Code::ChallengeExpired);
}

#[tokio::test]
async fn a_challenge_that_is_old_or_not_ours_does_not_count() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let late = ada.sign_in(&world).await;
    world.pass(CHALLENGE_TTL);
    assert_eq!(world.post("/v1/sessions", &late).await.code(), Code::ChallengeExpired);
    let mut invented = ada.sign_in(&world).await;
    invented.nonce = [7; 32].into();
    invented.signature = ada.sign(&invented.nonce, HOST);
    assert_eq!(world.post("/v1/sessions", &invented).await.code(), Code::ChallengeExpired);
}

#[tokio::test]
async fn a_signature_that_does_not_fit_signs_nobody_in() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let thief = Phone::new(1, 9);
    let mut wrong_key = ada.sign_in(&world).await;
    wrong_key.signature = thief.sign(&wrong_key.nonce, HOST);
    assert_eq!(world.post("/v1/sessions", &wrong_key).await.code(), Code::BadSignature);
    let mut lured = ada.sign_in(&world).await;
    lured.signature = ada.sign(&lured.nonce, "evil.example");
    assert_eq!(world.post("/v1/sessions", &lured).await.code(), Code::BadSignature);
    let mut sign_up = Phone::new(2, 2).sign_up(&world, "bert").await;
    sign_up.device.signature = thief.sign(&sign_up.device.nonce, HOST);
    assert_eq!(world.post("/v1/accounts", &sign_up).await.code(), Code::BadSignature);
}

#[tokio::test]
async fn behind_a_public_address_signatures_are_bound_to_it_whatever_the_host_says() {
    let url = "https://Calls.Example.org".to_owned();
    let world = World::with(|config| config.public_url = Some(url), None).await;
    let phone = Phone::new(1, 1);
    let mut request = phone.sign_up(&world, "ada").await;
    assert_eq!(world.post("/v1/accounts", &request).await.code(), Code::BadSignature);
    request.device.signature = phone.sign(&request.device.nonce, "calls.example.org");
    world.post("/v1/accounts", &request).await.ok::<Session>();
}

#[tokio::test]
async fn a_device_that_was_never_added_is_unknown() {
    let world = World::new().await;
    let stranger = Phone::new(5, 5);
    let request = stranger.sign_in(&world).await;
    assert_eq!(world.post("/v1/sessions", &request).await.code(), Code::DeviceUnknown);
}

#[tokio::test]
async fn certificates_that_do_not_count_are_refused() {
    let world = World::new().await;
    let phone = Phone::new(1, 1);
    let other = Phone::new(2, 2);
    let now = world.now();
    for (certificate, code) in [
        (other.certificate(1, now), Code::BadCertificate),
        (
            phone.certificate(1, now.before(CERTIFICATE_TTL).before(Millis::from_secs(600))),
            Code::CertificateExpired,
        ),
        (phone.certificate(1, now.after(Millis::from_secs(3600))), Code::BadCertificate),
    ] {
        let mut request = phone.sign_up(&world, "ada").await;
        request.device.credentials.certificate = certificate;
        assert_eq!(world.post("/v1/accounts", &request).await.code(), code);
    }
    let mut request = phone.sign_up(&world, "ada").await;
    request.device.credentials.account_key = other.account.public();
    assert_eq!(world.post("/v1/accounts", &request).await.code(), Code::BadCertificate);
}

#[tokio::test]
async fn handles_are_checked_before_they_are_given_out() {
    let world = World::new().await;
    world.somebody(1, "lucia").await;
    let phone = Phone::new(2, 2);
    for (handle, code) in [
        ("ad", Code::HandleInvalid),
        ("a_handle_that_is_too_long", Code::HandleInvalid),
        ("ada\u{0}", Code::HandleInvalid),
        ("ada\nbyron", Code::HandleInvalid),
        ("ada\u{202e}", Code::HandleInvalid),
        ("аda", Code::HandleInvalid),
        ("admin", Code::HandleReserved),
        ("supp0rt", Code::HandleReserved),
        ("LUCIA", Code::HandleTaken),
        ("1ucia", Code::HandleInvalid),
        ("l_ucia", Code::HandleConfusable),
    ] {
        let request = phone.sign_up(&world, handle).await;
        assert_eq!(world.post("/v1/accounts", &request).await.code(), code, "{handle:?}");
    }
}

#[tokio::test]
async fn a_handle_with_control_characters_is_nobodys_wherever_it_is_sent() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    for encoded in ["ada%00", "a%0ada", "%1b[31mada", "ada%e2%80%ae"] {
        let person = ada.get(&world, &format!("/v1/accounts/@{encoded}")).await.code();
        assert!(
            matches!(person, Code::AccountUnknown | Code::HandleInvalid | Code::Malformed),
            "{encoded}: {person}"
        );
        let found = ada.get(&world, &format!("/v1/accounts?q={encoded}")).await;
        if found.status.is_success() {
            assert_eq!(found.ok::<Page<Person>>().items, [], "{encoded}");
        } else {
            assert_eq!(found.code(), Code::Malformed, "{encoded}");
        }
    }
}

#[tokio::test]
async fn names_that_reach_beyond_themselves_are_refused() {
    let world = World::new().await;
    let phone = Phone::new(1, 1);
    for name in ["", " ", "a\u{202e}b", "a\u{7}", &"x".repeat(51)] {
        let mut request = phone.sign_up(&world, "ada").await;
        request.name = Some(name.to_owned());
        assert_eq!(world.post("/v1/accounts", &request).await.code(), Code::NameInvalid, "{name:?}");
        let mut request = phone.sign_up(&world, "ada").await;
        request.device.device_name = name.to_owned();
        assert_eq!(world.post("/v1/accounts", &request).await.code(), Code::NameInvalid, "{name:?}");
    }
}

#[tokio::test]
async fn a_closed_server_takes_nobody_and_still_signs_in() {
    let world = World::with(|config| config.sign_up = SignUpMode::Closed, None).await;
    let request = Phone::new(1, 1).sign_up(&world, "ada").await;
    assert_eq!(world.post("/v1/accounts", &request).await.code(), Code::SignUpClosed);
    let sign_in = Phone::new(1, 1).sign_in(&world).await;
    assert_eq!(world.post("/v1/sessions", &sign_in).await.code(), Code::DeviceUnknown);
}

#[tokio::test]
async fn a_new_account_for_a_key_that_has_one_is_refused() {
    let world = World::new().await;
    world.somebody(1, "ada").await;
    let request = Phone::new(1, 2).sign_up(&world, "other").await;
    assert_eq!(world.post("/v1/accounts", &request).await.code(), Code::AccountExists);
    let mut stolen_device = Phone::new(3, 1).sign_up(&world, "third").await;
    stolen_device.name = Some("Third".to_owned());
    assert_eq!(world.post("/v1/accounts", &stolen_device).await.code(), Code::BadCertificate);
}

#[tokio::test]
async fn sign_ups_from_one_address_are_counted_and_others_are_not_held_up() {
    let mut world = World::new().await;
    for number in 1..=10 {
        world.somebody(number, &format!("person{}", number + 100)).await;
    }
    let phone = Phone::new(50, 50);
    let request = phone.sign_up(&world, "ada").await;
    let answer = world.post("/v1/accounts", &request).await;
    let wait_seconds: u64 = answer.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    let error = answer.error();
    assert_eq!(error.code, Code::RateLimited);
    let wait = error.retry_after.unwrap();
    assert_eq!(wait_seconds, wait.0.div_ceil(1000));

    let here = world.address;
    world.address = [192, 0, 2, 77].into();
    world.somebody(60, "elsewhere").await;
    world.address = here;

    world.pass(wait);
    let again = phone.sign_up(&world, "ada").await;
    world.post("/v1/accounts", &again).await.ok::<Session>();
}

#[tokio::test]
async fn handles_that_are_taken_do_not_use_up_the_sign_ups() {
    let world = World::new().await;
    world.somebody(1, "ada").await;
    let phone = Phone::new(2, 2);
    for _ in 0..12 {
        let request = phone.sign_up(&world, "ada").await;
        assert_eq!(world.post("/v1/accounts", &request).await.code(), Code::HandleTaken);
    }
    let request = phone.sign_up(&world, "bert").await;
    world.post("/v1/accounts", &request).await.ok::<Session>();
}

#[tokio::test]
async fn challenges_are_counted_by_address() {
    let world = World::new().await;
    for _ in 0..60 {
        world.nonce().await;
    }
    let error = world.post("/v1/challenges", &json!({})).await.error();
    assert_eq!(error.code, Code::RateLimited);
    world.pass(error.retry_after.unwrap());
    world.nonce().await;
}

#[tokio::test]
async fn an_invitation_is_asked_for_where_the_server_wants_one() {
    use carillon_server::admin::{Command, run};

    let world = World::with(|config| config.sign_up = SignUpMode::Invitation, None).await;
    let phone = Phone::new(1, 1);
    let mut request = phone.sign_up(&world, "ada").await;
    assert_eq!(world.post("/v1/accounts", &request).await.code(), Code::InvitationInvalid);
    request.invitation = Some("guessed".to_owned());
    assert_eq!(world.post("/v1/accounts", &request).await.code(), Code::InvitationInvalid);
    let uses = std::num::NonZeroU32::MIN;
    let code = run(&world.app.store, &Command::Invite { uses }, world.now()).await.unwrap();
    request.invitation = Some(code.clone());
    world.post("/v1/accounts", &request).await.ok::<Session>();
    let mut second = Phone::new(2, 2).sign_up(&world, "bert").await;
    second.invitation = Some(code);
    assert_eq!(world.post("/v1/accounts", &second).await.code(), Code::InvitationInvalid);
}
