//! One stream.

use std::io::Write;

use clap::Args;
use uuid::Uuid;

use super::{
    envelope::{as_json, as_text},
    opened::{Look, Opened},
};

/// Which stream, and how.
#[derive(Args, Debug)]
pub struct Show {
    /// The stream's id: that of the user, pizzeria, pizza or like
    stream: Uuid,
    #[command(flatten)]
    look: Look,
}

impl Show {
    /// Prints it.
    pub async fn run(self) -> anyhow::Result<()> {
        self.look.with(async |opened| self.print(opened).await).await
    }

    async fn print(&self, opened: &Opened) -> anyhow::Result<()> {
        let events = opened.shown(opened.log.stream(self.stream).await?).await?;
        anyhow::ensure!(!events.is_empty(), "the log has no stream {}", self.stream);
        let mut out = std::io::stdout().lock();
        for event in &events {
            if self.look.json { writeln!(out, "{}", as_json(event, &opened.epochs)?)? } else { writeln!(out, "{}", as_text(event))? }
        }
        Ok(())
    }
}
