//! A Postgres that speaks TLS, and whose certificate is not always good.

use std::fs;

use reqwest::StatusCode;
use test_servers::{
    Options, Postgres,
    certificates::{Authority, expired, of},
};

use crate::{
    client::eventually,
    home::{Home, STORES},
    server::Server,
    starting::refused,
};

const HOST: &str = "127.0.0.1";

/// A server that was told to speak TLS, and a file with the authority that it has its certificate of.
struct Place {
    cluster: Postgres,
    authority: Authority,
    folder: tempfile::TempDir,
    url: String,
}

impl Place {
    fn new() -> Option<Self> {
        let mut cluster = Postgres::start(Options { fsync: true, ..Options::default() }).ok()?;
        let (authority, folder) = (Authority::default(), tempfile::tempdir().unwrap());
        for (name, pem) in [("ca.pem", authority.pem()), ("other.pem", Authority::default().pem())] {
            fs::write(folder.path().join(name), pem).unwrap();
        }
        let url = cluster.new_database();
        cluster.shows(&authority.certifies(of(HOST)));
        let rules = "hostnossl all postgres 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 trust\n";
        fs::write(cluster.data_dir().join("pg_hba.conf"), rules).unwrap();
        let settings = cluster.data_dir().join("postgresql.auto.conf");
        fs::write(settings, "ssl = on\n").unwrap();
        cluster.restart();
        Some(Self { cluster, authority, folder, url })
    }

    /// The database, by TLS.
    fn by(&self, host: &str, mode: &str, authority: &str) -> String {
        let place = self.url.replace(HOST, host);
        match authority {
            "" => format!("{place}?sslmode={mode}"),
            file => format!("{place}?sslmode={mode}&sslrootcert={}", self.folder.path().join(file).display()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_spoken_to_by_tls_and_one_that_cannot_be_trusted_is_named_with_its_reason() {
    let Some(place) = Place::new() else { return };
    let home = Home::in_database(&place.by(HOST, "verify-full", "ca.pem"));
    let mut server = Server::start_in(&home);
    let luigi = server.user("luigi").await;
    let pool = sqlx::PgPool::connect(&place.url).await.unwrap();
    let open =
        "select count(*) from pg_stat_activity a left join pg_stat_ssl s on a.pid = s.pid where application_name = 'tizza' and not s.ssl";
    assert_eq!(sqlx::query_scalar::<_, i64>(open).fetch_one(&pool).await.unwrap(), 0);

    // While we run the certificate gets too old, and all connections end.
    exchange(&place, expired(HOST), &pool).await;
    let away = async |path: &str| (server.client().get(path).await.status == StatusCode::SERVICE_UNAVAILABLE).then_some(());
    eventually("clients are told to come again", async || away("/api/v1/pizzas").await).await;
    eventually("and operators", async || away(&format!("{}/readyz", server.admin_url)).await).await;
    eventually("the log says why", async || {
        away("/api/v1/pizzas").await?;
        let told = server.logged().iter().any(|line| line.to_string().contains("invalid peer certificate: certificate expired"));
        told.then_some(())
    })
    .await;

    let start = |url: &str| {
        let mut command = Home::in_database(url).tizza();
        command.env("CONNECT_TIMEOUT", "3600");
        refused(command)
    };
    let shown = place.url.clone();
    let refusal = format!("error: LOG_URL: {shown} cannot be reached by TLS as its sslmode asks for: ");
    let old = start(&place.by(HOST, "verify-full", "ca.pem"));
    assert!(old.starts_with(&refusal) && old.contains("certificate expired"), "{old}");

    // A new one is taken without a start.
    exchange(&place, of(HOST), &pool).await;
    eventually("it is let in again", async || {
        let ready = server.client().get(&format!("{}/readyz", server.admin_url)).await;
        (ready.status == StatusCode::OK).then_some(())
    })
    .await;
    luigi.opens_pizzeria().await;
    assert!(start(&place.by(HOST, "verify-full", "other.pem")).contains("UnknownIssuer"));
    let nowhere = start(&place.by(HOST, "verify-full", "nowhere.pem"));
    assert!(nowhere.contains("sslrootcert: ") && nowhere.contains("nowhere.pem cannot be read"), "{nowhere}");
    exchange(&place, of("db.example"), &pool).await;
    let another = start(&place.by(HOST, "verify-full", "ca.pem"));
    assert!(another.contains("not valid for name"), "{another}");
    server.signal("TERM");
    assert!(server.ended().success());
    drop(Server::start_in(&home.moved(&place.by(HOST, "verify-ca", "ca.pem"))));
    drop(Server::start_in(&home.moved(&place.by(HOST, "require", ""))));
    pool.close().await;
    a_server_without_tls_is_refused(&home, place);
}

fn a_server_without_tls_is_refused(home: &Home, mut place: Place) {
    fs::write(place.cluster.data_dir().join("postgresql.auto.conf"), "ssl = off\n").unwrap();
    fs::write(place.cluster.data_dir().join("pg_hba.conf"), "host all all 127.0.0.1/32 trust\n").unwrap();
    place.cluster.restart();
    for (setting, ..) in STORES {
        let mut command = home.moved(&place.url).tizza();
        command.env("CONNECT_TIMEOUT", "3600").env(setting, place.by(HOST, "require", ""));
        let told = refused(command);
        assert!(told.starts_with(&format!("error: {setting}: ")) && told.contains("server does not support TLS"), "{told}");
    }
}

/// The server shows another certificate from now on, and ends all sessions but this one.
async fn exchange(place: &Place, wanted: test_servers::certificates::Wanted<'_>, pool: &sqlx::PgPool) {
    place.cluster.shows(&place.authority.certifies(wanted));
    place.cluster.signal("HUP");
    sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tizza'").execute(pool).await.unwrap();
}
