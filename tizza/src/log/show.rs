//! One stream.

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
        let opened = self.look.open().await?;
        let printed = self.print(&opened).await;
        opened.close().await;
        printed
    }

    async fn print(&self, opened: &Opened) -> anyhow::Result<()> {
        let events = opened.shown(opened.log.stream(self.stream).await?).await?;
        anyhow::ensure!(!events.is_empty(), "the log has no stream {}", self.stream);
        for event in &events {
            if self.look.json { println!("{}", as_json(event, &opened.epochs)?) } else { println!("{}", as_text(event)) }
        }
        Ok(())
    }
}
