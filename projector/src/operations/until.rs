//! A moment of the past, as a position for each partition.

use chrono::{DateTime, TimeDelta, Utc};
use event_log::{EventLog, Heads, Partition, Position};
use service_kit::token::ConsistencyToken;

use super::OperationError;

fn invalid(rule: impl Into<String>) -> OperationError {
    OperationError::invalid("until", rule)
}

/// Where the log was: at a time (RFC 3339), or when it included consistency tokens.
///
/// # Errors
/// It is neither, in the future, or before the first event; a token is ahead of the log, or of another epoch.
pub async fn until(log: &EventLog, text: &str) -> Result<Heads, OperationError> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text.trim()) {
        return at(log, time.to_utc()).await;
    }
    let parse = |part: &str| part.trim().parse::<ConsistencyToken>();
    let tokens: Vec<_> = text.split(',').map(parse).collect::<Result<_, _>>().map_err(|()| {
        invalid("must be a time (RFC 3339, e.g. 2026-11-21T18:00:00Z) or consistency tokens (<epoch>.<partition>.<position>) with commas")
    })?;
    including(log, &tokens).await
}

async fn at(log: &EventLog, time: DateTime<Utc>) -> Result<Heads, OperationError> {
    if time > Utc::now() {
        return Err(invalid("is in the future"));
    }
    let heads = through(log, time).await?;
    if heads == Heads::default() { Err(invalid("is before the first event")) } else { Ok(heads) }
}

/// The last position of each partition at a time: times have microseconds.
async fn through(log: &EventLog, time: DateTime<Utc>) -> Result<Heads, sqlx::Error> {
    log.before(time + TimeDelta::microseconds(1)).await
}

/// Partitions that no token names go as far as the latest event that one names.
async fn including(log: &EventLog, tokens: &[ConsistencyToken]) -> Result<Heads, OperationError> {
    let (heads, mut named) = (log.all_heads().await?, Vec::<(Partition, Position)>::new());
    for token in tokens {
        if token.epoch != log.epochs().current() {
            return Err(OperationError::EpochChanged);
        }
        let partition = Partition::new(token.partition).ok_or_else(|| invalid(format!("{token}: there is no such partition")))?;
        let head = heads[partition.index()];
        if token.position > head {
            return Err(invalid(format!("{token} is ahead of the log, which ends at {head} there")));
        }
        named.push((partition, token.position));
    }
    let times = log.recorded_at(&named).await?;
    let latest = times.values().max().ok_or_else(|| invalid("is before the first event"))?;
    let mut until = through(log, *latest).await?;
    named.sort_unstable();
    named.into_iter().for_each(|(partition, position)| until[partition.index()] = position);
    Ok(until)
}
