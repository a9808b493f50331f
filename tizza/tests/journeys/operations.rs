//! Operators at work on projections, by the command line: found by the data folder, let in by a token.

use std::{fs, os::unix::fs::PermissionsExt, process::Output};

use projector::operations::run::Run;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    home::{Home, on_both_databases},
    process::Process,
    server::{Client, Server},
};

on_both_databases! {
    a_projection_is_rebuilt_watched_rolled_back_and_cleaned_up,
    a_row_that_is_not_what_the_log_says_is_found_and_mended,
    a_view_is_looked_at_as_it_was,
    the_events_behind_a_row_are_printed_without_what_is_personal,
    a_projector_by_itself_is_operated_from_elsewhere,
}

const TOKEN: &str = "quattro-formaggi-operatori";

/// What a command says: on standard output, or if it fails on standard error.
fn asked(home: &Home, arguments: &[&str]) -> Result<String, String> {
    outcome(home.tizza().args(arguments).output().unwrap())
}

fn outcome(Output { status, stdout, stderr }: Output) -> Result<String, String> {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if status.success() { Ok(text(stdout)) } else { Err(text(stdout) + &text(stderr)) }
}

#[track_caller]
pub fn told(home: &Home, arguments: &[&str]) -> String {
    asked(home, arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

#[track_caller]
pub fn refused(home: &Home, arguments: &[&str]) -> String {
    asked(home, arguments).expect_err(&format!("{arguments:?}"))
}

pub fn projections(home: &Home) -> Value {
    serde_json::from_str(&told(home, &["projections", "--json"])).unwrap()
}

/// The states of a projection's generations.
fn states(home: &Home, name: &str) -> Vec<String> {
    let all = projections(home);
    let status = all.as_array().unwrap().iter().find(|status| status["projection"] == name).unwrap();
    status["generations"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect()
}

/// Somebody with a pizza that they like; its id.
pub async fn likes(server: &Server) -> (Client, String) {
    let ada = server.client();
    let account = json!({ "username": "ada", "password": crate::client::PASSWORD, "email": "ada@example.com" });
    ada.post("/api/v1/users", account).await.expect(StatusCode::CREATED);
    ada.opens_pizzeria().await;
    let pizza = ada.creates_pizza("Margherita").await;
    ada.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    ada.get(&pizza).await.expect(StatusCode::OK);
    (ada, pizza.rsplit('/').next().unwrap().to_owned())
}

async fn a_projection_is_rebuilt_watched_rolled_back_and_cleaned_up(home: Home) {
    let server = Server::start_in(&home);
    let (ada, pizza) = likes(&server).await;
    let table = told(&home, &["projections"]);
    assert_eq!(table.lines().count(), 5, "{table}");
    assert!(refused(&home, &["rebuild", "reaction"]).contains("did you mean reactions?"));

    let dry = told(&home, &["rebuild", "reactions", "--dry-run"]);
    assert!(dry.contains("not swapped in") && dry.contains("none of 4 rows differs"), "{dry}");
    assert_eq!(states(&home, "reactions"), ["live", "standby"]);
    let in_the_way = refused(&home, &["verify", "reactions"]);
    assert!(in_the_way.contains("reactions is being rebuilt since") && in_the_way.contains("paused"), "{in_the_way}");
    assert!(told(&home, &["rebuild", "reactions"]).contains("is rebuilt and swapped in"));
    assert_eq!(states(&home, "reactions"), ["old", "live"]);
    assert_eq!(ada.get(&format!("/api/v1/pizzas/{pizza}")).await.expect(StatusCode::OK).body["like_count"], 1);

    assert!(told(&home, &["rollback", "reactions"]).contains("generation 1 is live again"));
    assert_eq!(states(&home, "reactions"), ["live", "old"]);
    assert!(refused(&home, &["rollback", "pizzas"]).contains("no generation to go back to"));
    told(&home, &["rebuild", "users", "--dry-run"]);
    told(&home, &["rebuild", "users", "--abort"]);
    assert_eq!(states(&home, "users"), ["live"]);
    assert!(refused(&home, &["rebuild", "users", "--abort"]).contains("nothing is being rebuilt"));
    assert_eq!(told(&home, &["cleanup"]), "", "nothing is old enough");

    let lines = told(&home, &["actions", "--json"]);
    let actions: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let done: Vec<_> = actions.iter().map(|action| action["action"].as_str().unwrap()).collect();
    assert_eq!(done, ["cleanup", "abort", "rebuild", "rollback", "resume", "rebuild"]);
    assert!(actions[0]["operator"].as_str().unwrap().contains('@') && actions[0]["address"] == "127.0.0.1", "{}", actions[0]);
}

async fn a_row_that_is_not_what_the_log_says_is_found_and_mended(home: Home) {
    let server = Server::start_in(&home);
    let (_ada, pizza) = likes(&server).await;
    assert_eq!(told(&home, &["verify", "pizzas"]), "pizzas: none of 1 row differs\n");
    home.execute("READ_URL", "update pizzas_g1 set title = 'Hawaii'").await;
    let differs = refused(&home, &["verify", "pizzas"]).replace('-', "");
    assert!(
        differs.contains("pizzas: 0 only in the log, 0 only live, 1 different")
            && differs.contains(&pizza.replace('-', ""))
            && differs.contains("not what the log says"),
        "{differs}"
    );
    let job: Value = serde_json::from_str(&told(&home, &["rebuild", "pizzas", "--json"])).unwrap();
    assert_eq!((&job["state"], &job["outcome"]["differences"][0]["changed"]), (&json!("done"), &json!(1)), "{job}");
    assert_eq!(told(&home, &["verify", "pizzas"]), "pizzas: none of 1 row differs\n");
}

async fn a_view_is_looked_at_as_it_was(home: Home) {
    let server = Server::start_in(&home);
    let (ada, pizza) = likes(&server).await;
    let then = chrono::Utc::now().to_rfc3339();
    ada.delete(&format!("/api/v1/pizzas/{pizza}")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(told(&home, &["rebuild", "pizzas", "--until", &then, "--into", "before"]), "pizzas_before\n");
    home.execute("READ_URL", "update pizzas_g1 set title = (select title || deleted from pizzas_before)").await;
    let title = &ada.get(&format!("/api/v1/pizzas/{pizza}")).await.body["detail"];
    assert!(title.is_string(), "it is gone now: {title}");
    assert!(
        refused(&home, &["rebuild", "pizzas", "--until", "2001-01-01T00:00:00Z", "--into", "x"])
            .contains("until: is before the first event")
    );
    assert!(refused(&home, &["rebuild", "pizzas", "--until", &then, "--into", "before"]).contains("has a copy before already"));
    assert_eq!(told(&home, &["cleanup", "--copy", "before"]), "pizzas_before\n");
    assert!(refused(&home, &["cleanup", "--copy", "before"]).contains("no copy before"));
}

async fn the_events_behind_a_row_are_printed_without_what_is_personal(home: Home) {
    let server = Server::start_in(&home);
    let (ada, pizza) = likes(&server).await;
    let id = ada.get("/api/v1/session").await.expect(StatusCode::OK).body["id"].as_str().unwrap().to_owned();
    let row = told(&home, &["explain", "pizzas", &pizza]);
    let events: Vec<_> = row.lines().filter(|line| !line.starts_with(' ')).map(|line| line.split("  ").nth(2).unwrap()).collect();
    assert_eq!(events, ["PizzaCreated", "PizzaApproved"]);
    assert!(row.contains("title: Margherita") && row.contains("approved: false → true") && row.contains(&format!("by user {id}")), "{row}");
    let counted = told(&home, &["explain", "reactions", &pizza]);
    assert!(counted.contains("pizza_counters made") && counted.contains("likes +1"), "{counted}");
    let own = told(&home, &["explain", "users", &id]) + &told(&home, &["explain", "users", &id, "--json"]);
    assert!(own.contains("email (personal)") && !own.contains("ada"), "{own}");
    let key = format!("{id},{pizza}");
    assert!(told(&home, &["explain", "reactions", &key, "--table", "reactions"]).contains("reaction: like"));
    assert!(refused(&home, &["explain", "pizzas", &id]).contains("no event that can still be read has changed a row"));
    assert!(refused(&home, &["explain", "pizzas", "margherita"]).contains("pizzas has pizza_id"));
}

async fn a_projector_by_itself_is_operated_from_elsewhere(home: Home) {
    let mut command = home.tizza();
    command.arg("projector").env("ADMIN_TOKEN", TOKEN);
    let mut projector = Process::spawn(command);
    let url = format!("http://{}", projector.says("projector folds")["admin"].as_str().unwrap());
    let elsewhere = Home::in_files();
    let secret = home.data_dir().join("token");
    fs::write(&secret, format!("{TOKEN}\n")).unwrap();
    let all = told(&elsewhere, &["projections", "--json", "--admin-url", &url, "--admin-token-file", secret.to_str().unwrap()]);
    assert_eq!(serde_json::from_str::<Value>(&all).unwrap().as_array().unwrap().len(), 4);

    assert!(Run::read(&home.data_dir()).unwrap().token.is_none(), "a token that was set stays where it was set");
    assert!(refused(&home, &["projections"]).contains("ADMIN_TOKEN: it is missing"));
    let with = |token: &str| outcome(home.tizza().arg("projections").env("ADMIN_TOKEN", token).output().unwrap());
    assert!(with(TOKEN).is_ok());
    let wrong = with("quattro-formaggi-nessuno").unwrap_err();
    assert!(wrong.contains("does not take this token") && !wrong.contains("nessuno"), "{wrong}");
    assert!(with("short").unwrap_err().contains("ADMIN_TOKEN: expected at least 16"));
    projector.signal("TERM");
    assert_eq!(projector.ended().code(), Some(0));
}

#[tokio::test]
async fn the_tizza_of_a_data_folder_is_found_as_long_as_it_runs() {
    let home = Home::in_files();
    assert!(refused(&home, &["projections"]).contains("no Tizza runs here"));
    let mut server = Server::start_in(&home);
    let run = home.data_dir().join("run");
    assert_eq!(fs::metadata(&run).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(projections(&home).as_array().unwrap().len(), 4);
    let token = Run::read(&home.data_dir()).unwrap().token.unwrap();
    assert!(server.logged().iter().all(|line| !line.to_string().contains(&token)));

    server.signal("KILL");
    server.ended();
    let dead = refused(&home, &["projections"]);
    assert!(dead.contains("does not answer") && dead.contains("has ended"), "{dead}");
    let mut server = Server::start_in(&home);
    assert_ne!(Run::read(&home.data_dir()).unwrap().token.unwrap(), token, "each start has its own");
    projections(&home);
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0));
    assert!(!run.exists());
}

#[tokio::test]
async fn a_listener_that_other_machines_reach_offers_nothing_without_a_token_that_was_set() {
    let home = Home::in_files();
    let mut command = home.tizza();
    command.env("ADMIN_HOST", "0.0.0.0");
    let server = Server::spawn(command, &home);
    assert!(!home.data_dir().join("run").exists());
    let port = server.admin_url.rsplit_once(':').unwrap().1;
    let url = format!("http://127.0.0.1:{port}");
    let output = home.tizza().args(["projections", "--admin-url", &url]).env("ADMIN_TOKEN", TOKEN).output().unwrap();
    assert!(outcome(output).unwrap_err().contains("set ADMIN_TOKEN or ADMIN_TOKEN_FILE"));
    server.client().try_get(&format!("{url}/metrics")).await.unwrap().expect(StatusCode::OK);
}
