//! What a policy's worker asks of the world.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use chrono::Utc;
use event_log::{
    Actor, Heads, Partition, Position, Recorded,
    trace::{Span, SpanKind},
};
use events::Event;
use service_kit::Problem;
use tokio::sync::watch;
use uuid::Uuid;

use super::Policy;
use crate::{
    App,
    origin::{Condition, Origin, Repeat},
};

/// What a worker asks of the world; in a simulation it is played, and the clock with it.
pub trait Desk: Send + Sync {
    /// See [`Policy::NAME`].
    const NAME: &'static str;

    /// This process's own clock.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// The last position of each partition.
    fn heads(&self) -> watch::Receiver<Heads>;

    /// At most `limit` events of the types that concern the policy, after a position and up to another.
    fn read(
        &self,
        partition: Partition,
        after: Position,
        to: Position,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Recorded>, sqlx::Error>> + Send;

    /// Up to where a partition is seen through.
    fn position(&self, partition: Partition) -> impl Future<Output = Result<Position, sqlx::Error>> + Send;

    /// It is seen through up to there.
    fn done(&self, partition: Partition, position: Position) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Takes or renews a lease; whether it is ours.
    fn lease(&self, name: &str, owner: Uuid, ttl: Duration) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Gives a lease back.
    fn release(&self, name: String, owner: Uuid) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Does what is to be done about an event.
    fn react(&self, event: &Recorded) -> impl Future<Output = Result<(), Problem>> + Send;

    /// Puts an event aside, and why.
    fn park(&self, event: &Recorded, why: &str) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

/// A policy over the stores of this service.
pub(super) struct Acting<P> {
    pub app: App,
    pub policy: P,
}

impl<P: Policy> Desk for Acting<P> {
    const NAME: &'static str = P::NAME;

    fn heads(&self) -> watch::Receiver<Heads> {
        self.app.log.heads()
    }

    async fn read(&self, partition: Partition, after: Position, to: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
        self.app.log.read_types(partition, after, to, P::TYPES, limit).await
    }

    async fn position(&self, partition: Partition) -> Result<Position, sqlx::Error> {
        self.app.log.policy_position(P::NAME, partition).await
    }

    async fn done(&self, partition: Partition, position: Position) -> Result<(), sqlx::Error> {
        self.app.log.policy_done(P::NAME, partition, position).await
    }

    async fn lease(&self, name: &str, owner: Uuid, ttl: Duration) -> Result<bool, sqlx::Error> {
        Ok(self.app.log.lease(name, owner, ttl).await?.is_some())
    }

    async fn release(&self, name: String, owner: Uuid) -> Result<(), sqlx::Error> {
        self.app.log.release(&[name], owner).await
    }

    async fn park(&self, event: &Recorded, why: &str) -> Result<(), sqlx::Error> {
        self.app.log.policy_park(P::NAME, event, why, Utc::now()).await
    }

    async fn react(&self, recorded: &Recorded) -> Result<(), Problem> {
        let event = match Event::decode(&recorded.event_type, recorded.schema_version, &recorded.payload) {
            Ok(event) => event,
            Err(error @ events::DecodeError::Newer { .. }) => return Err(Problem::unavailable(error)),
            Err(error) => return Err(Problem::new(service_kit::Slug::Malformed, error.to_string())),
        };
        let mut span = Span::begin(P::NAME, SpanKind::Internal, recorded.metadata.traceparent, Vec::new);
        let origin = Origin {
            actor: Actor::System(P::NAME.into()),
            correlation_id: recorded.metadata.correlation_id.clone(),
            causation_id: Some(recorded.event_id),
            traceparent: span.context(),
            repeat: Repeat::Reaction { policy: P::NAME, event_id: recorded.event_id },
            condition: Condition::None,
        };
        self.policy.react(&self.app, &origin, event, recorded).await.inspect_err(|problem| span.fail(&problem.detail))
    }
}
