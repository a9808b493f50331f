//! How long the slowest answers take, when there is less to do than could be done.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::{
    Crowd,
    likes::{Likers, Pairs},
    pace::{Pace, quantile},
};
use crate::{
    Bench,
    figure::{Aim, Baseline, Figure, Report, median},
    load::CONNECTIONS,
    people::User,
};

/// Of the peak rate.
const SHARE: f64 = 0.7;
/// How long the last answers may take to come: with more left over, the rate was more than could be done.
const LEFT_OVER: Duration = Duration::from_millis(500);

/// `postgres_p99`: of likes at 70 % of the rate that wrk has reached just before, against the median time.
///
/// # Errors
/// A like was refused, or wrote nothing.
pub async fn measure(bench: &Bench, likers: &Likers<'_>, report: &Report) -> anyhow::Result<()> {
    for crowd in Crowd::BOTH {
        let name = crowd.name("postgres_p99");
        let (mut halves, mut slowest) = (vec![], vec![]);
        for run in 1..=bench.runs {
            let rate = SHARE * likers.run(&name, crowd, CONNECTIONS).await?;
            let (half, slow) = at_rate(likers, crowd, rate, bench.seconds).await?;
            eprintln!("{name}, run {run}: {slow:.1} ms at {rate:.0} likes/s, half of them within {half:.1} ms");
            halves.push(half);
            slowest.push(slow);
        }
        let (value, baseline) = (median(slowest), Some(Baseline { value: median(halves), unit: "ms_p50" }));
        report.tell(&Figure { name: &name, value, unit: "ms", baseline, aim: Some(Aim::RatioAtMost(5.0)) });
    }
    Ok(())
}

/// Milliseconds: the median, and what 99 % did not exceed. That is endless where it does not keep up: then all times grow with the run's.
async fn at_rate(likers: &Likers<'_>, crowd: Crowd, rate: f64, seconds: u64) -> anyhow::Result<(f64, f64)> {
    let pairs = likers.pairs(crowd).await?;
    let address = likers.api.client.url.strip_prefix("http://").context("its URL begins with http")?;
    let (before, started) = (likers.api.now().await?, Instant::now());
    let sent = tokio::task::block_in_place(|| Pace { address, rate, seconds }.send(|number| like(&pairs, address, number as usize)));
    let mut took = sent?;
    let kept_up = started.elapsed() < Duration::from_secs(seconds) + LEFT_OVER;
    let written = likers.api.written(before).await?;
    ensure!(written.events >= took.len() as u64, "{} likes were answered, {} events were written", took.len(), written.events);
    let mut ms = |share| quantile(&mut took, share).as_secs_f64() * 1_000.0;
    Ok((ms(0.5), if kept_up { ms(0.99) } else { f64::INFINITY }))
}

/// The same walk over pairs as in lua/likes.lua.
pub fn like(Pairs { users, pizzas }: &Pairs<'_>, host: &str, number: usize) -> String {
    let (user, step) = (number % users.len(), number / users.len());
    let (pizza, round) = ((step + user) % pizzas.len(), step / pizzas.len());
    let User { cookie } = &users[user];
    let body = if round.is_multiple_of(2) { r#"{"reaction":"like"}"# } else { r#"{"reaction":"dislike"}"# };
    format!(
        "PUT {}/reaction HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        pizzas[pizza],
        body.len(),
    )
}
