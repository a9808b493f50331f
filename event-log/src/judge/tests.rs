//! A plan is what a batch means.

use proptest::prelude::*;

use super::*;
use crate::{Actor, CommandKey, LinkChange, Metadata, NewEvent};

/// What a plan leaves in the database.
fn apply(facts: &mut Facts, batch: &[Append], plan: Plan) {
    let place = |planned: &Planned| {
        let wish = &batch[planned.wish];
        ((wish.stream_id, planned.version), (wish.events[planned.event].event_id, planned.position))
    };
    facts.places.extend(plan.events.iter().map(place));
    facts.heads.extend(plan.heads);
    facts.streams.extend(plan.streams);
    facts.keys.extend(plan.keys);
    for (claim, holder) in plan.claims {
        match holder {
            Some(holder) => facts.claims.insert(claim, holder),
            None => facts.claims.remove(&claim),
        };
    }
    for ((kind, key, stream_id), present) in plan.links {
        facts.links.entry((kind, key)).or_default().change(stream_id, present);
    }
}

prop_compose! {
    fn wish()(stream in 0..4u128, expected in 0..4i64, events in 1..3usize, read in prop::option::of((0..4u128, 0..4i64)),
              claim in prop::option::of((0..3u8, any::<bool>())), at_most in prop::option::of(0..3i64), command in prop::option::of((0..6u8, 0..2u8))) -> Append {
        let stream_id = Uuid::from_u128(stream);
        let key = Uuid::from_u128(9);
        let version = read.map(|(s, version)| Read::Version { stream_id: Uuid::from_u128(s), version });
        Append {
            stream_id,
            kind: "thing",
            partition: Partition::of(stream_id),
            expected,
            after: None,
            events: (0..events).map(|_| NewEvent { event_id: Uuid::now_v7(), event_type: "Happened", schema_version: 1, payload: "{}".into() }).collect(),
            metadata: Metadata { actor: Actor::Anonymous, subject_id: None, correlation_id: String::new(), causation_id: None , traceparent: None },
            reads: version.into_iter().chain(at_most.map(|links| Read::AtMost { kind: "k", key, links })).collect(),
            claims: claim.map(|(c, take)| if take { ClaimChange::Take(Claim([c; 32])) } else { ClaimChange::GiveBack(Claim([c; 32])) }).into_iter().collect(),
            links: if expected == 0 { vec![LinkChange { kind: "k", key, present: true }] } else { vec![] },
            key: command.map(|(k, body)| CommandKey { key: Key([k; 32]), fingerprint: Key([body; 32]), kept_for: None }),
        }
    }
}

proptest! {
    /// A batch means the same as its members one by one, however it is cut.
    #[test]
    fn how_wishes_are_batched_changes_nothing(wishes in prop::collection::vec(wish(), 1..40), size in 1..40usize) {
        let now = DateTime::UNIX_EPOCH;
        let mut start = Facts::default();
        start.links.insert(("k", Uuid::from_u128(9)), Linked::default());
        let in_batches_of = |size: usize| {
            let mut facts = start.clone();
            let outcomes: Vec<Outcome> = wishes.chunks(size).flat_map(|batch| {
                let (outcomes, plan) = judge(batch, facts.clone(), now);
                apply(&mut facts, batch, plan);
                outcomes
            }).collect();
            (outcomes, facts.heads, facts.claims.into_iter().collect::<BTreeMap<_, _>>())
        };
        prop_assert_eq!(in_batches_of(1), in_batches_of(size));
    }
}

#[test]
fn times_never_decrease_when_the_clock_does() {
    let later = DateTime::from_timestamp(1_000, 0).unwrap();
    let mut facts = Facts::default();
    facts.heads.insert(Partition::of(Uuid::nil()), Head { position: 5, recorded_at: later });
    let wish = Append {
        stream_id: Uuid::nil(),
        kind: "thing",
        partition: Partition::of(Uuid::nil()),
        expected: 0,
        after: None,
        events: vec![NewEvent { event_id: Uuid::nil(), event_type: "Happened", schema_version: 1, payload: "{}".into() }],
        metadata: Metadata {
            actor: Actor::Anonymous,
            subject_id: None,
            correlation_id: String::new(),
            causation_id: None,
            traceparent: None,
        },
        reads: vec![],
        claims: vec![],
        links: vec![],
        key: None,
    };
    let (_, plan) = judge(&[wish], facts, DateTime::UNIX_EPOCH);
    assert_eq!((plan.events[0].position, plan.events[0].recorded_at), (6, later));
}
