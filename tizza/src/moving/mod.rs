//! Moving the command side to another database: from SQLite to Postgres, when it has grown up, or back. Positions, epochs, names and sessions
//! stay what they are, so that tokens and cookies stay valid. Each step can be done again: a move that was interrupted goes on.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `places` | where the stores are, and where they go |
//! | `store` | one store, on its way |

mod places;
mod store;

use anyhow::{Context, ensure};
use clap::Args;
use database::Presence;
use event_log::{ClaimKey, KEYS, KeyStore, Keys, LOG, LogStore};
use service_kit::{
    config::or_close,
    identity::IDENTITY,
    secrets::{Key, Secrets},
    telemetry,
};

use self::{
    places::{Pair, Places},
    store::Moving,
};
use crate::{log::verify, progress};

/// What is moved.
#[derive(Args, Debug)]
pub struct Config {
    #[command(flatten)]
    places: Places,
    /// Give up a move that is not finished: commands may be taken again where they were
    #[arg(long)]
    abandon: bool,
}

/// The server's own keys, which stay where they are.
struct Ring {
    claim_key: ClaimKey,
    key_encryption_keys: Vec<Key>,
}

/// The command side, open on both sides.
struct All {
    log: Moving,
    keys: Moving,
    identity: Moving,
}

impl Config {
    /// Moves it, or gives it up.
    pub async fn run(self) -> anyhow::Result<()> {
        telemetry::on_stderr();
        if self.abandon { self.abandon().await } else { self.go().await }
    }

    /// Nothing is made where it goes before it is known that it may go.
    async fn go(&self) -> anyhow::Result<()> {
        let [log, keys, identity] = [self.places.log()?, self.places.keys()?, self.places.identity()?];
        for pair in [&log, &keys, &identity] {
            ensure!(!pair.from.is_missing(), pair.from.wrong("there is no store"));
        }
        let secrets = Secrets::new(&self.places.data_dir, false);
        let ring = Ring { claim_key: ClaimKey::new(secrets.claim_key()?), key_encryption_keys: secrets.key_encryption_keys()? };
        let source = log.from.open(LogStore::open).await?;
        let alone = or_close(alone(&source, &log).await, source.close()).await?;
        source.close().await;
        let log = Moving::open(log, &LOG).await?;
        let keys = or_close(Moving::open(keys, &KEYS).await, log.close()).await?;
        let identity = or_close(Moving::open(identity, &IDENTITY).await, async { tokio::join!(log.close(), keys.close()) }).await?;
        let all = All { log, keys, identity };
        let moved = all.move_with(&ring).await;
        all.close().await;
        drop(alone);
        moved
    }

    async fn abandon(&self) -> anyhow::Result<()> {
        let place = self.places.log()?.from;
        ensure!(!place.is_missing(), "there is no log at {}", place.url);
        let log = place.open(LogStore::open).await?;
        let abandoned = async {
            let alone = log.alone().await?.context("the move is still at work")?;
            let moved = log.moved().await?.context("it is not being moved")?;
            ensure!(!moved.finished, "it was moved to {}, all of it: move it back from there", moved.target);
            log.abandon_move().await?;
            drop(alone);
            eprintln!("{} takes commands again. Nothing may use what was copied to {} so far: delete it", place.url, moved.target);
            Ok(())
        };
        or_close(abandoned.await, log.close()).await
    }
}

/// Holds off who would append, until it is dropped; refused where somebody does, and where the log is elsewhere.
async fn alone(source: &LogStore, Pair { from, to }: &Pair) -> anyhow::Result<Presence> {
    let writing = || format!("{} is being written to: stop what does, or restart it with READ_ONLY=true", from.url);
    let alone = source.alone().await?.with_context(writing)?;
    if let Some(moved) = source.moved().await? {
        ensure!(moved.target == to.url.to_string(), "{} was moved to {}, or is on its way there", from.url, moved.target);
    }
    Ok(alone)
}

impl All {
    async fn move_with(&self, ring: &Ring) -> anyhow::Result<()> {
        let (source, target) = (&self.log.source.url, &self.log.target.url);
        let log = LogStore::of(self.log.from.clone());
        let _alone_there = self.log.to.alone().await?.with_context(|| format!("{target} is in use"))?;
        self.check(&log, ring).await?;
        let moved = log.moved().await?;
        if !moved.as_ref().is_some_and(|moved| moved.finished) {
            for store in self.each() {
                store.is_begun().await?;
            }
            for store in self.each() {
                store.begin().await?;
            }
            if moved.is_none() {
                log.begin_move(&target.to_string()).await?;
            }
            self.copy().await?;
            self.verify(ring).await?;
            log.end_move().await?;
        }
        // The log last: whoever needs all of them waits for it.
        for store in [&self.identity, &self.keys, &self.log] {
            store.end().await?;
        }
        eprintln!("moved from {source} to {target}. Use it there with the same secrets and the same ERASURES_FILE;");
        eprintln!("what is left at {source} takes no commands any more, and holds keys that are no longer erased there: delete it in time");
        Ok(())
    }

    fn each(&self) -> [&Moving; 3] {
        [&self.log, &self.keys, &self.identity]
    }

    /// Whether these secrets are those of the stores.
    async fn check(&self, log: &LogStore, ring: &Ring) -> anyhow::Result<()> {
        ensure!(log.knows(&ring.claim_key).await?, "CLAIM_KEY: the log was written with another key; bring that one back");
        let keys = Keys::new(KeyStore::of(self.keys.from.clone()), &ring.key_encryption_keys);
        Ok(keys.check(log.is_empty().await?).await.map_err(|error| self.keys.source.wrong(error))?)
    }

    async fn copy(&self) -> anyhow::Result<()> {
        let (mut rows, mut there) = (0, 0);
        for store in self.each() {
            let (length, copied) = store.lengths().await?;
            rows += length;
            there += copied;
        }
        eprintln!("copying {rows} rows{}", if there > 0 { format!(", of which {there} are there already") } else { String::new() });
        let bar = progress::bar(rows, "rows");
        bar.set_position(there);
        bar.reset_eta();
        for store in self.each() {
            store.copy(&bar).await?;
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Everything is as it was, and the log as it must be: the same as `tizza log verify`, where it is now.
    async fn verify(&self, ring: &Ring) -> anyhow::Result<()> {
        eprintln!("comparing and verifying them");
        let log = LogStore::of(self.log.to.clone());
        let keys = Keys::new(KeyStore::of(self.keys.to.clone()), &ring.key_encryption_keys);
        let (mut rows, events) = (0, log.length().await?);
        for store in self.each() {
            rows += store.lengths().await?.0;
        }
        let bar = progress::bar(rows + events, "rows");
        let verifying = tokio::spawn({
            let (bar, claim_key) = (bar.clone(), ring.claim_key.clone());
            async move { verify::look(&log, &keys, claim_key, &bar).await }
        });
        for store in self.each() {
            store.compare(&bar).await?;
        }
        let verified = verifying.await??;
        bar.finish_and_clear();
        verify::print(&verified, None, false)
    }

    async fn close(&self) {
        for store in self.each() {
            store.close().await;
        }
    }
}
