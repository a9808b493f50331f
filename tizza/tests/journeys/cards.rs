//! Pizzerias and their cards: put, patched, filtered, drawn at random.

use std::collections::{HashMap, HashSet};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    home::{Home, on_both_databases},
    server::{Answer, Client, Server},
};

on_both_databases!(
    a_pizzeria_is_put_and_patched,
    a_pizza_is_put_and_patched,
    collections_are_filtered,
    random_pizzas_are_those_that_one_has_not_seen,
    each_pizza_is_as_likely_as_any_other,
    the_older_client_finds_its_routes_and_its_errors,
);

async fn patch(client: &Client, path: &str, body: Value) -> Answer {
    client.answer(client.request(Method::PATCH, path).json(&body)).await.unwrap()
}

fn titles(page: &Value) -> Vec<&str> {
    page["results"].as_array().unwrap().iter().map(|pizza| pizza["title"].as_str().unwrap()).collect()
}

async fn a_pizzeria_is_put_and_patched(home: Home) {
    let server = Server::start_in(&home);
    let (luigi, mario, root) = (server.user("luigi").await, server.user("mario").await, server.superuser("root").await);
    let path = format!("/api/v1/pizzerias/{}", Uuid::now_v7());
    let whole = json!({ "name": "Da Luigi", "address": "Via Roma 1", "phone": "1" });
    server.client().put(&path, whole.clone()).await.problem(401, "unauthenticated");
    let created = luigi.put(&path, whole.clone()).await.expect(StatusCode::CREATED);
    assert!(created.location().ends_with(&path));
    assert_eq!(luigi.put(&path, whole.clone()).await.expect(StatusCode::OK).body, created.body);
    mario.put(&path, whole.clone()).await.problem(404, "not-found");
    patch(&mario, &path, json!({ "name": "Da Mario" })).await.problem(404, "not-found");

    let changed = patch(&luigi, &path, json!({ "phone": "2" })).await.expect(StatusCode::OK).body;
    assert_eq!((&changed["name"], &changed["phone"]), (&json!("Da Luigi"), &json!("2")));
    assert_eq!(
        patch(&luigi, &path, json!({ "address": null, "phone": "" })).await.problem(400, "validation").fields(),
        ["address", "phone"]
    );
    assert_eq!(luigi.put(&path, json!({ "name": "x" })).await.problem(400, "validation").fields(), ["address", "phone"]);
    root.sees(&luigi);
    patch(&root, &path, json!({ "name": "Closed soon" })).await.expect(StatusCode::OK);
    luigi.sees(&root);
    let read = luigi.get(&path).await.body;
    assert_eq!((&read["name"], &read["address"], &read["phone"]), (&json!("Closed soon"), &json!("Via Roma 1"), &json!("2")));
    // What was read can be put back.
    luigi.put(&path, read).await.expect(StatusCode::OK);

    let derived = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"x");
    assert_eq!(luigi.put(&format!("/api/v1/pizzerias/{derived}"), whole.clone()).await.problem(400, "validation").fields(), ["id"]);
    patch(&luigi, &format!("/api/v1/pizzerias/{}", Uuid::now_v7()), json!({})).await.problem(404, "not-found");
    luigi.delete(&path).await.expect(StatusCode::NO_CONTENT);
    luigi.put(&path, whole).await.problem(410, "gone");
    patch(&luigi, &path, json!({})).await.problem(410, "gone");
}

async fn a_pizza_is_put_and_patched(home: Home) {
    let server = Server::start_in(&home);
    let (luigi, mario) = (server.user("luigi").await, server.user("mario").await);
    let path = format!("/api/v1/pizzas/{}", Uuid::new_v4());
    let whole = json!({ "title": "Margherita", "description": "Tomato", "diet": "vegetarian", "thumbnail_url": "https://x.example/m.jpg" });
    luigi.put(&path, whole.clone()).await.problem(409, "conflict");
    let first = luigi.opens_pizzeria().await;
    let created = luigi.put(&path, whole.clone()).await.expect(StatusCode::CREATED);
    assert_eq!(luigi.put(&path, whole.clone()).await.expect(StatusCode::OK).body, created.body);
    let second = luigi.opens_pizzeria().await;
    luigi.put(&path, whole.clone()).await.expect(StatusCode::OK);
    let mut moved = whole.clone();
    moved["pizzeria_id"] = json!(second.rsplit('/').next());
    luigi.put(&path, moved).await.problem(409, "conflict");
    assert_eq!(luigi.get(&path).await.body["pizzeria"]["href"], first);

    let changed =
        patch(&luigi, &path, json!({ "title": "Marinara", "diet": null, "thumbnail_url": null })).await.expect(StatusCode::OK).body;
    assert_eq!((&changed["title"], &changed["diet"], &changed["thumbnail_url"]), (&json!("Marinara"), &json!(null), &json!(null)));
    assert_eq!(luigi.get(&path).await.body["description"], "Tomato");
    assert_eq!(patch(&luigi, &path, json!({ "title": null })).await.problem(400, "validation").fields(), ["title"]);
    mario.opens_pizzeria().await;
    patch(&mario, &path, json!({ "title": "Mine" })).await.problem(404, "not-found");
    mario.put(&path, whole.clone()).await.problem(404, "not-found");
    patch(&server.client(), &path, json!({})).await.problem(401, "unauthenticated");
    patch(&luigi, &format!("/api/v1/pizzas/{}", Uuid::now_v7()), json!({})).await.problem(404, "not-found");

    luigi.delete(&path).await.expect(StatusCode::NO_CONTENT);
    luigi.put(&path, whole).await.problem(410, "gone");
    patch(&luigi, &path, json!({ "title": "Again" })).await.problem(410, "gone");
}

