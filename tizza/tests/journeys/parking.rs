//! An event that no fold can read: laid aside, looked at, mended, given up.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    client::{Address, Client, eventually},
    home::{Home, on_both_databases},
    operations::{refused, told},
    process::Process,
    server::Server,
};

on_both_databases!(an_event_that_cannot_be_folded_is_parked_retried_once_it_is_mended_and_given_up_else);

const BREAK: &str = "update events set payload = replace(payload, 'pizzeria_id', 'place') where type = 'PizzaLiked'";
const MEND: &str = "update events set payload = replace(payload, 'place', 'pizzeria_id') where type = 'PizzaLiked'";

fn parked(home: &Home) -> Vec<Value> {
    told(home, &["parked", "list", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Ada likes her pizza and then does not, while nobody folds; the like is broken then. The answer is the path of her reaction.
async fn changes_her_mind(home: &Home) -> String {
    let mut command = home.tizza();
    command.arg("command-api");
    let mut commands = Process::spawn(command);
    let ada = Client::new(Address::one(&format!("http://{}", commands.says("command-api listens")["address"].as_str().unwrap())));
    let ada = ada.signs_up("ada").await;
    ada.opens_pizzeria().await;
    let pizza = ada.creates_pizza("Margherita").await;
    ada.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    ada.reacts(&pizza, "dislike").await.expect(StatusCode::OK);
    commands.signal("TERM");
    commands.ended();
    home.execute("LOG_URL", BREAK).await;
    format!("/api/v1/pizzas/{}", pizza.rsplit('/').next().unwrap())
}

async fn an_event_that_cannot_be_folded_is_parked_retried_once_it_is_mended_and_given_up_else(home: Home) {
    let pizza = changes_her_mind(&home).await;
    let server = Server::start_in(&home);
    let [liked, disliked] = &eventually("both are parked", async || Some(parked(&home)).filter(|all| all.len() == 2)).await[..] else {
        unreachable!("there are two")
    };
    assert!(liked["reason"].as_str().unwrap().contains("cannot be read") && disliked["reason"].is_null(), "{liked} {disliked}");
    let id = liked["id"].as_str().unwrap();
    assert!(told(&home, &["parked", "list"]).contains("waits behind another of its stream"));
    assert_eq!(told(&home, &["parked", "list", "users"]), told(&home, &["parked", "list", "pizzas"]));
    assert!(told(&home, &["parked", "show", id]).contains("PizzaLiked"));
    assert!(refused(&home, &["parked", "retry", id]).contains("0 events are folded, 2 are still parked"));
    assert!(refused(&home, &["parked", "retry", "reactions.1.0.1"]).contains("no parked event reactions.1.0.1"));
    assert!(refused(&home, &["parked", "show", "x"]).contains("<projection>.<generation>.<partition>.<position>"));
    assert_eq!(counts(&server, &pizza).await, [0, 0]);

    home.execute("LOG_URL", MEND).await;
    assert_eq!(told(&home, &["parked", "retry", id]), "2 events are folded, 0 are still parked\n");
    assert_eq!((parked(&home), counts(&server, &pizza).await), (vec![], [0, 1]));

    home.execute("LOG_URL", BREAK).await;
    let lacks = refused(&home, &["rebuild", "reactions"]);
    assert!(lacks.contains("is rebuilt and not swapped in: it has parked 2 events"), "{lacks}");
    let of_the_new_one = parked(&home)[0]["id"].as_str().unwrap().to_owned();
    assert!(of_the_new_one.starts_with("reactions.2."), "{of_the_new_one}");
    told(&home, &["parked", "skip", &of_the_new_one, "--reason", "it was sent by mistake"]);
    assert_eq!(parked(&home), [] as [Value; 0], "what waited behind it is folded");
    assert!(told(&home, &["rebuild", "reactions"]).contains("swapped in"));
    assert_eq!(counts(&server, &pizza).await, [0, 1]);

    let skipped = told(&home, &["actions", "--json"]).lines().find(|line| line.contains(r#""action":"skip""#)).unwrap().to_owned();
    let skipped: Value = serde_json::from_str(&skipped).unwrap();
    assert_eq!(skipped["details"], json!({ "event": of_the_new_one, "reason": "it was sent by mistake" }));
    let behind = told(&home, &["explain", "reactions", pizza.rsplit('/').next().unwrap(), "--json"]);
    assert!(behind.contains("skipped by an operator") && behind.contains("PizzaDisliked"), "{behind}");
}

/// How many like a pizza, and how many do not.
async fn counts(server: &Server, pizza: &str) -> [i64; 2] {
    let body = server.client().get(pizza).await.expect(StatusCode::OK).body;
    ["like_count", "dislike_count"].map(|count| body[count].as_i64().unwrap())
}
