//! Each role as a process of its own, over the same stores.

use reqwest::StatusCode;

use crate::{
    client::{Address, Client, eventually},
    home::{Home, on_both_databases},
    process::Process,
};

on_both_databases!(three_processes_are_one_house, a_projector_that_is_killed_goes_on_where_it_was);

/// Where a gateway in front of both would be found.
const PUBLIC_URL: &str = "http://tizza.test";

/// Command-api, projector and query-api.
struct House {
    processes: [Process; 3],
    address: Address,
}

fn role(home: &Home, name: &str) -> Process {
    let mut command = home.tizza();
    command.arg(name).env("PUBLIC_URL", PUBLIC_URL);
    Process::spawn(command)
}

impl House {
    /// All at once, on nothing: whoever comes first makes stores and keys.
    fn start(home: &Home) -> Self {
        let mut processes = ["command-api", "projector", "query-api"].map(|name| role(home, name));
        let listens = |process: &mut Process, message| format!("http://{}", process.says(message)["address"].as_str().unwrap());
        let commands = listens(&mut processes[0], "command-api listens");
        processes[1].says("projector folds");
        let queries = listens(&mut processes[2], "query-api listens");
        Self { processes, address: Address { public: PUBLIC_URL.into(), commands, queries } }
    }

    async fn client(&self) -> Client {
        let client = Client::new(self.address.clone());
        eventually("the views are made", async || (client.get("/api/v1/pizzas").await.status == StatusCode::OK).then_some(())).await;
        client
    }
}

async fn three_processes_are_one_house(home: Home) {
    let mut house = House::start(&home);
    let luigi = house.client().await.signs_up("luigi").await;
    assert!(luigi.opens_pizzeria().await.starts_with(PUBLIC_URL));
    let pizza = luigi.creates_pizza("Margherita").await;
    let ada = house.client().await.signs_up("ada").await;
    ada.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    assert_eq!(ada.get(&pizza).await.expect(StatusCode::OK).body["like_count"], 1);
    assert_eq!(ada.get("/api/v1/likes").await.expect(StatusCode::OK).body["count"], 1);
    assert_eq!(ada.get("/api/v1/session").await.expect(StatusCode::OK).body["username"], "ada");

    home.creates_superuser("root");
    let root = house.client().await.logs_in("root").await;
    root.sees(&ada);
    assert_eq!(root.get("/api/v1/users").await.expect(StatusCode::OK).body["count"], 3);

    luigi.delete("/api/v1/users/me").await.expect(StatusCode::ACCEPTED);
    let is_out = async || (luigi.get("/api/v1/session").await.status == StatusCode::UNAUTHORIZED).then_some(());
    eventually("what another process ended is over", is_out).await;
    eventually("policies do the rest", async || (ada.get(&pizza).await.status == StatusCode::GONE).then_some(())).await;

    for process in &mut house.processes {
        process.signal("TERM");
        assert_eq!(process.ended().code(), Some(0));
    }
}

async fn a_projector_that_is_killed_goes_on_where_it_was(home: Home) {
    let mut house = House::start(&home);
    let luigi = house.client().await.signs_up("luigi").await;
    luigi.opens_pizzeria().await;
    let first = luigi.creates_pizza("Margherita").await;
    luigi.get(&first).await.expect(StatusCode::OK);
    house.processes[1].signal("KILL");
    house.processes[1].ended();
    let marinara = serde_json::json!({ "title": "Marinara", "description": "x" });
    let created = luigi.post("/api/v1/pizzas", marinara).await.expect(StatusCode::CREATED);
    let second = created.location();
    let stranger = Client::new(house.address.clone());
    let read = stranger.request(reqwest::Method::GET, &second).header("prefer", "wait=0");
    let read = read.header("consistency-token", &created.headers["consistency-token"]);
    stranger.answer(read).await.unwrap().problem(504, "projection-behind");
    house.processes[1] = role(&home, "projector");
    luigi.get(&second).await.expect(StatusCode::OK);
    assert_eq!(luigi.get("/api/v1/pizzas").await.body["count"], 2);
}
