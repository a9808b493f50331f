//! What users do, from sign-up to the end.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    home::{Home, on_both_databases},
    server::{PASSWORD, Server, eventually},
};

on_both_databases!(
    a_like_is_counted_once_shown_to_its_user_and_withdrawn,
    a_session_lasts_from_log_in_to_log_out,
    who_is_deleted_takes_along_all_that_was_theirs,
    the_likes_of_the_deleted_no_longer_count,
    staff_approves_and_withdraws_and_owners_and_strangers_do_not,
    a_superuser_is_made_once_and_may_delete_others,
    an_owner_closes_a_pizzeria_and_its_card_goes,
);

async fn a_like_is_counted_once_shown_to_its_user_and_withdrawn(home: Home) {
    let server = Server::start_in(&home);
    let (luigi, ada) = (server.user("luigi").await, server.user("ada").await);
    luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;

    let liked = ada.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    assert_eq!(ada.reacts(&pizza, "like").await.expect(StatusCode::OK).body, liked.body);
    assert_eq!(ada.get(&pizza).await.body["like_count"], 1);
    let own = ada.get("/api/v1/likes").await;
    assert_eq!((&own.body["count"], &own.body["results"][0]["pizza_id"]), (&json!(1), &liked.body["pizza_id"]));
    assert_eq!(ada.get(&liked.location()).await.body["reaction"], "like");
    luigi.sees(&ada);
    luigi.get(&liked.location()).await.problem(404, "not-found");

    ada.reacts(&pizza, "dislike").await.expect(StatusCode::OK);
    let changed = ada.get(&pizza).await.body;
    assert_eq!((&changed["like_count"], &changed["dislike_count"]), (&json!(0), &json!(1)));

    ada.delete(&format!("{pizza}/reaction")).await.expect(StatusCode::NO_CONTENT);
    ada.delete(&format!("{pizza}/reaction")).await.expect(StatusCode::NO_CONTENT);
    let none = ada.get(&pizza).await.body;
    assert_eq!((&none["like_count"], &none["dislike_count"]), (&json!(0), &json!(0)));
    ada.get(&format!("{pizza}/reaction")).await.problem(404, "not-found");
    ada.post("/api/v1/likes", json!({ "pizza_id": changed["id"] })).await.expect(StatusCode::CREATED);
}

async fn a_session_lasts_from_log_in_to_log_out(home: Home) {
    let server = Server::start_in(&home);
    let ada = server.user("Ada").await;
    let me = ada.get("/api/v1/session").await.expect(StatusCode::OK);
    assert_eq!((&me.body["username"], &me.body["is_superuser"]), (&json!("Ada"), &json!(false)));
    assert_eq!(ada.get("/api/v1/users/me").await.body, me.body);

    let elsewhere = server.client();
    elsewhere.post("/api/v1/session", json!({ "username": "aDA", "password": "something else" })).await.problem(401, "invalid-credentials");
    elsewhere.post("/api/v1/session", json!({ "username": "nobody", "password": PASSWORD })).await.problem(401, "invalid-credentials");
    elsewhere.get("/api/v1/session").await.problem(401, "unauthenticated");
    elsewhere.post("/api/v1/session", json!({ "username": "aDA", "password": PASSWORD })).await.expect(StatusCode::OK);

    ada.delete("/api/v1/session").await.expect(StatusCode::NO_CONTENT);
    ada.get("/api/v1/session").await.problem(401, "unauthenticated");
    ada.delete("/api/v1/session").await.expect(StatusCode::NO_CONTENT);
    elsewhere.get("/api/v1/session").await.expect(StatusCode::OK);
}

