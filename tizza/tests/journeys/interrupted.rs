//! A rebuild whose operator, or whose Tizza, stops in the middle.

use database::StoreUrl;

use crate::{
    home::Home,
    operations::{likes, projections, refused, told},
    process::Process,
    server::{Server, eventually},
};

/// Nobody can make tables as long as this lives, so that a rebuild stands where it is.
async fn nobody_makes_tables(home: &Home) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let StoreUrl::Postgres(url) = home.url("READ_URL") else { unreachable!("it is on Postgres") };
    let mut holder = sqlx::PgPool::connect(&url).await.unwrap().begin().await.unwrap();
    sqlx::query("lock table tizza_read.generations in share row exclusive mode").execute(&mut *holder).await.unwrap();
    holder
}

/// A rebuild that stands where it is.
async fn standing_rebuild(home: &Home) -> Process {
    let mut command = home.tizza();
    command.args(["rebuild", "pizzas"]);
    let rebuild = Process::spawn(command);
    eventually("it is asked for", async || (projections(home)[2]["job"]["state"] == "running").then_some(())).await;
    rebuild
}

#[tokio::test]
async fn ctrl_c_pauses_a_rebuild_and_the_same_command_goes_on() {
    let Some(home) = Home::in_postgres() else { return };
    let server = Server::start_in(&home);
    likes(&server).await;
    let holder = nobody_makes_tables(&home).await;
    let mut rebuild = standing_rebuild(&home).await;
    let second = refused(&home, &["rebuild", "pizzas"]);
    assert!(second.contains("pizzas has a job that is not over: rebuild: ") && second.contains("since"), "{second}");
    rebuild.signal("INT");
    assert_eq!(rebuild.ended().code(), Some(1));
    let (_, said) = rebuild.told();
    assert!(said.contains("pizzas is paused: the same again goes on, --abort drops it"), "{said}");

    holder.rollback().await.unwrap();
    assert!(told(&home, &["rebuild", "pizzas"]).contains("is rebuilt and swapped in"));
}

/// With another port and another token.
#[tokio::test]
async fn a_rebuild_is_watched_on_when_its_tizza_is_killed_and_started_again() {
    let Some(home) = Home::in_postgres() else { return };
    let mut server = Server::start_in(&home);
    likes(&server).await;
    let holder = nobody_makes_tables(&home).await;
    let mut rebuild = standing_rebuild(&home).await;
    server.signal("KILL");
    server.ended();
    holder.rollback().await.unwrap();
    let _server = Server::start_in(&home);
    assert_eq!(rebuild.ended().code(), Some(0), "{:?}", rebuild.told());
    assert!(rebuild.told().0.contains("pizzas is rebuilt and swapped in"), "{:?}", rebuild.told());
}
