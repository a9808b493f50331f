//! What operators ask for, by HTTP, beside running workers.

use axum::{body::Body, http::header};
use chrono::{TimeDelta, Utc};
use database::on;
use event_log::Partition;
use events::likes::Reaction::Like;
use projector::explain::{Became, Told};
use read_store::{Role, views::REACTIONS};
use serde_json::json;
use service_kit::config::Access;

use crate::{
    admin::{Admin, TOKEN, request, sent},
    history::{
        Act::{Create, React, TakeOff},
        pizza, user,
    },
    operator::Operator,
    setup::{Tizza, on_both},
};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// All routes, each with what it takes.
const ROUTES: [(&str, &str, &str); 20] = [
    ("GET", "/projections", ""),
    ("GET", "/projections/users", ""),
    ("POST", "/projections/users/rollback", ""),
    ("GET", "/rebuilds", ""),
    ("POST", "/rebuilds", r#"{"projection": "users"}"#),
    ("GET", "/rebuilds/00000000-0000-4000-8000-000000000000", ""),
    ("DELETE", "/rebuilds/00000000-0000-4000-8000-000000000000", ""),
    ("POST", "/rebuilds/00000000-0000-4000-8000-000000000000/pause", ""),
    ("POST", "/rebuilds/00000000-0000-4000-8000-000000000000/resume", ""),
    ("POST", "/verifications", r#"{"projection": "users"}"#),
    ("GET", "/verifications/00000000-0000-4000-8000-000000000000", ""),
    ("DELETE", "/verifications/00000000-0000-4000-8000-000000000000", ""),
    ("GET", "/parked", ""),
    ("GET", "/parked/users.1.3.7", ""),
    ("DELETE", "/parked/users.1.3.7", r#"{"reason": "x"}"#),
    ("POST", "/parked/users.1.3.7/retry", ""),
    ("POST", "/cleanups", "{}"),
    ("GET", "/actions", ""),
    ("GET", "/explanations?projection=users&key=00000000-0000-4000-8000-000000000000", ""),
    ("GET", "/nothing", ""),
];

async fn nobody_operates_without_the_token(tizza: Tizza) {
    let (open, closed) = (Admin::of(&tizza).await, Admin::with(&tizza, Access::Closed).await);
    for (method, path, body) in ROUTES.into_iter().filter(|(_, path, _)| *path != "/nothing") {
        for shown in [None, Some("Bearer quattro-formaggI"), Some("Basic cXVhdHRybw==")] {
            let request = shown.into_iter().fold(request(method, path, body), |request, shown| request.header("authorization", shown));
            let refused = sent(&open.0, request.body(Body::from(body)).unwrap()).await.expect(401);
            assert!(refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer"), "{refused:?}");
            assert_eq!(refused.slug(), "unauthenticated");
        }
        let refused = closed.ask(method, path, body).await.expect(403);
        assert!(refused.text.contains("ADMIN_TOKEN"), "{refused:?}");
    }
    assert_eq!(tizza.log.operator_actions(10).await.unwrap(), [], "nothing was done");
}

async fn what_cannot_be_is_refused_with_its_field_and_rule(mut tizza: Tizza) {
    tizza.happens(&[Create(0)]).await;
    let admin = Admin::of(&tizza).await;
    let tomorrow = (Utc::now() + TimeDelta::days(1)).to_rfc3339();
    for (path, body, field, rule) in [
        ("/rebuilds", json!({}), "projection", "required"),
        ("/rebuilds", json!({ "projection": "reaction" }), "projection", "did you mean reactions?"),
        ("/verifications", json!({ "projection": "usres" }), "projection", "did you mean users?"),
        ("/rebuilds", json!({ "projection": "users", "dry_run": "yes" }), "dry_run", "true or false"),
        ("/rebuilds", json!({ "projection": "users", "until": "2026-11-21T00:00:00Z" }), "into", "required"),
        ("/rebuilds", json!({ "projection": "users", "into": "then" }), "into", "until"),
        ("/rebuilds", json!({ "projection": "users", "until": "yesterday", "into": "then" }), "until", "RFC 3339"),
        ("/rebuilds", json!({ "projection": "users", "until": tomorrow, "into": "then" }), "until", "future"),
        ("/rebuilds", json!({ "projection": "users", "until": "2001-01-01T00:00:00Z", "into": "then" }), "until", "before the first event"),
        ("/rebuilds", json!({ "projection": "users", "until": "1.3.99", "into": "then" }), "until", "ahead of the log"),
        ("/rebuilds", json!({ "projection": "users", "until": "1.16.1", "into": "then" }), "until", "no such partition"),
        ("/rebuilds", json!({ "projection": "users", "until": "1.3.0", "into": "then" }), "until", "before the first event"),
        ("/rebuilds", json!({ "projection": "users", "until": "1.3.1", "into": "Then" }), "into", "lower-case"),
        ("/rebuilds", json!({ "projection": "users", "until": "1.3.1", "into": "g7" }), "into", "generations"),
        ("/rebuilds", json!({ "projection": "users", "until": "1.3.1", "into": "then", "dry_run": true }), "dry_run", "copy"),
        ("/cleanups", json!({ "older_than_s": -1 }), "older_than_s", "whole number"),
        ("/cleanups", json!({ "copies": "then" }), "copies", "list"),
        ("/cleanups", json!({ "copies": ["then"] }), "copies", "no copy then"),
    ] {
        let refused = admin.ask("POST", path, &body.to_string()).await.expect(400);
        let error = &refused.json()["errors"][0];
        assert!(error["field"] == field && error["detail"].as_str().unwrap().contains(rule), "{body}: {error}");
    }
    let elsewhere = json!({ "projection": "users", "until": "7.3.1", "into": "then" }).to_string();
    assert_eq!(admin.ask("POST", "/rebuilds", &elsewhere).await.expect(409).slug(), "epoch-changed");
    for (path, field) in [
        ("/parked?limit=0", "limit"),
        ("/parked?projection=users2", "projection"),
        ("/actions?from=1", "from"),
        ("/explanations?projection=users", "key"),
        ("/explanations?projection=users&key=ada", "key"),
        ("/explanations?projection=users&key=ada&table=pizzas", "table"),
        ("/explanations?projection=people&key=ada", "projection"),
    ] {
        assert_eq!(admin.ask("GET", path, "").await.expect(400).json()["errors"][0]["field"], field, "{path}");
    }
    for (method, path, body) in
        ROUTES.into_iter().filter(|(_, path, _)| path.contains(NOBODY) && !path.contains('?') || path.contains("users.1.3"))
    {
        admin.ask(method, path, body).await.expect(404);
    }
    assert!(admin.ask("GET", "/projections/usres", "").await.expect(404).text.contains("did you mean users?"));
    assert!(!admin.ask("GET", "/projections/zzzz", "").await.expect(404).text.contains("did you mean"));
    assert_eq!(admin.ask("GET", "/nothing", "").await.expect(404).slug(), "not-found");
    let allowed = admin.ask("PUT", "/rebuilds", "{}").await.expect(405);
    assert_eq!((allowed.slug().as_str(), allowed.headers[header::ALLOW].to_str().unwrap()), ("method-not-allowed", "GET,HEAD,POST"));
    let request = request("POST", "/rebuilds", "").header("authorization", format!("Bearer {TOKEN}"));
    sent(&admin.0, request.body(Body::from("x=1")).unwrap()).await.expect(415);
    assert_eq!(tizza.log.operator_actions(10).await.unwrap(), [], "nothing was done");
}

async fn a_projection_is_told_with_its_lag_what_is_parked_and_what_it_takes(mut tizza: Tizza) {
    tizza.happens(&[Create(0), React(0, 0, Some(Like))]).await;
    let (admin, total) = (Admin::of(&tizza).await, tizza.history.events.len());
    let status = async || admin.ask("GET", "/projections/reactions", "").await.expect(200).json()["generations"][0].clone();
    let behind = status().await;
    assert_eq!((&behind["position"], &behind["lag_events"], &behind["state"]), (&json!(0), &json!(total), &json!("live")));
    assert!(behind["lag_seconds"].as_f64().unwrap() > 0.0 && behind["bytes"].as_i64().unwrap() > 0, "{behind}");

    tizza.fold_all().await;
    let park = "update checkpoints set parked = 1 where projection = 'reactions' and partition = 3";
    on!(&tizza.store.database.writer, |db| sqlx::query(park).execute(db).await.map(drop)).unwrap();
    let there = status().await;
    assert_eq!((&there["position"], &there["lag_events"], &there["parked"]), (&json!(total), &json!(0), &json!(1)));
    assert_eq!(there["lag_seconds"], 0.0);
    let all = admin.ask("GET", "/projections", "").await.expect(200).json();
    let names: Vec<_> = all["results"].as_array().unwrap().iter().map(|status| status["projection"].as_str().unwrap()).collect();
    assert_eq!(names, ["users", "pizzerias", "pizzas", "reactions"]);
}

async fn a_rebuild_is_asked_for_once_watched_rolled_back_and_cleaned_up(mut tizza: Tizza) {
    tizza.happens(&[Create(0), React(0, 0, Some(Like)), React(1, 0, Some(Like))]).await;
    let (admin, operator) = (Admin::of(&tizza).await, Operator::of(&tizza).await);
    operator.assert_read().await;
    admin.ask("POST", "/projections/reactions/rollback", "").await.expect(409);

    let asked = admin.ask("POST", "/rebuilds", r#"{"projection": "reactions"}"#).await.expect(202);
    let place = asked.headers[header::LOCATION].to_str().unwrap().strip_prefix("/api/v1/operations").unwrap().to_owned();
    let again = admin.ask("POST", "/verifications", r#"{"projection": "reactions"}"#).await.expect(409);
    assert!(again.headers[header::LOCATION].to_str().unwrap().ends_with(&place), "{again:?}");
    assert!(again.text.contains("reactions is being rebuilt since") && again.text.contains("waiting"), "{again:?}");
    admin.ask("GET", &place.replace("rebuilds", "verifications"), "").await.expect(404);

    admin.ask("POST", &format!("{place}/pause"), "").await.expect(204);
    assert!(operator.runner().step().await.unwrap());
    assert_eq!(admin.ask("GET", &place, "").await.expect(200).json()["state"], "paused");
    let resumed = admin.ask("POST", &format!("{place}/resume?force=true"), "").await.expect(202).json();
    assert_eq!((&resumed["state"], &resumed["request"]["force"]), (&json!("running"), &json!(true)));
    assert!(operator.runner().step().await.unwrap());
    let done = admin.ask("GET", &place, "").await.expect(200).json();
    assert_eq!((&done["state"], &done["outcome"]["swapped"]), (&json!("done"), &json!(true)), "{done}");
    admin.ask("DELETE", &place, "").await.expect(409);
    admin.ask("POST", &format!("{place}/resume"), "").await.expect(409);

    assert_eq!(operator.generations(&REACTIONS).await, [(1, Role::Folded, false), (2, Role::Folded, true)]);
    let back = admin.ask("POST", "/projections/reactions/rollback", "").await.expect(200).json();
    assert_eq!((&back["generations"][0]["state"], &back["generations"][1]["state"]), (&json!("live"), &json!("old")), "{back}");
    operator.assert_read().await;
    assert_eq!(admin.ask("POST", "/cleanups", r#"{"copies": []}"#).await.expect(200).json(), json!({ "tables": [] }), "it is too young");

    let dropped =
        admin.ask("POST", "/verifications", r#"{"projection": "users"}"#).await.expect(202).json()["id"].as_str().unwrap().to_owned();
    admin.ask("DELETE", &format!("/verifications/{dropped}"), "").await.expect(202);
    assert!(operator.runner().step().await.unwrap());
    admin.ask("DELETE", &format!("/verifications/{dropped}"), "").await.expect(204);
    let jobs = admin.ask("GET", "/rebuilds", "").await.expect(200).json();
    assert_eq!(jobs["results"].as_array().unwrap().len(), 2);

    let noted = admin.ask("GET", "/actions?limit=3", "").await.expect(200).json();
    let actions: Vec<_> = noted["results"].as_array().unwrap().iter().map(|noted| noted["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["abort", "verify", "cleanup"]);
    assert_eq!((&noted["results"][1]["operator"], &noted["results"][1]["details"]["projection"]), (&json!("ada@kitchen"), &json!("users")));
    operator.ends().await;
}

async fn a_copy_goes_as_far_as_the_moment_that_was_named(mut tizza: Tizza) {
    tizza.happens(&[Create(0), Create(2)]).await;
    let (head, partition) = (tizza.log.all_heads().await.unwrap(), Partition::of(user(0).0));
    let second = tizza.log.read(partition, 1, 1).await.unwrap().remove(0);
    let (admin, operator) = (Admin::of(&tizza).await, Operator::of(&tizza).await);
    let copied = async |until: &str, into: &str| {
        let body = json!({ "projection": "pizzas", "until": until, "into": into }).to_string();
        let asked = admin.ask("POST", "/rebuilds", &body).await.expect(202).json();
        assert!(operator.runner().step().await.unwrap());
        assert_eq!(asked["kind"], "copy");
        serde_json::from_value::<Vec<i64>>(asked["request"]["until"].clone()).unwrap()
    };
    assert_eq!(copied(&Utc::now().to_rfc3339(), "all_of_it").await, head);
    let early = copied(&format!("1.{}.2", partition.number()), "early").await;
    let mut expected = tizza.log.before(second.recorded_at + TimeDelta::microseconds(1)).await.unwrap();
    expected[partition.index()] = 2;
    assert_eq!(early, expected);
    let taken = json!({ "projection": "pizzas", "until": Utc::now().to_rfc3339(), "into": "early" }).to_string();
    assert!(admin.ask("POST", "/rebuilds", &taken).await.expect(409).text.contains("has a copy early already"));
    let dropped = admin.ask("POST", "/cleanups", r#"{"copies": ["early"]}"#).await.expect(200).json();
    assert_eq!(dropped["tables"], json!(["pizzas_early"]));
    operator.ends().await;
}

async fn the_events_behind_a_row_are_told_line_by_line(mut tizza: Tizza) {
    tizza.happens(&[Create(0), TakeOff(0)]).await;
    let mut broken = crate::history::happened(Create(1));
    broken.event.payload = "{}".into();
    tizza.append(&broken).await;
    let admin = Admin::of(&tizza).await;
    let told = async |key: String| {
        let answer = admin.ask("GET", &format!("/explanations?projection=pizzas&key={key}"), "").await.expect(200);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/x-ndjson");
        answer.text.lines().map(|line| serde_json::from_str::<Told>(line).unwrap()).collect::<Vec<_>>()
    };
    let lines = told(pizza(0).0.to_string()).await;
    let [Told::Changed(made), Told::Changed(deleted), Told::Passed(passed), Told::End { events, changes: 2 }] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!((made.event.event_type.as_str(), made.change.became), ("PizzaCreated", Became::Made));
    assert_eq!((deleted.event.event_type.as_str(), deleted.change.columns.len()), ("PizzaDeleted", 2), "{deleted:?}");
    assert!(passed.reason.contains("cannot be read") && passed.event.stream_id == pizza(1).0);
    assert_eq!(*events, tizza.history.events.len() as i64 + 1);
    let nothing = told(NOBODY.into()).await;
    assert!(matches!(nothing[..], [Told::Passed(_), Told::End { changes: 0, .. }]), "{nothing:?}");
}

on_both! {
    nobody_operates_without_the_token,
    what_cannot_be_is_refused_with_its_field_and_rule,
    a_projection_is_told_with_its_lag_what_is_parked_and_what_it_takes,
    a_rebuild_is_asked_for_once_watched_rolled_back_and_cleaned_up,
    a_copy_goes_as_far_as_the_moment_that_was_named,
    the_events_behind_a_row_are_told_line_by_line,
}
