//! What few batches have: names, links and command keys. It travels as JSON, bytes as the database writes them.

use serde::Serialize;

use super::*;
use crate::{command_key::Key, judge::Facts, store::facts::hex};

/// What must be there, and what is to be written.
#[derive(Debug, Serialize)]
pub struct Rare<'a> {
    held: Vec<Claimed>,
    most: Vec<Most>,
    freed: Vec<Claimed>,
    taken: Vec<Claimed>,
    links: Vec<Link<'a>>,
    keys: Vec<Remember<'a>>,
}

#[derive(Debug, Serialize)]
struct Claimed {
    claim: String,
    stream_id: Option<Uuid>,
}

#[derive(Debug, Serialize)]
struct Most {
    kind: &'static str,
    key: Uuid,
    links: i64,
}

#[derive(Debug, Serialize)]
struct Link<'a> {
    kind: &'a str,
    key: &'a Uuid,
    stream_id: &'a Uuid,
    present: bool,
}

#[derive(Debug, Serialize)]
struct Remember<'a> {
    command_key: String,
    fingerprint: String,
    stream_id: &'a Uuid,
    head: i32,
    expected: Version,
    version: Version,
    place: i64,
    expires_at: Option<i64>,
}

impl<'a> Rare<'a> {
    /// `None` where there is nothing of the kind. `place`: a position as a head and an offset from it.
    pub fn new(plan: &'a Plan, assumed: Option<&Facts>, place: impl Fn(Partition, Position) -> (i32, i64)) -> Option<Self> {
        let most = assumed.map(|facts| facts.links.iter().map(|((kind, key), most)| Most { kind, key: *key, links: most.count }).collect());
        let most: Vec<Most> = most.unwrap_or_default();
        if plan.claims.is_empty() && plan.links.is_empty() && plan.keys.is_empty() && most.is_empty() {
            return None;
        }
        // Also a name that is taken and given back, of which nothing is written: it must have been free.
        let held = |facts: &Facts| plan.claims.keys().map(|claim| claimed(claim, facts.claims.get(claim).copied())).collect();
        let taken = plan.claims.iter().filter_map(|(claim, holder)| Some(claimed(claim, Some((*holder)?))));
        let link =
            |((kind, key, stream_id), present): (&'a (&'static str, Uuid, Uuid), &bool)| Link { kind, key, stream_id, present: *present };
        let key = |(key, row): (&'a Key, &'a judge::KeyRow)| {
            let told = &row.remembered;
            let (head, place) = place(told.partition, told.position);
            Remember {
                command_key: bytes(&key.0),
                fingerprint: bytes(&row.fingerprint.0),
                stream_id: &told.stream_id,
                head,
                expected: told.expected,
                version: told.version,
                place,
                expires_at: row.expires_at,
            }
        };
        Some(Self {
            held: assumed.map(held).unwrap_or_default(),
            most,
            freed: plan.freed.iter().map(|claim| claimed(claim, None)).collect(),
            taken: taken.collect(),
            links: plan.links.iter().map(link).collect(),
            keys: plan.keys.iter().map(key).collect(),
        })
    }
}

fn claimed(claim: &Claim, stream_id: Option<Uuid>) -> Claimed {
    Claimed { claim: bytes(&claim.0), stream_id }
}

fn bytes(bytes: &[u8]) -> String {
    format!("\\x{}", hex(bytes))
}
