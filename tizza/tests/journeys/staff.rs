//! What staff does to others.

use reqwest::StatusCode;
use serde_json::json;

use crate::{
    home::{Home, on_both_databases},
    server::{PASSWORD, Server},
};

on_both_databases!(
    who_is_suspended_is_out_until_reinstated,
    staff_is_made_by_superusers_and_may_do_what_staff_may,
    at_least_one_superuser_remains,
    staff_sees_all_likes_and_others_only_their_own,
);

async fn id(client: &crate::server::Client) -> String {
    client.get("/api/v1/users/me").await.body["id"].as_str().unwrap().to_owned()
}

async fn who_is_suspended_is_out_until_reinstated(home: Home) {
    let server = Server::start_in(&home);
    let (ada, bob, root) = (server.user("ada").await, server.user("bob").await, server.superuser("root").await);
    let (ada_id, root_id) = (id(&ada).await, id(&root).await);
    let path = format!("/api/v1/users/{ada_id}/suspension");
    bob.put(&path, json!({})).await.problem(403, "permission-denied");
    server.client().put(&path, json!({})).await.problem(401, "unauthenticated");
    root.put("/api/v1/users/01900000-0000-7000-8000-000000000000/suspension", json!({})).await.problem(404, "not-found");
    root.put(&format!("/api/v1/users/{root_id}/suspension"), json!({})).await.problem(409, "conflict");

    for _ in 0..2 {
        root.put(&path, json!({ "reason": "spam" })).await.expect(StatusCode::NO_CONTENT);
    }
    ada.get("/api/v1/session").await.problem(401, "unauthenticated");
    let log_in = json!({ "username": "ada", "password": PASSWORD });
    ada.post("/api/v1/session", log_in.clone()).await.problem(401, "invalid-credentials");
    root.sees(&ada);
    assert_eq!(root.get(&format!("/api/v1/users/{ada_id}")).await.body["is_active"], false);

    for _ in 0..2 {
        root.delete(&path).await.expect(StatusCode::NO_CONTENT);
    }
    ada.post("/api/v1/session", log_in).await.expect(StatusCode::OK);
    ada.sees(&root);
    assert_eq!(ada.get("/api/v1/session").await.body["is_active"], true);
}

async fn staff_is_made_by_superusers_and_may_do_what_staff_may(home: Home) {
    let mut command = home.tizza();
    command.env("AUTO_APPROVE_PIZZAS", "false");
    let server = Server::spawn(command, &home);
    let (luigi, ada, root) = (server.user("luigi").await, server.user("ada").await, server.superuser("root").await);
    let (ada_id, root_id) = (id(&ada).await, id(&root).await);
    let pizzeria = luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    let (staff, approval) = (format!("/api/v1/users/{ada_id}/staff"), format!("{pizza}/approval"));
    ada.put(&staff, json!({})).await.problem(403, "permission-denied");
    ada.get("/api/v1/users").await.problem(403, "permission-denied");

    for _ in 0..2 {
        root.put(&staff, json!({})).await.expect(StatusCode::NO_CONTENT);
    }
    ada.sees(&root);
    ada.sees(&luigi);
    assert_eq!(ada.get("/api/v1/users/me").await.body["is_staff"], true);
    ada.get(&pizza).await.expect(StatusCode::OK);
    ada.put(&approval, json!({})).await.expect(StatusCode::NO_CONTENT);
    ada.put(&format!("/api/v1/users/{root_id}/staff"), json!({})).await.problem(403, "permission-denied");
    ada.put(&format!("/api/v1/users/{ada_id}/superuser"), json!({})).await.problem(403, "permission-denied");

    let list = ada.get("/api/v1/users?limit=2").await.expect(StatusCode::OK).body;
    let names = |page: &serde_json::Value| page["results"].as_array().unwrap().iter().map(|u| u["username"].clone()).collect::<Vec<_>>();
    assert_eq!((&list["count"], names(&list)), (&json!(3), vec![json!("ada"), json!("luigi")]));
    assert_eq!(names(&ada.get("/api/v1/users?username__startswith=LU").await.body), ["luigi"]);
    assert_eq!(names(&ada.get("/api/v1/users?is_staff=true").await.body), ["ada"]);
    ada.get("/api/v1/users?colour=red").await.problem(400, "validation");

    root.delete(&staff).await.expect(StatusCode::NO_CONTENT);
    root.delete(&staff).await.expect(StatusCode::NO_CONTENT);
    ada.sees(&root);
    ada.delete(&approval).await.problem(404, "not-found");
    ada.delete(&pizzeria).await.problem(404, "not-found");
    ada.get("/api/v1/users").await.problem(403, "permission-denied");
}

