//! The forms of pages, as a browser sends them.

use reqwest::{Method, StatusCode, header};

use crate::server::{Answer, Client, PASSWORD, Server};

/// The token that a page has hidden in its form.
async fn token(client: &Client, page: &str) -> String {
    let shown = client.get(page).await.expect(StatusCode::OK);
    assert!(shown.headers["content-security-policy"].to_str().unwrap().contains("form-action 'self'"));
    let html = shown.body.as_str().unwrap().to_owned();
    html.split("name=\"csrf_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

async fn send(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let encoded: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+"))).collect();
    let request = client.request(Method::POST, path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    client.answer(request.body(encoded.join("&"))).await.unwrap()
}

/// Sends a form with its page's token.
async fn submit(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let token = token(client, path).await;
    send(client, path, &[fields, &[("csrf_token", &token)]].concat()).await
}

fn is_page(answer: &Answer, status: StatusCode, text: &str) {
    assert_eq!(answer.status, status, "{:#}", answer.body);
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(answer.body.as_str().unwrap().contains(text), "{text}: {:#}", answer.body);
}

#[tokio::test]
async fn people_sign_up_log_in_and_out_and_change_their_password_by_forms() {
    let server = Server::start();
    let ada = server.client();
    let twice = |one: &'static str, other: &'static str| [("username", "ada"), ("password1", one), ("password2", other)];
    is_page(
        &submit(&ada, "/register", &twice(PASSWORD, "quattro stagioni")).await,
        StatusCode::BAD_REQUEST,
        "Password again is not the same.",
    );
    is_page(
        &submit(&ada, "/register", &twice("short", "short")).await,
        StatusCode::BAD_REQUEST,
        "Password must have at least 8 characters.",
    );
    let registered = submit(&ada, "/register", &twice(PASSWORD, PASSWORD)).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(registered.location(), "/");
    crate::server::eventually("the account is folded", async || (ada.get("/api/v1/session").await.status == StatusCode::OK).then_some(()))
        .await;
    is_page(&submit(&server.client(), "/register", &twice(PASSWORD, PASSWORD)).await, StatusCode::CONFLICT, "This username is taken.");

    assert_eq!(submit(&ada, "/logout", &[]).await.expect(StatusCode::SEE_OTHER).location(), "/login");
    ada.get("/api/v1/session").await.problem(401, "unauthenticated");
    assert_eq!(ada.get("/password_change").await.expect(StatusCode::SEE_OTHER).location(), "/login?next=/password_change");
    let log_in = |password: &'static str, next: &'static str| [("username", "ada"), ("password", password), ("next", next)];
    is_page(&submit(&ada, "/login", &log_in("wrong", "/")).await, StatusCode::UNAUTHORIZED, "Wrong username or password.");
    assert_eq!(submit(&ada, "/login", &log_in(PASSWORD, "//evil.example")).await.expect(StatusCode::SEE_OTHER).location(), "/");
    let next = submit(&ada, "/login", &log_in(PASSWORD, "/password_change")).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(next.location(), "/password_change");

    let change = |old: &'static str, new: &'static str| [("old_password", old), ("new_password", new)];
    let wrong = submit(&ada, "/password_change", &change("wrong", "quattro stagioni")).await;
    is_page(&wrong, StatusCode::BAD_REQUEST, "Old password is wrong.");
    submit(&ada, "/password_change", &change(PASSWORD, "quattro stagioni")).await.expect(StatusCode::SEE_OTHER);
    submit(&server.client(), "/login", &log_in("quattro stagioni", "/")).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_form_that_no_page_of_ours_has_sent_does_nothing() {
    let server = Server::start();
    let ada = server.client();
    let fields = [("username", "ada"), ("password1", PASSWORD), ("password2", PASSWORD)];
    is_page(&send(&ada, "/register", &fields).await, StatusCode::FORBIDDEN, "try again");
    token(&ada, "/register").await;
    let guessed = [&fields[..], &[("csrf_token", "guessed")]].concat();
    is_page(&send(&ada, "/register", &guessed).await, StatusCode::FORBIDDEN, "try again");
    ada.post("/register", serde_json::json!({})).await.problem(415, "unsupported-media-type");
    submit(&ada, "/register", &fields).await.expect(StatusCode::SEE_OTHER);
}
