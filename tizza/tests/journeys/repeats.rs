//! Requests that are sent again under an idempotency key, and requests with conditions.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    client::{Answer, Client, PASSWORD},
    server::Server,
};

async fn send(client: &Client, method: Method, path: &str, header: (&str, &str), body: Value) -> Answer {
    client.answer(client.request(method, path).header(header.0, header.1).json(&body)).await.unwrap()
}

async fn keyed(client: &Client, method: Method, path: &str, key: &str, body: Value) -> Answer {
    send(client, method, path, ("idempotency-key", key), body).await
}

/// Status, body, and the headers that a repeat must bear, too.
fn told(answer: &Answer) -> (StatusCode, &Value, Vec<Option<&str>>) {
    let names = ["etag", "location", "consistency-token"];
    let headers = names.map(|name| answer.headers.get(name).map(|value| value.to_str().unwrap()));
    (answer.status, &answer.body, headers.to_vec())
}

#[tokio::test]
async fn a_repeated_creation_is_answered_the_same_and_creates_one() {
    let server = Server::start();
    let luigi = server.user("luigi").await;
    let pizzeria = json!({ "name": "Da Luigi", "address": "Via Roma 1", "phone": "+39 081 1" });
    let first = keyed(&luigi, Method::POST, "/api/v1/pizzerias", "open", pizzeria.clone()).await.expect(StatusCode::CREATED);
    let again = keyed(&luigi, Method::POST, "/api/v1/pizzerias", "open", pizzeria).await;
    assert_eq!(told(&again), told(&first));

    let pizza = json!({ "title": "Margherita", "description": "Tomato, mozzarella" });
    let first = keyed(&luigi, Method::POST, "/api/v1/pizzas", "bake", pizza.clone()).await.expect(StatusCode::CREATED);
    luigi.put(&first.location(), json!({ "title": "Marinara", "description": "Garlic" })).await.expect(StatusCode::OK);
    let again = keyed(&luigi, Method::POST, "/api/v1/pizzas", "bake", pizza.clone()).await;
    assert_eq!(told(&again), told(&first), "also after it was changed");
    assert_eq!(luigi.get("/api/v1/pizzas").await.body["count"], 1);

    let other = keyed(&luigi, Method::POST, "/api/v1/pizzas", "bake", json!({ "title": "Diavola", "description": "Hot" })).await;
    other.problem(422, "idempotency-key-reused");
    keyed(&luigi, Method::POST, "/api/v1/pizzas", "bake again", pizza).await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn a_key_is_its_senders_own_and_well_formed() {
    let server = Server::start();
    let (luigi, mario) = (server.user("luigi").await, server.user("mario").await);
    let pizzeria = json!({ "name": "Da", "address": "Via Roma 1", "phone": "+39 081 1" });
    let first = keyed(&luigi, Method::POST, "/api/v1/pizzerias", "1", pizzeria.clone()).await.expect(StatusCode::CREATED);
    let second = keyed(&mario, Method::POST, "/api/v1/pizzerias", "1", pizzeria.clone()).await.expect(StatusCode::CREATED);
    assert_ne!(first.location(), second.location());
    keyed(&luigi, Method::POST, "/api/v1/pizzerias", &"x".repeat(256), pizzeria.clone()).await.problem(400, "malformed");
    keyed(&luigi, Method::POST, "/api/v1/pizzerias", "", pizzeria.clone()).await.problem(400, "malformed");
    keyed(&luigi, Method::POST, "/api/v1/pizzerias", &"x".repeat(255), pizzeria).await.expect(StatusCode::CREATED);
    let huge = json!({ "name": "x".repeat(70_000) });
    keyed(&luigi, Method::POST, "/api/v1/pizzerias", "huge", huge).await.problem(413, "too-large");
}

#[tokio::test]
async fn signing_up_twice_is_signing_up_once() {
    let server = Server::start();
    let (ada, again) = (server.client(), server.client());
    let body = json!({ "username": "ada", "password": PASSWORD });
    let first = keyed(&ada, Method::POST, "/api/v1/users", "1", body.clone()).await.expect(StatusCode::CREATED);
    let second = keyed(&again, Method::POST, "/api/v1/users", "1", body.clone()).await.expect(StatusCode::CREATED);
    assert_eq!(second.body["id"], first.body["id"]);
    assert_eq!(again.get("/api/v1/session").await.expect(StatusCode::OK).body["username"], "ada");
    again.post("/api/v1/users", body).await.problem(409, "username-taken");
    let stranger = json!({ "username": "ada", "password": "another password" });
    keyed(&again, Method::POST, "/api/v1/users", "1", stranger).await.problem(422, "idempotency-key-reused");
}

#[tokio::test]
async fn repeats_of_changes_withdrawals_and_passwords_are_answered_the_same() {
    let server = Server::start();
    let luigi = server.user("luigi").await;
    luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    let ada = server.user("ada").await;
    let reaction = format!("{pizza}/reaction");
    let like = || keyed(&ada, Method::PUT, &reaction, "like", json!({ "reaction": "like" }));
    let withdraw = || keyed(&ada, Method::DELETE, &reaction, "withdraw", json!({}));
    let first = like().await.expect(StatusCode::CREATED);
    assert_eq!(told(&like().await), told(&first));
    let gone = withdraw().await.expect(StatusCode::NO_CONTENT);
    assert_eq!(told(&withdraw().await), told(&gone));
    assert_eq!(told(&like().await), told(&first), "the first like is not the one that stands now");
    ada.get(&reaction).await.problem(404, "not-found");

    let passwords = json!({ "old_password": PASSWORD, "new_password": "prosciutto e funghi" });
    let change = || keyed(&ada, Method::PUT, "/api/v1/users/me/password", "change", passwords.clone());
    change().await.expect(StatusCode::NO_CONTENT);
    change().await.expect(StatusCode::NO_CONTENT);
    ada.post("/api/v1/session", json!({ "username": "ada", "password": "prosciutto e funghi" })).await.expect(StatusCode::OK);
    ada.put("/api/v1/users/me/password", passwords).await.problem(400, "validation");
}

#[tokio::test]
async fn a_change_is_made_only_to_the_version_that_was_read() {
    let server = Server::start();
    let luigi = server.user("luigi").await;
    luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    let tag = |answer: &Answer| answer.headers["etag"].to_str().unwrap().to_owned();
    let patch = |tag: String, title: &'static str| {
        let (luigi, pizza) = (luigi.clone(), pizza.clone());
        async move { send(&luigi, Method::PATCH, &pizza, ("if-match", &tag), json!({ "title": title })).await }
    };
    let read = tag(&luigi.get(&pizza).await.expect(StatusCode::OK));
    let changed = patch(read.clone(), "Marinara").await.expect(StatusCode::OK);
    patch(read.clone(), "Diavola").await.problem(412, "precondition-failed");
    patch(format!("{read}, {}", tag(&changed)), "Diavola").await.expect(StatusCode::OK);
    patch("*".into(), "Capricciosa").await.expect(StatusCode::OK);
    patch("\"nonsense\"".into(), "Napoli").await.problem(412, "precondition-failed");
    assert_eq!(luigi.get(&pizza).await.body["title"], "Capricciosa");
    let read = tag(&luigi.get(&pizza).await);
    assert!(patch(read, "Napoli").await.status.is_success(), "what a query answers is a tag for a command");
}

