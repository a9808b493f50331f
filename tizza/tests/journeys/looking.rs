//! The operators' looks into the log: `tizza log show | tail | trace | verify | export`, and a Tizza that takes no commands.

use std::{
    fs,
    process::{Command, Output},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    home::{Home, on_both_databases},
    server::{Client, Server, eventually},
};

on_both_databases! {
    what_is_sealed_is_shown_only_to_who_asks_for_it_and_that_is_said,
    new_events_are_printed_as_they_are_written,
    all_that_followed_from_a_request_is_a_tree,
    a_log_is_compared_with_what_its_events_say,
    an_export_is_whole_and_goes_on_where_it_was_interrupted,
    while_it_is_read_only_queries_go_on_and_commands_are_refused,
}

const EMAIL: &str = "ada@example.com";

/// Somebody with a pizzeria, and a pizza that they like.
async fn lives(server: &Server) -> (Client, String) {
    let ada = server.client();
    let account = json!({ "username": "ada", "password": crate::client::PASSWORD, "email": EMAIL });
    let id = ada.post("/api/v1/users", account).await.expect(StatusCode::CREATED).body["id"].as_str().unwrap().to_owned();
    ada.opens_pizzeria().await;
    let pizza = ada.post("/api/v1/pizzas", json!({ "title": "Margherita", "description": "Tomatoes" })).await.expect(StatusCode::CREATED);
    let reaction = format!("/api/v1/pizzas/{}/reaction", pizza.body["id"].as_str().unwrap());
    ada.put(&reaction, json!({ "reaction": "like" })).await.expect(StatusCode::CREATED);
    (ada, id)
}

fn log(home: &Home, arguments: &[&str]) -> Output {
    home.tizza().arg("log").args(arguments).output().unwrap()
}

