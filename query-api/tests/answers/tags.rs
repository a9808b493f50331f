//! Entity tags.

use axum::http::{StatusCode, header};
use events::ReactionId;

use crate::{
    community::{ADA, SUE, pizza, place},
    setup::{Tizza, get},
};

/// The version of the stream, as a command that changes the thing compares it.
#[tokio::test]
async fn the_tag_of_a_single_thing_begins_with_its_version() {
    let tizza = Tizza::new().await;
    let cookie = tizza.cookie(ADA).await;
    let things = [
        ("users/me".to_owned(), "2"),
        ("session".to_owned(), "2"),
        (format!("users/{}", ADA.0), "2"),
        (format!("users/{}", SUE.0), "2"),
        (format!("pizzerias/{}", place(0).0), "1"),
        (format!("pizzas/{}", pizza(0).0), "2"),
        (format!("pizzas/{}/reaction", pizza(2).0), "3"),
        (format!("likes/{}", ReactionId::of(ADA, pizza(2)).0), "3"),
    ];
    for router in &tizza.routers {
        for (path, version) in &things {
            let path = format!("/api/v1/{path}");
            let answer = get(router, &path, &[(header::COOKIE, &cookie)]).await;
            let (found, hash) = answer.tag().trim_matches('"').split_once('.').unwrap();
            assert_eq!((found, hash.len()), (*version, 16), "{path}");
            let again = get(router, &path, &[(header::COOKIE, &cookie), (header::IF_NONE_MATCH, answer.tag())]).await;
            assert_eq!((again.status, again.tag()), (StatusCode::NOT_MODIFIED, answer.tag()));
        }
    }
}

#[tokio::test]
async fn the_tag_of_a_collection_has_no_version() {
    let tizza = Tizza::new().await;
    for router in &tizza.routers {
        let answer = get(router, "/api/v1/pizzas", &[]).await;
        assert!(!answer.tag().contains('.'), "{}", answer.tag());
    }
}
