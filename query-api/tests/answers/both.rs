//! Every answer is the same, whichever database has the rows.

use axum::http::{StatusCode, header};
use events::ReactionId;
use serde_json::Value;

use crate::{
    community::{ADA, LUIGI, ROOT, SUE, USERS, pizza, place},
    setup::{Tizza, get},
};

const COLLECTIONS: [(&str, &[&str]); 5] = [
    ("pizzas", &["", "order=created_at", "order=-created_at", "diet=vegan", "approved=false", "title__startswith=al", "limit=2&offset=1"]),
    ("pizzerias", &["", "order=rank", "order=name", "order=newest", "name__startswith=%C3%89", "limit=1&offset=1"]),
    ("likes", &["", "limit=2&offset=1"]),
    ("users", &["", "is_staff=true", "is_staff=false", "username__startswith=%C3%86", "username__startswith=L", "limit=2&offset=1"]),
    ("users/me/sessions", &[""]),
];

/// Every route, with each filter alone and some together.
fn paths() -> Vec<String> {
    let mut paths: Vec<String> = ["session", "users/me", "users/nobody", "pizzas/1", "pizzas?id=1"].map(str::to_owned).into();
    for (collection, queries) in COLLECTIONS {
        paths.extend(queries.iter().map(|query| format!("{collection}?{query}")));
    }
    for n in 0..8 {
        let pizza = pizza(n).0;
        paths.extend([format!("pizzas/{pizza}"), format!("pizzas/{pizza}/reaction"), format!("likes?pizza_id={pizza}")]);
        paths.push(format!("likes/{}", ReactionId::of(ADA, crate::community::pizza(n)).0));
    }
    for n in 0..5 {
        let place = place(n).0;
        paths.extend(["", "/pizzas", "/likes"].map(|part| format!("pizzerias/{place}{part}")));
        paths.extend([format!("likes?pizzeria_id={place}"), format!("pizzas?pizzeria_id={place}&title__startswith=Z&approved=true")]);
    }
    let some = format!("id={},{},{}", pizza(2).0, pizza(0).0, pizza(5).0);
    paths.extend(["", "&order=-created_at", "&diet=meat", "&title__startswith=a"].map(|more| format!("pizzas?{some}{more}")));
    paths.push(format!("pizzas?{some}&pizzeria_id={}", place(2).0));
    paths.push(format!("pizzerias?owner_id={}&order=name&name__startswith=a", LUIGI.0));
    for (user, name) in USERS {
        let (pizza, place) = (pizza(0).0, place(0).0);
        paths.extend([format!("users/{}", user.0), format!("users/{}/summary", user.0), format!("likes?user_id={}", user.0)]);
        paths.push(format!("likes?user_id={}&pizza_id={pizza}&pizzeria_id={place}", user.0));
        if name.is_ascii() {
            paths.push(format!("users/{}", name.to_uppercase()));
        }
    }
    paths
}

#[tokio::test]
async fn every_answer_is_the_same_from_both_databases() {
    let tizza = Tizza::new().await;
    let mut cookies = vec![String::new()];
    for user in [ADA, LUIGI, SUE, ROOT] {
        cookies.push(tizza.cookie(user).await);
    }
    for path in paths() {
        for cookie in &cookies {
            let mut answers = vec![];
            for router in &tizza.routers {
                let answer = get(router, &format!("/api/v1/{path}"), &[(header::COOKIE, cookie)]).await;
                assert!(!answer.status.is_server_error(), "{path}: {answer:?}");
                answers.push(answer);
            }
            assert!(answers.windows(2).all(|two| two[0] == two[1]), "{path}, asked with {cookie:?}: {answers:#?}");
        }
    }
}

#[tokio::test]
async fn what_is_drawn_is_what_has_not_been_seen() {
    let tizza = Tizza::new().await;
    let cookie = tizza.cookie(ADA).await;
    for router in &tizza.routers {
        let answer = get(router, "/api/v1/pizzas/random?count=50", &[(header::COOKIE, &cookie)]).await;
        assert_eq!(answer.status, StatusCode::OK);
        let mut drawn: Vec<_> = answer.body["results"].as_array().unwrap().iter().map(|pizza| pizza["id"].clone()).collect();
        drawn.sort_by_key(Value::to_string);
        assert_eq!(drawn, [pizza(3), pizza(4)].map(|id| Value::from(id.0.to_string())));
    }
}