async fn collections_are_filtered(home: Home) {
    let server = Server::start_in(&home);
    let (luigi, ada) = (server.user("luigi").await, server.user("ada").await);
    let (roma, napoli) = (Uuid::now_v7(), Uuid::now_v7());
    for (id, name) in [(roma, "Roma"), (napoli, "Napoli")] {
        let whole = json!({ "name": name, "address": "Via", "phone": "1" });
        luigi.put(&format!("/api/v1/pizzerias/{id}"), whole).await.expect(StatusCode::CREATED);
    }
    let mut ids = HashMap::new();
    for (title, diet, place) in [("Margherita", "vegetarian", roma), ("Marinara", "vegan", napoli), ("Diavola", "meat", napoli)] {
        let pizza = json!({ "title": title, "description": "x", "diet": diet, "pizzeria_id": place });
        let created = luigi.post("/api/v1/pizzas", pizza).await.expect(StatusCode::CREATED).body;
        ids.insert(title, created["id"].as_str().unwrap().to_owned());
    }
    ada.sees(&luigi);
    ada.reacts(&format!("/api/v1/pizzas/{}", ids["Diavola"]), "like").await.expect(StatusCode::CREATED);
    let some = format!("id={},{}", ids["Diavola"], ids["Margherita"]);
    let cases: Vec<(String, Vec<&str>)> = vec![
        (String::new(), vec!["Margherita", "Marinara", "Diavola"]),
        ("order=-created_at".into(), vec!["Diavola", "Marinara", "Margherita"]),
        ("title__startswith=Mar".into(), vec!["Margherita", "Marinara"]),
        ("title__startswith=mar".into(), vec![]),
        ("diet=vegan".into(), vec!["Marinara"]),
        ("approved=false".into(), vec![]),
        (some.clone(), vec!["Margherita", "Diavola"]),
        (format!("{some}&title__startswith=D"), vec!["Diavola"]),
        (format!("pizzeria_id={napoli}"), vec!["Marinara", "Diavola"]),
        (format!("pizzeria_id={napoli}&diet=meat&approved=true"), vec!["Diavola"]),
    ];
    for (query, expected) in cases {
        let page = ada.get(&format!("/api/v1/pizzas?{query}")).await.expect(StatusCode::OK).body;
        assert_eq!((titles(&page), &page["count"]), (expected.clone(), &json!(expected.len())), "{query}");
    }
    let of_place = ada.get(&format!("/api/v1/pizzerias/{napoli}/pizzas")).await.body;
    assert_eq!(titles(&of_place), ["Marinara", "Diavola"]);
    assert_eq!(ada.get(&format!("/api/v1/pizzerias/{napoli}/likes")).await.body, json!({ "count": 1 }));
    ada.get(&format!("/api/v1/pizzerias/{}/pizzas", Uuid::now_v7())).await.problem(404, "not-found");

    let names = async |query: &str| {
        let page = ada.get(&format!("/api/v1/pizzerias?{query}")).await.expect(StatusCode::OK).body;
        page["results"].as_array().unwrap().iter().map(|place| place["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let owner = ada.get(&format!("/api/v1/pizzerias/{roma}")).await.body["owner_id"].as_str().unwrap().to_owned();
    assert_eq!(names("").await, ["Napoli", "Roma"], "the most liked first");
    assert_eq!(names("order=newest").await, ["Napoli", "Roma"]);
    assert_eq!(names("order=name&name__startswith=R").await, ["Roma"]);
    assert_eq!(names(&format!("owner_id={owner}&order=name")).await, ["Napoli", "Roma"]);
    assert_eq!(names(&format!("owner_id={roma}")).await, Vec::<String>::new());
    let many = format!("id={}", vec![roma.to_string(); 101].join(","));
    for (path, field) in [
        ("/api/v1/pizzas?diet=fruit".to_owned(), "diet"),
        (format!("/api/v1/pizzas?{many}"), "id"),
        ("/api/v1/pizzas?order=random".to_owned(), "order"),
        ("/api/v1/pizzerias?order=best".to_owned(), "order"),
        ("/api/v1/pizzerias?owner_id=luigi".to_owned(), "owner_id"),
        ("/api/v1/pizzas/random?count=51".to_owned(), "count"),
    ] {
        assert_eq!(ada.get(&path).await.problem(400, "validation").fields(), [field], "{path}");
    }
}

async fn random_pizzas_are_those_that_one_has_not_seen(home: Home) {
    let server = Server::start_in(&home);
    let (luigi, ada) = (server.user("luigi").await, server.user("ada").await);
    luigi.opens_pizzeria().await;
    let mut all = vec![];
    for n in 0..24 {
        all.push(luigi.creates_pizza(&format!("Pizza {n}")).await);
    }
    ada.sees(&luigi);
    let drawn = async |client: &Client, query: &str| {
        let answer = client.get(&format!("/api/v1/pizzas/random{query}")).await.expect(StatusCode::OK);
        assert_eq!(answer.headers["cache-control"], "no-store");
        let hrefs = answer.body["results"].as_array().unwrap().iter().map(|pizza| pizza["href"].as_str().unwrap().to_owned());
        hrefs.collect::<Vec<_>>()
    };
    assert_eq!(drawn(&ada, "").await.len(), 15);
    assert_eq!(drawn(&ada, "?count=50").await.into_iter().collect::<HashSet<_>>(), all.iter().cloned().collect());
    for pizza in &all[..20] {
        ada.reacts(pizza, "dislike").await.expect(StatusCode::CREATED);
    }
    let left: HashSet<_> = all[20..].iter().cloned().collect();
    for _ in 0..5 {
        assert_eq!(drawn(&ada, "").await.into_iter().collect::<HashSet<_>>(), left);
    }
    ada.delete(&format!("{}/reaction", all[3])).await.expect(StatusCode::NO_CONTENT);
    assert!(drawn(&ada, "").await.contains(&all[3]), "what was withdrawn is shown again");
    luigi.delete(&all[23]).await.expect(StatusCode::NO_CONTENT);
    ada.sees(&luigi);
    assert!(!drawn(&ada, "").await.contains(&all[23]), "what is gone is not shown");
    for pizza in [&all[3], &all[20], &all[21], &all[22]] {
        ada.reacts(pizza, "like").await.expect(StatusCode::CREATED);
    }
    assert_eq!(drawn(&ada, "").await, Vec::<String>::new(), "when nothing is left, nothing is shown");
    assert_eq!(drawn(&server.client(), "?count=3").await.len(), 3, "strangers have seen nothing");
}

/// 24 pizzas, 1 drawn 960 times: 40 each on average. A pizza that is drawn less than 10 or more than 90 times would be seen once in
/// many millions of runs, were each as likely as any other (binomial, standard deviation 6.2).
async fn each_pizza_is_as_likely_as_any_other(home: Home) {
    let server = Server::start_in(&home);
    let luigi = server.user("luigi").await;
    luigi.opens_pizzeria().await;
    for n in 0..24 {
        luigi.creates_pizza(&format!("Pizza {n}")).await;
    }
    let mut drawn: HashMap<String, usize> = HashMap::new();
    for _ in 0..960 {
        let answer = luigi.get("/api/v1/pizzas/random?count=1").await.body;
        *drawn.entry(titles(&answer)[0].to_owned()).or_default() += 1;
    }
    assert_eq!(drawn.len(), 24);
    assert!(drawn.values().all(|n| (10..=90).contains(n)), "{drawn:?}");
}

async fn the_older_client_finds_its_routes_and_its_errors(home: Home) {
    let server = Server::start_in(&home);
    let (luigi, mario) = (server.user("luigi").await, server.user("mario").await);
    luigi.opens_pizzeria().await;
    let body = json!({ "title": "Margherita", "description": "Tomato" });
    let created = luigi.post("/pizzas/", body).await.expect(StatusCode::CREATED).body;
    let path = format!("/pizzas/{}", created["id"].as_str().unwrap());
    let shown = json!({ "id": created["id"], "title": "Margherita", "description": "Tomato" });
    assert_eq!(luigi.get(&path).await.expect(StatusCode::OK).body, shown);
    assert_eq!(luigi.get("/pizzas/random").await.expect(StatusCode::OK).body, json!([shown]));
    let not_found = json!({ "status": "error", "message": "pizza not found" });
    for unknown in ["/pizzas/42", "/pizzas/01900000-0000-7000-8000-000000000000"] {
        let answer = luigi.get(unknown).await.expect(StatusCode::NOT_FOUND);
        assert_eq!((&answer.body, &answer.headers["content-type"]), (&not_found, &"application/json".parse().unwrap()));
    }
    assert_eq!(mario.delete(&path).await.expect(StatusCode::NOT_FOUND).body, not_found);
    let refused = luigi.post("/pizzas/", json!({ "title": "" })).await.expect(StatusCode::BAD_REQUEST).body;
    assert_eq!(refused["status"], "error");
    assert!(refused["message"].as_str().unwrap().contains("title"), "{refused}");
    server.client().post("/pizzas/", json!({})).await.expect(StatusCode::UNAUTHORIZED);
    assert_eq!(luigi.delete(&path).await.expect(StatusCode::OK).body, json!({ "id": created["id"] }));
    assert_eq!(luigi.get(&path).await.expect(StatusCode::GONE).body["status"], "error");
}
