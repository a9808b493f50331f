//! Bad input: the right status, the field named, nothing written.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    home::{Home, on_both_databases},
    server::{Client, PASSWORD, Server},
};

on_both_databases!(
    what_breaks_a_rule_is_refused_with_every_field_named_and_nothing_is_written,
    a_taken_name_is_told_and_of_many_who_want_it_one_gets_it,
    nobody_has_more_than_fifty_pizzerias,
);

/// Sends a body as it is.
async fn raw(client: &Client, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> crate::server::Answer {
    client.answer(client.request(Method::POST, path).header(header::CONTENT_TYPE, content_type).body(body)).await.unwrap()
}

/// How many events there are in all: the sum of the log's heads.
async fn events(server: &Server) -> i64 {
    let log = server.home.log().await;
    let heads: i64 = log.heads().borrow().iter().sum();
    log.close().await;
    heads
}

async fn what_breaks_a_rule_is_refused_with_every_field_named_and_nothing_is_written(home: Home) {
    let server = Server::start_in(&home);
    let luigi = server.user("luigi").await;
    let pizzeria = luigi.opens_pizzeria().await;
    let before = events(&server).await;

    let long = |n: usize| "x".repeat(n);
    let sign_up = |username: &str, password: &str, email: &str| json!({ "username": username, "password": password, "email": email });
    let pizza = |title: Value, description: Value| json!({ "title": title, "description": description });
    let cases: Vec<(&str, Value, &[&str])> = vec![
        ("/api/v1/users", json!({}), &["username", "password"]),
        ("/api/v1/users", sign_up("a b", "1234567", "nowhere"), &["username", "password", "email"]),
        ("/api/v1/users", sign_up(&long(151), &long(129), &format!("a@{}", long(253))), &["username", "password", "email"]),
        ("/api/v1/users", sign_up("me", "12345678", "a@b c"), &["username", "password", "email"]),
        ("/api/v1/users", json!({ "username": 7, "password": null, "first_name": long(31) }), &["username", "password", "first_name"]),
        ("/api/v1/session", json!({ "username": "luigi" }), &["password"]),
        ("/api/v1/pizzerias", json!({ "address": "", "phone": long(41), "name": long(121) }), &["address", "phone", "name"]),
        ("/api/v1/pizzerias", json!({ "address": "a\u{0}b", "phone": ["1"] }), &["address", "phone"]),
        ("/api/v1/pizzas", pizza(json!(""), json!(long(241))), &["title", "description"]),
        ("/api/v1/pizzas", pizza(json!({}), json!("a\u{7}b")), &["title", "description"]),
        (
            "/api/v1/pizzas",
            json!({ "title": "a", "description": "b", "diet": "fruit", "thumbnail_url": "ftp://x", "pizzeria_id": "42" }),
            &["pizzeria_id", "thumbnail_url", "diet"],
        ),
        ("/api/v1/likes", json!({ "pizza_id": "42", "reaction": "love" }), &["pizza_id", "reaction"]),
    ];
    for (path, body, fields) in cases {
        let answer = luigi.post(path, body.clone()).await.problem(400, "validation");
        assert_eq!(answer.fields(), fields, "{path} {body}");
    }
    for bad in ["", "{", "[]", "\"x\"", "{\"username\":\"x\"}{}", "{\"username\": 1e999}"] {
        raw(&luigi, "/api/v1/users", "application/json", bad).await.problem(400, "malformed");
    }
    raw(&luigi, "/api/v1/users", "application/json", &b"{\"username\":\"\xff\"}"[..]).await.problem(400, "malformed");
    raw(&luigi, "/api/v1/users", "text/plain", "{}").await.problem(415, "unsupported-media-type");
    raw(&luigi, "/api/v1/users", "application/json", " ".repeat(65 * 1024)).await.problem(413, "too-large");

    assert_eq!(events(&server).await, before, "nothing was written");
    luigi.get(&pizzeria).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn who_is_not_known_or_not_allowed_changes_nothing() {
    let server = Server::start();
    let (luigi, mario) = (server.user("luigi").await, server.user("mario").await);
    let pizzeria = luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    let before = events(&server).await;

    let nobody = server.client();
    let open = json!({ "address": "x", "phone": "1" });
    nobody.post("/api/v1/pizzerias", open.clone()).await.problem(401, "unauthenticated");
    nobody.reacts(&pizza, "like").await.problem(401, "unauthenticated");
    nobody.get("/api/v1/likes").await.problem(401, "unauthenticated");
    let forged = nobody.request(Method::POST, "/api/v1/pizzerias").header(header::COOKIE, "pizza-auth=AAAAAAAAAAAAAAAAAAAAAAAA");
    nobody.answer(forged.json(&open)).await.unwrap().problem(401, "unauthenticated");
    let bearer = luigi.request(Method::POST, "/api/v1/pizzerias").bearer_auth("nonsense");
    luigi.answer(bearer.json(&open)).await.unwrap().problem(401, "invalid-credentials");
    let foreign = luigi.request(Method::POST, "/api/v1/pizzerias").header(header::ORIGIN, "http://evil.example");
    luigi.answer(foreign.json(&open)).await.unwrap().problem(403, "csrf");

    let theirs = json!({ "title": "a", "description": "b", "pizzeria_id": pizzeria.rsplit('/').next() });
    mario.post("/api/v1/pizzas", theirs.clone()).await.problem(409, "conflict");
    let own = mario.opens_pizzeria().await;
    mario.post("/api/v1/pizzas", theirs).await.problem(404, "not-found");
    mario.delete(&pizza).await.problem(404, "not-found");
    mario.delete(&pizzeria).await.problem(404, "not-found");

    let unknown = "01900000-0000-7000-8000-000000000000";
    for id in [unknown, "42", "x%00y"] {
        mario.delete(&format!("/api/v1/pizzas/{id}")).await.problem(404, "not-found");
        mario.delete(&format!("/api/v1/pizzerias/{id}")).await.problem(404, "not-found");
        mario.get(&format!("/api/v1/pizzas/{id}")).await.problem(404, "not-found");
        mario.reacts(&format!("/api/v1/pizzas/{id}"), "like").await.problem(404, "not-found");
    }
    // An id of another kind is the id of nothing.
    let of_pizzeria = own.rsplit('/').next().unwrap();
    mario.reacts(&format!("/api/v1/pizzas/{of_pizzeria}"), "like").await.problem(404, "not-found");
    mario.delete(&format!("/api/v1/pizzas/{of_pizzeria}")).await.problem(404, "not-found");
    mario.get("/api/v1/nothing").await.problem(404, "not-found");
    mario.answer(mario.request(Method::PATCH, "/api/v1/session")).await.unwrap().problem(405, "method-not-allowed");

    assert_eq!(events(&server).await, before + 1, "only mario's pizzeria was written");
    luigi.get(&pizza).await.expect(StatusCode::OK);
}

async fn a_taken_name_is_told_and_of_many_who_want_it_one_gets_it(home: Home) {
    let server = Server::start_in(&home);
    let clients: Vec<_> = (0..6).map(|_| server.client()).collect();
    let sign_up = json!({ "username": "Ada", "password": PASSWORD });
    let racing = clients.iter().map(|client| client.post("/api/v1/users", sign_up.clone()));
    let mut statuses: Vec<_> = futures::future::join_all(racing).await.into_iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
    server.client().post("/api/v1/users", json!({ "username": "aDA", "password": PASSWORD })).await.problem(409, "username-taken");

    let with = |name: &str, email: &str| json!({ "username": name, "password": PASSWORD, "email": email });
    server.client().post("/api/v1/users", with("bob", "Bob@example.org")).await.expect(StatusCode::CREATED);
    server.client().post("/api/v1/users", with("rob", "bob@EXAMPLE.org")).await.problem(409, "email-taken");
    server.client().post("/api/v1/users", with("rob", "rob@example.org")).await.expect(StatusCode::CREATED);
}

async fn nobody_has_more_than_fifty_pizzerias(home: Home) {
    let server = Server::start_in(&home);
    let luigi = server.user("luigi").await;
    let open = json!({ "address": "x", "phone": "1" });
    let racing = (0..53).map(|_| luigi.post("/api/v1/pizzerias", open.clone()));
    let answers = futures::future::join_all(racing).await;
    let created = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(created, 50);
    luigi.post("/api/v1/pizzerias", open.clone()).await.problem(409, "conflict");
    let first = answers.into_iter().find(|answer| answer.status == StatusCode::CREATED).unwrap().location();
    luigi.delete(&first).await.expect(StatusCode::NO_CONTENT);
    luigi.post("/api/v1/pizzerias", open).await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn log_lines_tell_the_request_and_nothing_that_is_personal() {
    let server = Server::start();
    let luigi = server.client();
    let secret = json!({ "username": "luigi", "password": PASSWORD, "email": "luigi@example.org" });
    let request = luigi.request(Method::POST, "/api/v1/users").header("x-request-id", "my-own-id").json(&secret);
    let signed_up = luigi.answer(request).await.unwrap().expect(StatusCode::CREATED);
    assert_eq!(signed_up.headers["x-request-id"], "my-own-id");
    luigi.get("/api/v1/session").await.expect(StatusCode::OK);

    let line = |wanted: &str| server.logged().into_iter().find(|line| line["message"] == "request" && line["route"] == wanted);
    let sign_up = crate::server::eventually("the line is there", async || line("/api/v1/users")).await;
    assert_eq!((&sign_up["method"], &sign_up["status"], &sign_up["request_id"]), (&json!("POST"), &json!(201), &json!("my-own-id")));
    let session = crate::server::eventually("the line is there", async || line("/api/v1/session")).await;
    assert_eq!(session["actor"], signed_up.body["id"]);
    let all = serde_json::to_string(&server.logged()).unwrap();
    for personal in ["luigi", PASSWORD, "example.org", "pizza-auth"] {
        assert!(!all.contains(personal), "{personal} is in the log lines");
    }
}
