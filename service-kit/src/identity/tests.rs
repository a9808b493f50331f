//! On both databases.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use database::StoreUrl;

use super::*;
use crate::config::Listen;

const PASSWORD: &str = "correct horse";

/// The store in a new file, and, where there is a Postgres, in a new database.
async fn everywhere(test: impl AsyncFn(IdentityStore)) {
    let folder = tempfile::tempdir().unwrap();
    let urls =
        [Some(StoreUrl::file(folder.path().join("identity.db"))), test_servers::shared_database().ok().map(|url| url.parse().unwrap())];
    for url in urls.into_iter().flatten() {
        let store = IdentityStore::open(&url, Duration::from_secs(5)).await.unwrap();
        test(store.clone()).await;
        store.close().await;
    }
}

fn identity(store: &IdentityStore) -> Identity {
    let listen = Listen { http_host: String::new(), http_port: None, public_url: Some("http://t".into()) };
    Identity::new(store.clone(), &[[7; 32]], &listen.public_url(([127, 0, 0, 1], 1).into()).unwrap())
}

/// What a browser sends back.
fn cookie(set_cookie: &HeaderValue) -> HeaderMap {
    let pair = set_cookie.to_str().unwrap().split(';').next().unwrap();
    HeaderMap::from_iter([(header::COOKIE, pair.parse().unwrap())])
}

#[tokio::test]
async fn a_password_is_that_of_its_credential_only() {
    everywhere(async |store| {
        let identity = identity(&store);
        let (credential_id, subject) = (Uuid::now_v7(), Uuid::now_v7());
        identity.store_password(credential_id, subject, PASSWORD.into()).await.unwrap();
        let is = async |credential, password: &str| identity.is_password(credential, password.into()).await.unwrap();
        assert!(is(Some(credential_id), PASSWORD).await);
        assert!(!is(Some(credential_id), "battery staple").await);
        assert!(!is(Some(Uuid::now_v7()), PASSWORD).await);
        assert!(!is(None, PASSWORD).await);
    })
    .await;
}

#[tokio::test]
async fn a_session_is_found_by_its_cookie_until_it_ends() {
    everywhere(async |store| {
        let (identity, elsewhere) = (identity(&store), identity(&store));
        let subject = Uuid::now_v7();
        let (session, set_cookie) = identity.begin_session(subject).await.unwrap();
        let headers = cookie(&set_cookie);
        for identity in [&identity, &elsewhere] {
            assert_eq!(identity.session(&headers).await.unwrap(), Some(session.clone()));
        }
        let listed = identity.sessions_of(subject).await.unwrap();
        assert_eq!((listed.len(), listed[0].session_id, listed[0].started_at), (1, session.session_id, session.started_at));
        assert_eq!(listed[0].expires_at, session.started_at + SESSION);

        identity.end_session(session.session_id).await.unwrap();
        identity.end_session(session.session_id).await.unwrap();
        assert_eq!(identity.session(&headers).await.unwrap(), None);
        assert!(identity.sessions_of(subject).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn sessions_in_use_are_looked_at_again_together_and_what_ended_elsewhere_or_here_does_not_come_back() {
    everywhere(async |store| {
        let (here, elsewhere) = (identity(&store), identity(&store));
        let mut cookies = vec![];
        for subject in [1, 2, 3].map(Uuid::from_u128) {
            let (session, set_cookie) = here.begin_session(subject).await.unwrap();
            cookies.push((session.session_id, cookie(&set_cookie)));
        }
        let is_known = async |(_, headers): &(Uuid, HeaderMap)| here.session(headers).await.unwrap().is_some();
        for known in &cookies {
            assert!(is_known(known).await);
        }
        elsewhere.end_session(cookies[0].0).await.unwrap();
        here.end_session(cookies[1].0).await.unwrap();
        here.sessions.refresh(&store).await.unwrap();
        assert_eq!([is_known(&cookies[0]).await, is_known(&cookies[1]).await, is_known(&cookies[2]).await], [false, false, true]);

        assert_eq!(here.sessions.in_use(), [cookies[2].0]);
        for _ in 0..5 {
            here.sessions.refresh(&store).await.unwrap();
        }
        assert!(here.sessions.in_use().is_empty(), "nobody asks for it any more");
    })
    .await;
}

#[tokio::test]
async fn the_newest_session_comes_first_and_all_of_a_subject_end_at_once() {
    everywhere(async |store| {
        let identity = identity(&store);
        let (ada, bob) = (Uuid::now_v7(), Uuid::now_v7());
        let (first, cookie_of_first) = identity.begin_session(ada).await.unwrap();
        let (second, _) = identity.begin_session(ada).await.unwrap();
        let (_, cookie_of_bob) = identity.begin_session(bob).await.unwrap();
        let ids: Vec<_> = identity.sessions_of(ada).await.unwrap().iter().map(|session| session.session_id).collect();
        assert_eq!(ids, [second.session_id, first.session_id]);

        assert!(identity.session(&cookie(&cookie_of_first)).await.unwrap().is_some());
        identity.end_sessions(ada).await.unwrap();
        assert!(identity.sessions_of(ada).await.unwrap().is_empty());
        assert_eq!(identity.session(&cookie(&cookie_of_first)).await.unwrap(), None);
        assert!(identity.session(&cookie(&cookie_of_bob)).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_new_password_leaves_one_credential_and_who_is_forgotten_has_none() {
    everywhere(async |store| {
        assert!(store.is_empty().await.unwrap());
        let identity = identity(&store);
        let (old, new, subject) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        for credential in [old, new] {
            identity.store_password(credential, subject, PASSWORD.into()).await.unwrap();
        }
        let (_, set_cookie) = identity.begin_session(subject).await.unwrap();
        identity.end_all_but(subject, new).await.unwrap();
        let is_known = async |credential| store.hash(Some(credential)).await.unwrap().is_some();
        assert_eq!((is_known(old).await, is_known(new).await), (false, true));
        assert_eq!(identity.session(&cookie(&set_cookie)).await.unwrap(), None);

        identity.begin_session(subject).await.unwrap();
        assert!(!store.is_empty().await.unwrap());
        for _ in 0..2 {
            identity.forget(subject).await.unwrap();
        }
        assert!(store.is_empty().await.unwrap());
    })
    .await;
}
