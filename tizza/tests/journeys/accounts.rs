//! What users do to their own accounts.

use reqwest::StatusCode;
use serde_json::json;

use crate::{
    home::{Home, on_both_databases},
    server::{PASSWORD, Server},
};

on_both_databases!(a_changed_password_ends_all_other_sessions, a_profile_says_what_its_user_wants,);

const OTHER_PASSWORD: &str = "quattro stagioni";

async fn a_changed_password_ends_all_other_sessions(home: Home) {
    let server = Server::start_in(&home);
    let ada = server.user("ada").await;
    let elsewhere = server.client();
    let log_in = |password: &str| json!({ "username": "ada", "password": password });
    elsewhere.post("/api/v1/session", log_in(PASSWORD)).await.expect(StatusCode::OK);
    let sessions = ada.get("/api/v1/users/me/sessions").await.expect(StatusCode::OK).body;
    let current = |answer: &serde_json::Value| answer["results"].as_array().unwrap().iter().filter(|s| s["current"] == true).count();
    assert_eq!((&sessions["count"], current(&sessions)), (&json!(2), 1));

    let change = |old: &str, new: &str| json!({ "old_password": old, "new_password": new });
    let path = "/api/v1/users/me/password";
    assert_eq!(ada.put(path, change("wrong", OTHER_PASSWORD)).await.problem(400, "validation").fields(), ["old_password"]);
    let named = ada.request(reqwest::Method::PATCH, "/api/v1/users/me").json(&json!({ "last_name": "Lovelace" }));
    ada.answer(named).await.unwrap().expect(StatusCode::OK);
    for weak in ["short", "1234567890", "password1", "ada.lovelace"] {
        assert_eq!(ada.put(path, change(PASSWORD, weak)).await.problem(400, "validation").fields(), ["new_password"], "{weak}");
    }
    server.client().put(path, change(PASSWORD, OTHER_PASSWORD)).await.problem(401, "unauthenticated");

    ada.put(path, change(PASSWORD, OTHER_PASSWORD)).await.expect(StatusCode::NO_CONTENT);
    ada.get("/api/v1/session").await.expect(StatusCode::OK);
    elsewhere.get("/api/v1/session").await.problem(401, "unauthenticated");
    elsewhere.post("/api/v1/session", log_in(PASSWORD)).await.problem(401, "invalid-credentials");
    elsewhere.post("/api/v1/session", log_in(OTHER_PASSWORD)).await.expect(StatusCode::OK);
}

async fn a_profile_says_what_its_user_wants(home: Home) {
    let server = Server::start_in(&home);
    let (ada, bob) = (server.user("ada").await, server.user("bob").await);
    let patch = async |client: &crate::server::Client, body| {
        let request = client.request(reqwest::Method::PATCH, "/api/v1/users/me").json(&body);
        client.answer(request).await.unwrap()
    };
    let whole = json!({ "email": "ada@example.org", "first_name": "Ada", "settings": { "mail_on_meetup": true } });
    let changed = patch(&ada, whole.clone()).await.expect(StatusCode::OK);
    assert_eq!((&changed.body["email"], &changed.body["settings"]["mail_on_meetup"]), (&json!("ada@example.org"), &json!(true)));
    patch(&ada, whole).await.expect(StatusCode::OK);
    let read = ada.get("/api/v1/users/me").await.body;
    for field in ["email", "first_name", "last_name", "settings", "is_active", "is_staff"] {
        assert_eq!(read[field], changed.body[field], "{field}");
    }
    assert_eq!(read["settings"]["mail_on_mention"], true, "what was not mentioned stays");

    patch(&bob, json!({ "email": "ADA@example.org" })).await.problem(409, "email-taken");
    let cleared = patch(&ada, json!({ "email": null, "first_name": "" })).await.expect(StatusCode::OK).body;
    assert_eq!((&cleared["email"], &cleared["first_name"]), (&json!(null), &json!(null)));
    patch(&bob, json!({ "email": "ada@EXAMPLE.org" })).await.expect(StatusCode::OK);

    for (body, field) in [
        (json!({ "email": "x" }), "email"),
        (json!({ "first_name": "x".repeat(31) }), "first_name"),
        (json!({ "last_name": 7 }), "last_name"),
        (json!({ "settings": { "meetup_visibility_default": "secret" } }), "settings"),
        (json!({ "settings": { "mail_on_mention": null } }), "settings"),
        (json!({ "settings": [] }), "settings"),
    ] {
        assert_eq!(patch(&ada, body.clone()).await.problem(400, "validation").fields(), [field], "{body}");
    }
    patch(&server.client(), json!({})).await.problem(401, "unauthenticated");
    // What was read can be sent back.
    let again = patch(&bob, bob.get("/api/v1/users/me").await.body).await.expect(StatusCode::OK);
    assert_eq!(again.body["email"], "ada@EXAMPLE.org");
}

#[tokio::test]
async fn who_fails_too_often_has_to_wait() {
    let server = Server::start();
    server.user("ada").await;
    let client = server.client();
    let log_in = async |name: &str, password: &str| client.post("/api/v1/session", json!({ "username": name, "password": password })).await;
    log_in("ada", PASSWORD).await.expect(StatusCode::OK);
    for attempt in 0..11 {
        log_in(if attempt % 2 == 0 { "ada" } else { "nobody" }, "wrong").await.problem(401, "invalid-credentials");
    }
    let refused = log_in("ada", PASSWORD).await.problem(429, "rate-limited");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=901).contains(&wait));
}

#[tokio::test]
async fn weak_passwords_and_personal_ones_are_refused_at_sign_up() {
    let server = Server::start();
    let client = server.client();
    let with = |password: &str| json!({ "username": "margherita", "email": "queen@savoia.example", "first_name": "Giovanna", "password": password });
    for weak in ["short", "73519264", "Password1", "margherita1", "queen@savoia", "giovanna!"] {
        assert_eq!(client.post("/api/v1/users", with(weak)).await.problem(400, "validation").fields(), ["password"], "{weak}");
    }
    client.post("/api/v1/users", with(PASSWORD)).await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn a_summary_is_for_its_user_and_for_staff() {
    let server = Server::start();
    let (luigi, ada, root) = (server.user("luigi").await, server.user("ada").await, server.superuser("root").await);
    luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    let like = ada.reacts(&pizza, "like").await.expect(StatusCode::CREATED).body;
    let name = ada.request(reqwest::Method::PATCH, "/api/v1/users/me").json(&json!({ "first_name": "Ada", "last_name": "Lovelace" }));
    ada.answer(name).await.unwrap().expect(StatusCode::OK);
    let path = format!("/api/v1/users/{}/summary", like["user_id"].as_str().unwrap());
    let summary = ada.get(&path).await.expect(StatusCode::OK).body;
    assert_eq!(summary, json!({ "user_id": like["user_id"], "full_name": "Ada Lovelace", "like_count": 1 }));
    root.sees(&ada);
    assert_eq!(root.get(&path).await.body, summary);
    luigi.get(&path).await.problem(403, "permission-denied");
    server.client().get(&path).await.problem(401, "unauthenticated");
    root.get("/api/v1/users/01900000-0000-7000-8000-000000000000/summary").await.problem(404, "not-found");
}
