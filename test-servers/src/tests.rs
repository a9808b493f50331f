//! Against real clusters, each test with its own; without Postgres only what is pure is tested.

use std::{
    env, fs,
    io::{self, BufRead, BufReader},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::yield_now,
    time::{Duration, Instant},
};

use crate::{Options, Postgres, binaries, postgres::parent_folder, process, shared, shared_database, wire};

/// Set in the process that is to be killed.
pub(crate) const VICTIM: &str = "TEST_SERVERS_VICTIM";

/// Waits for a condition; whether it came to be. A second is enough on an idle machine.
pub(crate) fn eventually(holds: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() && Instant::now() < deadline {
        yield_now();
    }
    holds()
}

pub(crate) fn lives(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

/// Runs a test in a process of its own, and kills that as soon as it says what it has started.
pub(crate) fn what_a_victim_starts(test: &str) -> String {
    let mut victim = Command::new(env::current_exe().expect("we run"))
        .args(["--exact", "--nocapture", test])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program runs once more");
    let lines = BufReader::new(victim.stdout.take().expect("it was asked for")).lines().map_while(Result::ok);
    let started = lines.filter_map(|line| line.strip_prefix("STARTED ").map(str::to_owned)).next();
    victim.kill().expect("it is our child");
    victim.wait().expect("it is our child");
    started.expect("it has started a server")
}

/// Runs a statement in the database of a URL that we have made.
fn execute(url: &str, statement: &str) -> io::Result<()> {
    let (port, database) = url.strip_prefix("postgres://postgres@127.0.0.1:").and_then(|rest| rest.split_once('/')).expect("our own URL");
    wire::execute(port.parse().expect("our own port"), database, statement)
}

#[test]
fn a_killed_server_comes_back_with_its_data() {
    let Ok(mut cluster) = Postgres::start(Options { fsync: true, settings: &[("max_connections", "7")], ..Options::default() }) else {
        return;
    };
    let database = cluster.new_database();
    execute(&database, "create table kept ()").expect("the server is up");
    let (port, pid) = (cluster.port(), cluster.pid());

    cluster.signal("KILL");
    cluster.restart();

    assert_eq!(cluster.port(), port);
    assert_ne!(cluster.pid(), pid);
    execute(&database, "select * from kept").expect("the table is kept");
    execute(&database, "do $$ begin assert current_setting('max_connections') = '7'; end $$").expect("so are the settings");
    execute(&database, "do $$ begin assert current_setting('fsync') = 'on'; end $$").expect("so are the settings");
}

#[test]
fn clusters_side_by_side_are_strangers() {
    let (Ok(mut one), Ok(other)) = (Postgres::start(Options::default()), Postgres::start(Options::default())) else { return };
    let (of_one, of_other) = (one.new_database(), other.new_database());

    one.stop();

    execute(&of_other, "select 1").expect("the other one is up");
    assert!(execute(&of_one, "select 1").is_err());
    one.restart();
    execute(&of_one, "select 1").expect("it is up again");
}

#[test]
fn nothing_is_left_of_a_dropped_cluster_even_when_it_is_frozen() {
    let Ok(cluster) = Postgres::start(Options::default()) else { return };
    let (pid, data) = (cluster.pid(), cluster.data_dir());
    assert!(lives(pid) && data.exists());

    cluster.signal("STOP");
    drop(cluster);

    assert!(!lives(pid));
    assert!(!data.parent().expect("the cluster's folder").exists());
}

#[test]
fn nothing_is_left_of_a_cluster_that_was_killed_before_it_is_dropped() {
    let Ok(cluster) = Postgres::start(Options::default()) else { return };
    let data = cluster.data_dir();

    cluster.signal("KILL");
    drop(cluster);

    assert!(!data.parent().expect("the cluster's folder").exists());
}

/// Runs this very test in a process of its own, which says what it has started and is then killed.
#[test]
fn nothing_is_left_when_our_process_is_killed() {
    if binaries::find().is_err() {
        return;
    }
    if env::var_os(VICTIM).is_some() {
        let cluster = Postgres::start(Options::default()).expect("it has been found");
        println!("\nSTARTED {} {}", cluster.pid(), cluster.data_dir().display());
        loop {
            std::thread::park();
        }
    }
    let started = what_a_victim_starts("tests::nothing_is_left_when_our_process_is_killed");
    let (pid, data) = started.split_once(' ').expect("a process and a folder");
    let (pid, folder) = (pid.parse().expect("a process"), Path::new(data).parent().expect("the cluster's folder"));

    assert!(eventually(|| !lives(pid)));
    assert!(eventually(|| !folder.exists()));
}

#[test]
fn each_shared_database_is_empty_and_new() {
    let (Ok(one), Ok(other)) = (shared_database(), shared_database()) else { return };
    assert_ne!(one, other);
}

#[test]
fn a_url_gets_another_database_and_keeps_the_rest() {
    for (server, expected) in [
        ("postgres://me:a%2Fb@db:5432/app?sslmode=disable", "postgres://me:a%2Fb@db:5432/new?sslmode=disable"),
        ("postgres://db", "postgres://db/new"),
        ("postgresql:///app?host=/run/pg", "postgresql:///new?host=/run/pg"),
    ] {
        assert_eq!(shared::with_database(server, "new"), expected);
    }
}

#[test]
fn the_newest_installed_version_is_found_then_the_path() {
    let folder = parent_folder(None).expect("a folder for temporary files").join(process::unique("search"));
    let with_programs = |at: &str| -> PathBuf {
        let bin = folder.join(at);
        fs::create_dir_all(&bin).expect("a folder for temporary files");
        for program in ["initdb", "postgres"] {
            fs::write(bin.join(program), "").expect("a new file");
        }
        bin
    };
    let (_, newest, elsewhere) = (with_programs("pg/9.6/bin"), with_programs("pg/17/bin"), with_programs("elsewhere"));
    fs::create_dir_all(folder.join("pg/18/bin")).expect("a version of which only the folder is left");
    let linked = folder.join("linked");
    fs::create_dir(&linked).expect("a new folder");
    symlink(elsewhere.join("postgres"), linked.join("postgres")).expect("a new link");

    assert_eq!(binaries::search(&folder.join("pg"), linked.as_os_str()), Some(newest));
    assert_eq!(binaries::search(&folder.join("none"), linked.as_os_str()), Some(elsewhere.canonicalize().expect("it exists")));
    assert_eq!(binaries::search(&folder.join("none"), folder.as_os_str()), None);
    if process::root() {
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o700)).expect("our own folder");
        assert_eq!(binaries::search(&folder.join("none"), linked.as_os_str()), None, "the server's user cannot run these");
    }
    fs::remove_dir_all(&folder).expect("our own folder");
}