async fn at_least_one_superuser_remains(home: Home) {
    let server = Server::start_in(&home);
    let (ada, root) = (server.user("ada").await, server.superuser("root").await);
    let (ada_id, root_id) = (id(&ada).await, id(&root).await);
    let path = |id: &str| format!("/api/v1/users/{id}/superuser");
    root.delete(&path(&root_id)).await.problem(409, "conflict");
    root.put(&path("01900000-0000-7000-8000-000000000000"), json!({})).await.problem(404, "not-found");
    for _ in 0..2 {
        root.put(&path(&ada_id), json!({})).await.expect(StatusCode::NO_CONTENT);
    }
    ada.sees(&root);
    assert_eq!(ada.get("/api/v1/users/me").await.body["is_superuser"], true);
    ada.delete("/api/v1/users/me").await.problem(409, "conflict");
    for _ in 0..2 {
        ada.delete(&path(&root_id)).await.expect(StatusCode::NO_CONTENT);
    }
    root.put(&path(&root_id), json!({})).await.problem(403, "permission-denied");
    root.delete("/api/v1/users/me").await.expect(StatusCode::ACCEPTED);
}

async fn staff_sees_all_likes_and_others_only_their_own(home: Home) {
    let server = Server::start_in(&home);
    let (luigi, ada, root) = (server.user("luigi").await, server.user("ada").await, server.superuser("root").await);
    luigi.opens_pizzeria().await;
    let (first, second) = (luigi.creates_pizza("Margherita").await, luigi.creates_pizza("Marinara").await);
    let like = ada.reacts(&first, "like").await.expect(StatusCode::CREATED).body;
    ada.reacts(&second, "dislike").await.expect(StatusCode::CREATED);
    luigi.reacts(&first, "like").await.expect(StatusCode::CREATED);
    root.sees(&ada);
    root.sees(&luigi);
    let (user, pizza, place) = (&like["user_id"], &like["pizza_id"], &like["pizzeria_id"]);
    let of = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    for (filter, seen_by_root, seen_by_ada) in [
        (String::new(), 3, 2),
        (format!("pizza_id={}", of(pizza)), 2, 1),
        (format!("pizzeria_id={}", of(place)), 3, 2),
        (format!("user_id={}&pizza_id={}", of(user), of(pizza)), 1, 1),
    ] {
        let path = format!("/api/v1/likes?{filter}");
        assert_eq!(root.get(&path).await.expect(StatusCode::OK).body["count"], seen_by_root, "{filter}");
        assert_eq!(ada.get(&path).await.expect(StatusCode::OK).body["count"], seen_by_ada, "{filter}");
    }
    luigi.get(&format!("/api/v1/likes?user_id={}", of(user))).await.problem(403, "permission-denied");
    luigi.get("/api/v1/likes?user_id=42").await.problem(400, "validation");

    luigi.delete(like["href"].as_str().unwrap()).await.problem(404, "not-found");
    for _ in 0..2 {
        ada.delete(like["href"].as_str().unwrap()).await.expect(StatusCode::NO_CONTENT);
    }
    ada.delete("/api/v1/likes/01900000-0000-7000-8000-000000000000").await.problem(404, "not-found");
    assert_eq!(ada.get("/api/v1/likes").await.body["count"], 1);
}