fn printed(home: &Home, arguments: &[&str]) -> String {
    let output = log(home, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What is said by a command that fails.
fn refused(home: &Home, arguments: &[&str]) -> String {
    let output = log(home, arguments);
    assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn what_is_sealed_is_shown_only_to_who_asks_for_it_and_that_is_said(home: Home) {
    let server = Server::start_in(&home);
    let (_, id) = lives(&server).await;
    for arguments in [["show", &id].as_slice(), &["show", &id, "--json"], &["tail", "--since", "1h", "--no-follow"], &["export"]] {
        assert!(!printed(&home, arguments).contains(EMAIL), "{arguments:?}");
    }
    assert!(printed(&home, &["show", &id]).contains(r#""email":"(sealed)""#));
    assert!(lines(&printed(&home, &["show", &id, "--json"]))[0]["payload"]["email"]["$sealed"].is_string());

    let revealed = log(&home, &["show", &id, "--reveal"]);
    assert!(String::from_utf8_lossy(&revealed.stdout).contains(EMAIL));
    assert!(String::from_utf8_lossy(&revealed.stderr).contains("personal values were revealed"));

    fs::remove_file(home.data_dir().join("secrets/key_encryption_keys")).unwrap();
    assert!(printed(&home, &["show", &id]).contains("(sealed)"), "without the keys the rest can be seen");
    assert!(refused(&home, &["show", &id, "--reveal"]).contains("KEY_ENCRYPTION_KEYS"));
    assert!(refused(&home, &["show", "00000000-0000-4000-8000-000000000000"]).contains("no stream"));
}

async fn new_events_are_printed_as_they_are_written(home: Home) {
    let server = Server::start_in(&home);
    let (ada, id) = lives(&server).await;
    let all = lines(&printed(&home, &["tail", "--since", "1h", "--no-follow", "--json"]));
    let types: Vec<_> = all.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["UserSignedUp", "PizzeriaOpened", "PizzaCreated", "PizzaApproved", "PizzaLiked"]);
    assert_eq!(printed(&home, &["tail", "--no-follow"]), "", "from now on");

    let since = all[3]["recorded_at"].as_str().unwrap();
    let some = printed(&home, &["tail", "--since", since, "--no-follow", "--type", "PizzaLiked", "--type", "UserDeleted"]);
    assert!(some.lines().count() == 1 && some.contains("PizzaLiked"), "{some}");
    let (here, elsewhere) = (all[0]["partition"].to_string(), ((all[0]["partition"].as_u64().unwrap() + 1) % 16).to_string());
    let count = |partition: &str| printed(&home, &["tail", "--since", "1h", "--no-follow", "--partition", partition]).lines().count();
    assert_eq!((count(&here), count(&elsewhere)), (5, 0));

    let output = home.data_dir().join("tail");
    let mut following = home.tizza().args(["log", "tail"]).stdout(fs::File::create(&output).unwrap()).spawn().unwrap();
    let names = ["Ada", "Countess", "Lovelace"];
    let mut written = 0;
    // Until one of them was written after the tail began.
    eventually("it is printed", async || {
        let body = json!({ "first_name": names[written % 3] });
        ada.answer(ada.request(Method::PATCH, "/api/v1/users/me").json(&body)).await.unwrap().expect(StatusCode::OK);
        written += 1;
        fs::read_to_string(&output).unwrap().contains(&format!("{id}  ")).then_some(())
    })
    .await;
    assert!(Command::new("kill").args(["-INT", &following.id().to_string()]).status().unwrap().success());
    assert!(following.wait().unwrap().success());

    for (arguments, told) in
        [(["--type", "PizzaBurnt"], "no event has this type"), (["--partition", "16"], "0 to 15"), (["--since", "soon"], "15m")]
    {
        let told_of = refused(&home, &[&["tail"][..], &arguments].concat());
        assert!(told_of.contains(told) && told_of.contains(arguments[0]), "{told_of}");
    }
}

async fn all_that_followed_from_a_request_is_a_tree(home: Home) {
    let server = Server::start_in(&home);
    let (ada, _) = lives(&server).await;
    ada.answer(ada.request(Method::DELETE, "/api/v1/users/me").header("X-Request-Id", "bye")).await.unwrap().expect(StatusCode::ACCEPTED);
    let tree = eventually("policies have done their part", async || {
        let tree = printed(&home, &["trace", "bye"]);
        tree.contains("PizzaDeleted").then_some(tree)
    })
    .await;
    let order = ["bye", "UserDeleted", "close_pizzerias_of_deleted", "PizzeriaClosed", "delete_pizzas_of_closed", "PizzaDeleted"];
    let places: Vec<_> = order.iter().map(|text| tree.find(text).unwrap()).collect();
    assert!(places.is_sorted(), "{tree}");

    let json: Value = serde_json::from_str(&printed(&home, &["trace", "bye", "--json"])).unwrap();
    let deleted = &json["commands"][0]["events"][0];
    assert_eq!((&deleted["type"], &deleted["commands"][0]["actor"]["id"]), (&json!("UserDeleted"), &json!("close_pizzerias_of_deleted")));
    assert_eq!(deleted["commands"][0]["events"][0]["commands"][0]["events"][0]["type"], "PizzaDeleted");
    assert!(refused(&home, &["trace", "nothing"]).contains("no event with the correlation id nothing"));
}

async fn a_log_is_compared_with_what_its_events_say(home: Home) {
    let server = Server::start_in(&home);
    let (ada, _) = lives(&server).await;
    let bob = server.user("bob").await;
    assert!(printed(&home, &["verify"]).contains("6 events, 5 streams, 3 names and 2 links"));

    // Names and links are given back; what was said under a key that is gone is not needed for that.
    ada.delete("/api/v1/users/me").await.expect(StatusCode::ACCEPTED);
    eventually("policies have done their part", async || {
        let found: Value = serde_json::from_str(&printed(&home, &["verify", "--json"])).unwrap();
        (found == json!({ "events": 9, "streams": 5, "claims": 1, "links": 0, "faults": [] })).then_some(())
    })
    .await;
    drop((server, bob));

    home.execute("LOG_URL", "update streams set version = version + 1 where kind = 'pizza'").await;
    home.execute("LOG_URL", "delete from claims").await;
    let output = log(&home, &["verify"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("its row says version 4, its events 3") && said.contains("has taken a name that is not kept"), "{said}");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("2 things are wrong"));
}

async fn an_export_is_whole_and_goes_on_where_it_was_interrupted(home: Home) {
    let server = Server::start_in(&home);
    lives(&server).await;
    server.user("bob").await;
    let (path, folder) = (home.data_dir().join("log.jsonl"), home.data_dir());
    let file = path.to_str().unwrap();
    let all = printed(&home, &["export"]);
    let order: Vec<_> =
        lines(&all).iter().map(|e| (e["partition"].as_u64(), e["position"].as_str().unwrap().parse::<i64>().unwrap())).collect();
    assert!(order.len() == 6 && order.is_sorted(), "{order:?}");

    let ends: Vec<_> = all.match_indices('\n').map(|(end, _)| end + 1).collect();
    for length in [0, 1, 50, ends[0] - 1, ends[0], ends[0] + 1, ends[3] + 7, all.len() - 1, all.len()] {
        fs::write(&path, &all[..length]).unwrap();
        assert_eq!(printed(&home, &["export", "--output", file]), "");
        assert_eq!(fs::read_to_string(&path).unwrap(), all, "after {length} bytes");
    }
    for wrong in ["not an export", "{}\n", "not one\n", &all.replace(lines(&all)[5]["event_id"].as_str().unwrap(), "another")] {
        fs::write(&path, wrong).unwrap();
        assert!(refused(&home, &["export", "--output", file]).contains("is no export"), "{wrong}");
        assert_eq!(fs::read_to_string(&path).unwrap(), wrong, "it is left as it was");
    }
    assert!(refused(&home, &["export", "--output", folder.to_str().unwrap()]).contains("directory"));
}

async fn while_it_is_read_only_queries_go_on_and_commands_are_refused(home: Home) {
    let server = Server::start_in(&home);
    let (ada, _) = lives(&server).await;
    drop(server);
    let mut command = home.tizza();
    command.env("READ_ONLY", "true");
    let server = Server::spawn(command, &home);
    let ada = ada.moved_to(&server.url);
    ada.get("/api/v1/users/me").await.expect(StatusCode::OK);
    for (method, path) in [(Method::POST, "/api/v1/users"), (Method::PATCH, "/api/v1/users/me"), (Method::DELETE, "/api/v1/session")] {
        let answer = ada.answer(ada.request(method, path).json(&json!({}))).await.unwrap().expect(StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().contains("read-only"), "{answer:?}");
    }
    assert_eq!(printed(&home, &["tail", "--since", "1h", "--no-follow"]).lines().count(), 5);
}