async fn who_is_deleted_takes_along_all_that_was_theirs(home: Home) {
    let server = Server::start_in(&home);
    let (luigi, ada) = (server.user("luigi").await, server.user("ada").await);
    let pizzeria = luigi.opens_pizzeria().await;
    let (margherita, marinara) = (luigi.creates_pizza("Margherita").await, luigi.creates_pizza("Marinara").await);
    ada.reacts(&margherita, "like").await.expect(StatusCode::CREATED);
    luigi.reacts(&margherita, "like").await.expect(StatusCode::CREATED);
    let luigi_elsewhere = server.client();
    luigi_elsewhere.post("/api/v1/session", json!({ "username": "luigi", "password": PASSWORD })).await.expect(StatusCode::OK);

    luigi.post("/api/v1/users/me/deletion", json!({ "password": "wrong" })).await.problem(400, "validation");
    let profile = luigi.get("/api/v1/users/me").await.body["href"].as_str().unwrap().to_owned();
    luigi.post("/api/v1/users/me/deletion", json!({ "password": PASSWORD })).await.expect(StatusCode::ACCEPTED);

    luigi_elsewhere.get("/api/v1/session").await.problem(401, "unauthenticated");
    luigi_elsewhere.post("/api/v1/pizzerias", json!({ "address": "x", "phone": "1" })).await.problem(401, "unauthenticated");
    ada.sees(&luigi);
    ada.get(&profile).await.problem(404, "not-found");
    eventually("the pizzeria is closed", async || (ada.get(&pizzeria).await.status == StatusCode::GONE).then_some(())).await;
    for pizza in [&margherita, &marinara] {
        eventually("the pizza is gone", async || (ada.get(pizza).await.status == StatusCode::GONE).then_some(())).await;
        eventually("and cannot be liked", async || (ada.reacts(pizza, "like").await.status == StatusCode::GONE).then_some(())).await;
    }
    assert_eq!(ada.get("/api/v1/likes").await.body["count"], 0, "likes of what is gone are not shown");
    let pizzerias = ada.get("/api/v1/pizzerias").await.body;
    assert_eq!(pizzerias["count"], 0);

    // The name is free again, for somebody else.
    let other = server.user("Luigi").await;
    assert_ne!(other.get("/api/v1/users/me").await.body["href"], profile);
    luigi_elsewhere.post("/api/v1/session", json!({ "username": "luigi", "password": PASSWORD })).await.expect(StatusCode::OK);
}

async fn the_likes_of_the_deleted_no_longer_count(home: Home) {
    let server = Server::start_in(&home);
    let (luigi, ada, bob) = (server.user("luigi").await, server.user("ada").await, server.user("bob").await);
    let pizzeria = luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    ada.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    bob.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    ada.delete("/api/v1/users/me").await.expect(StatusCode::ACCEPTED);
    ada.delete("/api/v1/users/me").await.problem(401, "unauthenticated");
    bob.sees(&ada);
    assert_eq!(bob.get(&pizza).await.body["like_count"], 1);
    assert_eq!(bob.get(&pizzeria).await.body["like_count"], 1);
}

async fn staff_approves_and_withdraws_and_owners_and_strangers_do_not(home: Home) {
    let mut command = home.tizza();
    command.env("AUTO_APPROVE_PIZZAS", "false");
    let server = Server::spawn(command, &home);
    let (luigi, ada, root) = (server.user("luigi").await, server.user("ada").await, server.superuser("root").await);
    luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    let approval = format!("{pizza}/approval");
    for reader in [&ada, &root] {
        reader.sees(&luigi);
    }

    assert_eq!(luigi.get(&pizza).await.body["approved"], false);
    assert_eq!(root.get(&pizza).await.body["approved"], false);
    ada.get(&pizza).await.problem(404, "not-found");
    assert_eq!(ada.get("/api/v1/pizzas").await.body["count"], 0);
    assert_eq!(luigi.get("/api/v1/pizzas").await.body["count"], 1);
    ada.reacts(&pizza, "like").await.problem(404, "not-found");
    luigi.put(&approval, json!({})).await.problem(403, "permission-denied");
    ada.put(&approval, json!({})).await.problem(404, "not-found");
    server.client().put(&approval, json!({})).await.problem(401, "unauthenticated");

    for _ in 0..2 {
        root.put(&approval, json!({})).await.expect(StatusCode::NO_CONTENT);
    }
    ada.sees(&root);
    assert_eq!(ada.get(&pizza).await.body["approved"], true);
    ada.reacts(&pizza, "like").await.expect(StatusCode::CREATED);

    let withdrawn = root.request(reqwest::Method::DELETE, &approval).json(&json!({ "reason": "blurred" }));
    root.answer(withdrawn).await.unwrap().expect(StatusCode::NO_CONTENT);
    root.delete(&approval).await.expect(StatusCode::NO_CONTENT);
    ada.sees(&root);
    ada.get(&pizza).await.problem(404, "not-found");

    root.delete(&pizza).await.expect(StatusCode::NO_CONTENT);
    root.delete(&pizza).await.expect(StatusCode::NO_CONTENT);
    root.put(&approval, json!({})).await.problem(410, "gone");
    root.delete("/api/v1/users/me").await.problem(409, "conflict");
}

