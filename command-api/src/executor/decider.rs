//! What an aggregate is here.

use cqrs_es::{Aggregate, event_sink::EventSink};
use event_log::LinkChange;
use events::Vocabulary;
use service_kit::Problem;

use crate::names::NameChange;

/// An aggregate whose decisions are pure: no clock, no randomness, no look-up; these arrive in the command.
pub trait Decider:
    Aggregate<Services = (), Event: Vocabulary, Command: Clone + Send + Sync, Error: Into<Problem> + Send> + Clone + 'static
{
    /// Whether there are very many of these, each seldom asked for again.
    const MANY: bool = false;

    /// What a command leads to; nothing, if it is already so.
    ///
    /// # Errors
    /// The command breaks a rule.
    fn decide(&self, command: Self::Command) -> Result<Vec<Self::Event>, Self::Error>;

    /// The state after an event.
    fn evolve(&mut self, event: Self::Event);

    /// The unique names that `event` takes or gives back in this state.
    fn names(&self, event: &Self::Event) -> Vec<NameChange> {
        let _ = event;
        vec![]
    }

    /// The links that `event` makes or takes away in this state.
    fn links(&self, event: &Self::Event) -> Vec<LinkChange> {
        let _ = event;
        vec![]
    }
}

/// `Aggregate::handle` in terms of [`Decider::decide`].
///
/// # Errors
/// The command breaks a rule.
pub async fn forward<A: Decider>(aggregate: &mut A, command: A::Command, sink: &EventSink<A>) -> Result<(), A::Error> {
    for event in aggregate.decide(command)? {
        sink.write(event, aggregate).await;
    }
    Ok(())
}

/// Makes a [`Decider`] an aggregate of cqrs-es, with the `Command` and `Error` of its module.
#[macro_export]
macro_rules! aggregate {
    ($state:ident, $event:ty) => {
        impl cqrs_es::Aggregate for $state {
            const TYPE: &'static str = <$event as events::Vocabulary>::KIND;
            type Command = Command;
            type Event = $event;
            type Error = Error;
            type Services = ();

            async fn handle(&mut self, command: Command, (): &(), sink: &cqrs_es::event_sink::EventSink<Self>) -> Result<(), Error> {
                $crate::executor::forward(self, command, sink).await
            }

            fn apply(&mut self, event: $event) {
                $crate::executor::Decider::evolve(self, event);
            }
        }
    };
}
