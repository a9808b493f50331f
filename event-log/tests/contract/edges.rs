//! What must not be stored is refused before it waits for anything.

use event_log::{Append, AppendError, LinkChange, MAX_PAYLOAD, NewEvent, Outcome};
use uuid::Uuid;

use crate::place::{Place, accepted, append, event, on_both};

on_both! {
    what_is_too_large_is_refused,
    nul_is_refused_wherever_it_could_get_into_a_column,
    nul_in_what_a_client_sends_along_is_kept,
    nothing_to_append_and_nothing_to_remember_is_refused,
}

fn with(payload: String) -> Append {
    Append { events: vec![event(&payload)], ..append(1, 0) }
}

async fn what_is_too_large_is_refused(place: Place) {
    let log = place.log().await;
    let refused = log.append(with("x".repeat(MAX_PAYLOAD + 1))).await;
    assert!(matches!(refused, Err(AppendError::TooLarge { bytes, .. }) if bytes == MAX_PAYLOAD + 1));
    let second = Append { events: vec![event("{}"), event(&"x".repeat(MAX_PAYLOAD + 1))], ..append(1, 0) };
    assert!(matches!(log.append(second).await, Err(AppendError::TooLarge { .. })));
    let largest = "x".repeat(MAX_PAYLOAD);
    assert!(accepted(&log.append(with(largest.clone())).await.unwrap()));
    let stored = place.stored().await;
    assert_eq!(stored.events.len(), 1);
    assert!(stored.events[0].payload == largest);
}

async fn nul_is_refused_wherever_it_could_get_into_a_column(place: Place) {
    let log = place.log().await;
    let of_type = NewEvent { event_type: "a\0b", ..event("{}") };
    let wishes = [
        with("a\0b".into()),
        Append { events: vec![event("{}"), of_type], ..append(1, 0) },
        Append { kind: "a\0b", ..append(1, 0) },
        Append { links: vec![LinkChange { kind: "a\0b", key: Uuid::nil(), present: true }], ..append(1, 0) },
    ];
    for wish in wishes {
        let answer = log.append(wish).await;
        assert!(matches!(answer, Err(AppendError::Nul { .. })), "{answer:?}");
    }
    assert_eq!(place.stored().await.events, []);
}

/// It travels as JSON, in which NUL is six other characters.
async fn nul_in_what_a_client_sends_along_is_kept(place: Place) {
    let log = place.log().await;
    let mut wish = append(1, 0);
    wish.metadata.correlation_id = "a\0b".into();
    assert_eq!(log.append(wish.clone()).await.unwrap(), Outcome::Appended { version: 1, position: 1 });
    assert_eq!(log.stream(wish.stream_id, 0).await.unwrap()[0].metadata, wish.metadata);
    assert_eq!(place.sql().await.texts("select cast(metadata as text) from events").await.len(), 1);
}

async fn nothing_to_append_and_nothing_to_remember_is_refused(place: Place) {
    let log = place.log().await;
    assert!(matches!(log.append(Append { events: vec![], ..append(1, 0) }).await, Err(AppendError::Empty)));
    let stored = place.stored().await;
    assert!(stored.streams.is_empty() && stored.keys.is_empty());
}