async fn a_superuser_is_made_once_and_may_delete_others(home: Home) {
    let server = Server::start_in(&home);
    let (ada, root) = (server.user("ada").await, server.superuser("root").await);
    let again = server.home.tizza().args(["createsuperuser", "--username", "eve"]).env("TIZZA_PASSWORD", PASSWORD).output();
    let again = again.unwrap();
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("There is a superuser already"));
    server.client().post("/api/v1/session", json!({ "username": "eve", "password": PASSWORD })).await.problem(401, "invalid-credentials");

    let id = |answer: &Value| answer["id"].as_str().unwrap().to_owned();
    let (ada_id, root_id) = (id(&ada.get("/api/v1/users/me").await.body), id(&root.get("/api/v1/users/me").await.body));
    root.sees(&ada);
    assert_eq!(root.get(&format!("/api/v1/users/{ada_id}")).await.body["joined_at"].as_str().map(|at| at.ends_with('Z')), Some(true));
    assert_eq!(ada.get("/api/v1/users/root").await.body.get("joined_at"), None, "strangers see the public part");
    ada.delete(&format!("/api/v1/users/{root_id}")).await.problem(404, "not-found");
    root.delete(&format!("/api/v1/users/{ada_id}")).await.expect(StatusCode::ACCEPTED);
    root.delete(&format!("/api/v1/users/{ada_id}")).await.expect(StatusCode::ACCEPTED);
    ada.get("/api/v1/session").await.problem(401, "unauthenticated");
    root.get(&format!("/api/v1/users/{ada_id}")).await.problem(404, "not-found");
}

async fn an_owner_closes_a_pizzeria_and_its_card_goes(home: Home) {
    let server = Server::start_in(&home);
    let luigi = server.user("luigi").await;
    let (first, second) = (luigi.opens_pizzeria().await, luigi.opens_pizzeria().await);
    let ambiguous = json!({ "title": "Margherita", "description": "Tomato" });
    assert_eq!(luigi.post("/api/v1/pizzas", ambiguous).await.problem(400, "validation").fields(), ["pizzeria_id"]);
    let named = json!({ "title": "Margherita", "description": "Tomato", "pizzeria_id": first.rsplit('/').next() });
    let pizza = luigi.post("/api/v1/pizzas", named.clone()).await.expect(StatusCode::CREATED).location();

    for _ in 0..2 {
        luigi.delete(&first).await.expect(StatusCode::NO_CONTENT);
    }
    luigi.get(&first).await.problem(410, "gone");
    eventually("the pizza is gone", async || (luigi.get(&pizza).await.status == StatusCode::GONE).then_some(())).await;
    luigi.post("/api/v1/pizzas", named).await.problem(410, "gone");
    let only = luigi.creates_pizza("Marinara").await;
    assert_eq!(luigi.get(&only).await.body["pizzeria"]["href"], second);
}
