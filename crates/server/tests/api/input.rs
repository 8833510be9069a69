use axum::http::Method;
use carillon_server::api;
use carillon_wire::Code;
use carillon_wire::limits::MAX_BODY_BYTES;
use carillon_wire::rest::{Me, Session};
use serde_json::Value;

use crate::world::*;

#[tokio::test]
async fn bodies_that_can_not_be_read_are_malformed_and_are_not_quoted() {
    let world = World::new().await;
    let nested = "[".repeat(10_000);
    for body in
        ["", "{", "null", "[]", "{\"handle\":7}", "{\"handle\":\"ada\"}", "\u{0}", "secret words", &nested]
    {
        let error = world.anyone(Method::POST, "/v1/accounts", body.to_owned()).await.error();
        assert_eq!(error.code, Code::Malformed, "{body:.20}");
        assert!(!error.message.contains("secret") && !error.message.contains("ada"), "{}", error.message);
    }
    let not_utf8 = vec![b'"', 0xff, 0xfe, b'"'];
    assert_eq!(world.anyone(Method::POST, "/v1/sessions", not_utf8).await.code(), Code::Malformed);
}

#[tokio::test]
async fn a_field_that_is_not_known_is_ignored() {
    let world = World::new().await;
    let phone = Phone::new(1, 1);
    let mut request = serde_json::to_value(phone.sign_up(&world, "ada").await).unwrap();
    request["from_the_future"] = Value::from([1, 2, 3].as_slice());
    world.post("/v1/accounts", &request).await.ok::<Session>();
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read_to_its_end() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let large = "x".repeat(MAX_BODY_BYTES + 1);
    for path in ["/v1/accounts", "/v1/sessions", "/v1/devices"] {
        assert_eq!(world.anyone(Method::POST, path, large.clone()).await.code(), Code::TooLarge, "{path}");
    }
    let patch = ada.send(&world, Method::PATCH, "/v1/settings/calls", large).await;
    assert_eq!(patch.code(), Code::TooLarge);
    ada.get(&world, "/v1/me").await.ok::<Me>();
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_say_so() {
    let world = World::new().await;
    for path in ["/", "/v1", "/v1/", "/v1/nothing", "/v1/me/", "/v2/me", "/v1/accounts/a/b/c"] {
        assert_eq!(world.anyone(Method::GET, path, "").await.code(), Code::NotFound, "{path}");
    }
    for (method, path) in [
        (Method::PUT, "/v1/server"),
        (Method::GET, "/v1/challenges"),
        (Method::POST, "/v1/me"),
        (Method::DELETE, "/v1/settings/calls"),
        (Method::POST, "/v1/openapi.json"),
    ] {
        assert_eq!(
            world.anyone(method.clone(), path, "").await.code(),
            Code::MethodNotAllowed,
            "{method} {path}"
        );
    }
}

/// Method and path of every row of the table in section 4 of `PROTOCOL.md`.
fn routes_of_the_protocol() -> Vec<(String, String)> {
    let text = include_str!("../../../../PROTOCOL.md");
    let section = text.split("\n## ").find(|section| section.starts_with("4. REST")).unwrap();
    let mut routes = Vec::new();
    for line in section.lines().filter(|line| line.starts_with("| ") && line.contains('`')) {
        let cell = line.split('|').nth(1).unwrap();
        let methods = cell.split('`').next().unwrap();
        for path in cell.split('`').skip(1).step_by(2).filter(|path| path.starts_with("/v1/")) {
            for method in methods.split(',') {
                let path = path.split('?').next().unwrap().replace("{account or @handle}", "{account}");
                routes.push((method.trim().to_lowercase(), path));
            }
        }
    }
    routes
}

#[test]
fn the_openapi_file_has_exactly_the_routes_of_the_protocol() {
    let openapi = serde_json::to_value(api::openapi()).unwrap();
    let mut described = Vec::new();
    for (path, item) in openapi["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["responses"].as_object().is_some_and(|answers| !answers.is_empty()), "{path}");
            described.push((method.clone(), path.clone()));
        }
    }
    let mut expected = routes_of_the_protocol();
    assert!(expected.len() >= 30, "{expected:?}");
    expected.sort();
    described.sort();
    assert_eq!(described, expected);
}

#[test]
fn every_reference_in_the_openapi_file_leads_somewhere() {
    let openapi = serde_json::to_value(api::openapi()).unwrap();
    let mut open = vec![&openapi];
    let mut references = 0;
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                    references += 1;
                    assert!(openapi.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
                }
                open.extend(fields.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    assert!(references > 20);
}

#[tokio::test]
async fn the_openapi_file_is_served_to_anyone() {
    let world = World::new().await;
    let served: Value = world.anyone(Method::GET, "/v1/openapi.json", "").await.ok();
    assert_eq!(served, serde_json::to_value(api::openapi()).unwrap());
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_new_and_what_is_there_is_still_served() {
    let mut world = World::with(|_| {}, Some(100)).await;
    let ada = world.somebody(1, "ada").await;
    let full = fill(&mut world).await;
    assert_eq!(full, Code::StorageFull);
    assert_eq!(ada.get(&world, "/v1/me").await.ok::<Me>().profile.handle.as_str(), "ada");
    ada.get(&world, "/v1/accounts/@person101").await.ok::<carillon_wire::rest::Person>();
}

/// Signs people up until the server refuses; the code it refuses with.
async fn fill(world: &mut World) -> Code {
    for number in 2..=250 {
        world.address = [198, 51, 100, number].into();
        let phone = Phone::new(number, number);
        let request = phone.sign_up(world, &format!("person{}", u32::from(number) + 99)).await;
        let answer = world.post("/v1/accounts", &request).await;
        if !answer.status.is_success() {
            return answer.code();
        }
    }
    panic!("the disk never filled up");
}
