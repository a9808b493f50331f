//! All that followed from one request.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use clap::Args;
use event_log::{Actor, Epochs, Recorded};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    envelope::{as_json, as_text, by},
    opened::{Look, Opened},
};

/// Which request, and how.
#[derive(Args, Debug)]
pub struct Trace {
    /// The correlation id: the request's X-Request-Id, unless the client chose another one
    correlation_id: String,
    #[command(flatten)]
    look: Look,
}

impl Trace {
    /// Prints it.
    pub async fn run(self) -> anyhow::Result<()> {
        self.look.with(async |opened| self.print(opened).await).await
    }

    async fn print(&self, opened: &Opened) -> anyhow::Result<()> {
        let id = &self.correlation_id;
        let events = opened.shown(opened.log.correlated(id).await?).await?;
        anyhow::ensure!(!events.is_empty(), "the log has no event with the correlation id {id}");
        let (commands, mut out) = (tree(&events), std::io::stdout().lock());
        if self.look.json {
            let commands = commands.iter().map(|command| command.as_json(&opened.epochs)).collect::<Result<Vec<_>, _>>()?;
            writeln!(out, "{}", json!({ "correlation_id": id, "commands": commands }))?;
        } else {
            writeln!(out, "{id}")?;
            draw(&mut out, &commands, "")?;
        }
        Ok(())
    }
}

/// What one command did to one stream.
struct Command<'a> {
    actor: &'a Actor,
    stream_id: Uuid,
    /// Each with what policies made of it.
    events: Vec<(&'a Recorded, Vec<Command<'a>>)>,
}

/// The commands of which no cause is among the events, with all that followed. An event is there once, whatever it says of its cause.
fn tree(events: &[Recorded]) -> Vec<Command<'_>> {
    let known: BTreeSet<Uuid> = events.iter().map(|event| event.event_id).collect();
    let cause = |event: &Recorded| event.metadata.causation_id.filter(|cause| known.contains(cause) && *cause != event.event_id);
    let mut left: Vec<(&Recorded, Option<Uuid>)> = events.iter().map(|event| (event, cause(event))).collect();
    let mut commands = caused_by(None, &mut left);
    // What is caused in a circle has no beginning.
    while let Some((_, cause)) = left.first().copied() {
        commands.extend(caused_by(cause, &mut left));
    }
    commands
}

fn caused_by<'a>(cause: Option<Uuid>, left: &mut Vec<(&'a Recorded, Option<Uuid>)>) -> Vec<Command<'a>> {
    let mut commands = Vec::<Command<'_>>::new();
    for (event, _) in left.extract_if(.., |(_, caused_by)| *caused_by == cause).collect::<Vec<_>>() {
        let (actor, stream_id) = (&event.metadata.actor, event.stream_id);
        let same = commands.iter_mut().find(|command| command.stream_id == stream_id && command.actor == actor);
        match same {
            Some(command) => command.events.push((event, vec![])),
            None => commands.push(Command { actor, stream_id, events: vec![(event, vec![])] }),
        }
    }
    for (event, followed) in commands.iter_mut().flat_map(|command| &mut command.events) {
        *followed = caused_by(Some(event.event_id), left);
    }
    commands
}

impl Command<'_> {
    fn as_json(&self, epochs: &Epochs) -> anyhow::Result<Value> {
        let event = |(event, followed): &(&Recorded, Vec<Command<'_>>)| {
            let mut shown = as_json(event, epochs)?;
            shown["commands"] = followed.iter().map(|command| command.as_json(epochs)).collect::<Result<Vec<_>, _>>()?.into();
            anyhow::Ok(shown)
        };
        let events = self.events.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({ "actor": self.actor, "stream_id": self.stream_id, "events": events }))
    }
}

fn draw(out: &mut impl Write, commands: &[Command<'_>], indent: &str) -> io::Result<()> {
    for (number, Command { actor, stream_id, events }) in commands.iter().enumerate() {
        let (branch, below) = branches(number + 1 == commands.len(), indent);
        writeln!(out, "{branch}{} → {stream_id}", by(actor))?;
        for (number, (event, followed)) in events.iter().enumerate() {
            let (branch, below) = branches(number + 1 == events.len(), &below);
            writeln!(out, "{branch}{}", as_text(event).trim_start())?;
            draw(out, followed, &below)?;
        }
    }
    Ok(())
}

/// How a line begins, and those below it.
fn branches(last: bool, indent: &str) -> (String, String) {
    if last { (format!("{indent}└─ "), format!("{indent}   ")) } else { (format!("{indent}├─ "), format!("{indent}│  ")) }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use event_log::{Metadata, Partition};

    use super::*;

    fn event(id: u128, stream: u128, cause: Option<u128>) -> Recorded {
        let actor = cause.map_or(Actor::Anonymous, |cause| Actor::System(format!("policy of {cause}")));
        let causation_id = cause.map(Uuid::from_u128);
        Recorded {
            partition: Partition::new(3).unwrap(),
            position: id as i64,
            event_id: Uuid::from_u128(id),
            stream_id: Uuid::from_u128(stream),
            version: 1,
            event_type: "Some".into(),
            schema_version: 1,
            payload: "{}".into(),
            metadata: Metadata { actor, subject_id: None, correlation_id: "c".into(), causation_id, traceparent: None },
            recorded_at: DateTime::UNIX_EPOCH,
        }
    }

    /// Commands in brackets, what followed from an event in parentheses.
    fn shape(commands: &[Command<'_>]) -> String {
        let event = |(event, followed): &(&Recorded, Vec<Command<'_>>)| match followed.is_empty() {
            true => event.position.to_string(),
            false => format!("{}({})", event.position, shape(followed)),
        };
        let command = |command: &Command<'_>| format!("[{}]", command.events.iter().map(event).collect::<Vec<_>>().join(" "));
        commands.iter().map(command).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_followed_hangs_below_what_it_followed_from() {
        let events =
            [event(1, 1, None), event(2, 1, None), event(3, 2, Some(2)), event(4, 3, Some(2)), event(5, 4, Some(3)), event(6, 9, None)];
        assert_eq!(shape(&tree(&events)), "[1 2([3([5])] [4])] [6]");
    }

    #[test]
    fn every_event_is_there_once_whatever_it_says_of_its_cause() {
        assert_eq!(shape(&tree(&[event(1, 1, Some(99))])), "[1]", "the cause is not there");
        assert_eq!(shape(&tree(&[event(1, 1, Some(1))])), "[1]", "it is its own");
        assert_eq!(shape(&tree(&[event(1, 1, Some(2)), event(2, 2, Some(1))])), "[1([2])]", "a circle");
    }
}
