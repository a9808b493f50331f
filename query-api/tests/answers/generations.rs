//! What clients see while generations come and go.

use axum::http::{StatusCode, header};
use projector::{Prepared, projections};
use read_store::{
    Role, Swap,
    jobs::{Kind, Phase, Progress, Request},
    views::{PIZZAS, REACTIONS},
};
use serde_json::Value;
use uuid::Uuid;

use crate::setup::{Tizza, fold, get, opened};

#[tokio::test]
async fn what_was_dropped_between_looking_up_and_reading_is_read_again() {
    let tizza = Tizza::new().await;
    for (router, place) in tizza.routers.iter().zip(&tizza.places) {
        let before = get(router, "/api/v1/pizzas", &[]).await;
        assert!(!before.body["results"].as_array().unwrap().is_empty());

        // By somebody else: this process does not know yet.
        let other = opened(place).await;
        let projection = projections().into_iter().find(|known| known.view() == &PIZZAS).unwrap();
        let job = Uuid::now_v7();
        let made = other.begin_building(&PIZZAS, &projection.tables(), job, |_| Progress::none()).await.unwrap();
        fold(&other, &[Prepared::new(projection, made)]).await;
        other.set_role(&PIZZAS, made, Role::Folded, None).await.unwrap();
        assert_eq!(other.swap(&PIZZAS, made, false).await.unwrap(), Swap::Done { from: Some(1) });
        let old = other.generations().await.unwrap().into_iter().find(|known| known.projection == "pizzas" && known.generation == 1);
        assert!(other.drop_generation(&old.unwrap()).await.unwrap());
        other.close().await;

        let after = get(router, "/api/v1/pizzas", &[]).await;
        assert_eq!((after.status, after.body), (StatusCode::OK, before.body));
    }
}

#[tokio::test]
async fn what_is_being_built_is_not_answered_from_and_the_rest_is() {
    let tizza = Tizza::new().await;
    for (router, place) in tizza.routers.iter().zip(&tizza.places) {
        let store = opened(place).await;
        let sql = "delete from live_generations where projection = 'reactions'";
        database::on!(&store.database.writer, |db| sqlx::query(sql).execute(db).await.map(drop)).unwrap();
        let job = Uuid::now_v7();
        assert!(store.ask_for(job, Kind::Upgrade, &REACTIONS, &Request::default()).await.unwrap());
        let progress = Progress { phase: Phase::Folding, folded: 43, events: 100, ..Progress::none() };
        store.tell_progress(job, &progress).await.unwrap();
        store.close().await;

        let refused = get(router, "/api/v1/pizzas", &[("prefer".parse().unwrap(), "wait=0")]).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers[header::RETRY_AFTER], "1");
        let detail = Value::from("Not there yet: the projection reactions is being built: 43 of 100 events are folded.");
        assert_eq!(refused.body["detail"], detail);
        assert_eq!(get(router, "/api/v1/users/nobody", &[]).await.status, StatusCode::NOT_FOUND);
    }
}
