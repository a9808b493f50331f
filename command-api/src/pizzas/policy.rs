//! When a place closes, its card goes.

use event_log::Recorded;
use events::{Event, PizzaId, PizzeriaEvent, pizzas::PizzaDeletion};
use service_kit::Problem;

use super::{Command, OF_PIZZERIA, Pizza};
use crate::{App, executor::Intent, origin::Origin, policy::Policy};

/// Takes the pizzas of closed places off the card. None can be put on behind its back: that needs an open place.
pub struct DeleteOfClosed;

impl Policy for DeleteOfClosed {
    const NAME: &'static str = "delete_pizzas_of_closed";
    const TYPES: &'static [&'static str] = &["PizzeriaClosed"];

    async fn react(&self, app: &App, origin: &Origin, event: Event, recorded: &Recorded) -> Result<(), Problem> {
        let Event::Pizzeria(PizzeriaEvent::PizzeriaClosed { .. }) = event else { return Ok(()) };
        // The owner, whose partition both are in.
        let subject = recorded.metadata.subject_id.unwrap_or(recorded.stream_id);
        for id in app.log.linked(OF_PIZZERIA, recorded.stream_id).await? {
            app.execute::<Pizza, _, _>(origin, id, |_| async move {
                Ok(Intent { command: Command::Delete { pizza_id: PizzaId(id), reason: PizzaDeletion::PizzeriaClosed }, subject })
            })
            .await?;
        }
        Ok(())
    }
}