#[tokio::test]
async fn what_queries_answer_of_one_thing_is_a_tag_for_its_commands() {
    let server = Server::start();
    let luigi = server.user("luigi").await;
    let pizzeria = luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    luigi.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    let reaction = format!("{pizza}/reaction");
    luigi
        .put("/api/v1/users/me/password", json!({ "old_password": PASSWORD, "new_password": "prosciutto e funghi" }))
        .await
        .expect(StatusCode::NO_CONTENT);
    let changes = [
        (Method::PATCH, "/api/v1/users/me", json!({ "first_name": "Luigi" })),
        (Method::PATCH, &*pizzeria, json!({ "name": "Da Gigi" })),
        (Method::PATCH, &*pizza, json!({ "title": "Marinara" })),
        (Method::PUT, &*reaction, json!({ "reaction": "dislike" })),
    ];
    for (method, path, body) in changes {
        let tag = luigi.get(path).await.expect(StatusCode::OK).headers["etag"].to_str().unwrap().to_owned();
        let changed = send(&luigi, method.clone(), path, ("if-match", &tag), body.clone()).await;
        assert!(changed.status.is_success(), "{path}: {:#}", changed.body);
        send(&luigi, method, path, ("if-match", &tag), body).await.problem(412, "precondition-failed");
    }
}

#[tokio::test]
async fn a_put_may_be_for_creating_only() {
    let server = Server::start();
    let luigi = server.user("luigi").await;
    luigi.opens_pizzeria().await;
    let path = "/api/v1/pizzas/0198a3c0-0000-7000-8000-000000000001";
    let body = |title: &str| json!({ "title": title, "description": "Tomato" });
    send(&luigi, Method::PUT, path, ("if-match", "*"), body("Margherita")).await.problem(412, "precondition-failed");
    send(&luigi, Method::PUT, path, ("if-none-match", "*"), body("Margherita")).await.expect(StatusCode::CREATED);
    send(&luigi, Method::PUT, path, ("if-none-match", "*"), body("Marinara")).await.problem(412, "precondition-failed");
    assert_eq!(luigi.get(path).await.body["title"], "Margherita");
}
