//! Reading what one has written, and a page at a time.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    home::{Home, on_both_databases},
    server::Server,
};

on_both_databases!(
    every_write_is_read_by_its_token_however_busy_the_house_is,
    a_token_that_is_ahead_waits_and_one_that_is_none_is_refused,
    collections_come_a_page_at_a_time,
    the_house_tells_where_everything_is_and_how_it_is,
    what_a_client_has_already_is_not_sent_again,
);

async fn every_write_is_read_by_its_token_however_busy_the_house_is(home: Home) {
    let server = Server::start_in(&home);
    let luigi = server.user("luigi").await;
    luigi.opens_pizzeria().await;
    let guests = futures::future::join_all((0..4).map(|n| server.user(["ada", "bob", "cyd", "dan"][n]))).await;
    let rounds = guests.iter().map(async |guest| {
        guest.sees(&luigi);
        for round in 0..15 {
            let pizza = luigi.creates_pizza(&format!("Pizza {round}")).await;
            guest.sees(&luigi);
            assert_eq!(guest.get(&pizza).await.expect(StatusCode::OK).body["like_count"], 0);
            guest.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
            assert_eq!(guest.get(&pizza).await.body["like_count"], 1);
            assert_eq!(guest.get("/api/v1/likes").await.body["count"], round + 1);
        }
    });
    futures::future::join_all(rounds).await;
}

async fn a_token_that_is_ahead_waits_and_one_that_is_none_is_refused(home: Home) {
    let server = Server::start_in(&home);
    let client = server.client();
    let with =
        |token: &'static str| client.request(Method::GET, "/api/v1/pizzas").header("consistency-token", token).header("prefer", "wait=0");
    let behind = client.answer(with("1.3.7")).await.unwrap().problem(504, "projection-behind");
    assert!(behind.body["detail"].as_str().unwrap().contains("7 events behind"));
    client.answer(with("1.3.0")).await.unwrap().expect(StatusCode::OK);
    client.answer(with("2.3.0")).await.unwrap().problem(409, "epoch-changed");
    client.answer(with("nonsense")).await.unwrap().problem(400, "malformed");
    client.answer(with("1.16.0")).await.unwrap().problem(400, "malformed");
}

async fn collections_come_a_page_at_a_time(home: Home) {
    let server = Server::start_in(&home);
    let luigi = server.user("luigi").await;
    luigi.opens_pizzeria().await;
    for n in 0..7 {
        luigi.creates_pizza(&format!("Pizza {n}")).await;
    }
    let mut titles = vec![];
    let mut next = Some("/api/v1/pizzas?limit=3".to_owned());
    while let Some(page) = next {
        let page = luigi.get(&page).await.expect(StatusCode::OK).body;
        assert_eq!(page["count"], 7);
        titles.extend(page["results"].as_array().unwrap().iter().map(|pizza| pizza["title"].as_str().unwrap().to_owned()));
        next = page["next"].as_str().map(ToOwned::to_owned);
    }
    assert_eq!(titles, (0..7).map(|n| format!("Pizza {n}")).collect::<Vec<_>>());
    assert_eq!(luigi.get("/api/v1/pizzas").await.body["results"].as_array().unwrap().len(), 5);
    assert_eq!(luigi.get("/api/v1/pizzas?offset=100").await.body["results"], json!([]));
    for (query, field) in [("limit=0", "limit"), ("limit=101", "limit"), ("offset=-1", "offset"), ("colour=red", "colour")] {
        assert_eq!(luigi.get(&format!("/api/v1/pizzas?{query}")).await.problem(400, "validation").fields(), [field]);
    }
}

async fn the_house_tells_where_everything_is_and_how_it_is(home: Home) {
    let server = Server::start_in(&home);
    let client = server.client();
    let home = client.get("/").await.expect(StatusCode::OK).body;
    for link in ["pizzas", "pizzerias"] {
        client.get(home["links"][link].as_str().unwrap()).await.expect(StatusCode::OK);
    }
    client.get("/livez").await.expect(StatusCode::OK);
    let ready = client.get(&format!("{}/readyz", server.admin_url)).await.expect(StatusCode::OK).body;
    assert_eq!((&ready["status"], &ready["lag_events"]["reactions"]), (&json!("ready"), &json!(0)));
    let asked = server.home.asks_ready(&["--url", &server.admin_url]);
    assert!(asked.status.success());
    assert_eq!(serde_json::from_slice::<Value>(&asked.stdout).unwrap()["status"], "ready");
    client.get("/readyz").await.problem(404, "not-found");
}

async fn what_a_client_has_already_is_not_sent_again(home: Home) {
    let server = Server::start_in(&home);
    let luigi = server.user("luigi").await;
    luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    let first = luigi.get(&pizza).await.expect(StatusCode::OK);
    assert_eq!(first.headers["cache-control"], "private, max-age=0, must-revalidate");
    assert!(first.headers["vary"].to_str().unwrap().contains("Cookie"));
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    let again = async || {
        let request = luigi.request(Method::GET, &pizza).header("if-none-match", format!("\"other\", {tag}"));
        luigi.answer(request).await.unwrap()
    };
    let unchanged = again().await.expect(StatusCode::NOT_MODIFIED);
    assert_eq!((unchanged.headers["etag"].to_str().unwrap(), unchanged.body), (&*tag, json!("")));
    let liked = luigi.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    assert!(liked.headers["etag"].to_str().unwrap().starts_with("\"1."), "the stream's version comes first");
    let changed = again().await.expect(StatusCode::OK);
    assert_ne!(changed.headers["etag"].to_str().unwrap(), tag);
    let stranger = server.client();
    stranger.sees(&luigi);
    assert_eq!(stranger.get(&pizza).await.headers["cache-control"], "public, max-age=0, must-revalidate");
}
