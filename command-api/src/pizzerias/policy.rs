//! When an account is gone, its places close.

use event_log::Recorded;
use events::{Event, UserEvent, pizzerias::PizzeriaClosure};
use service_kit::Problem;

use super::{Command, OF_OWNER, Pizzeria};
use crate::{App, executor::Intent, origin::Origin, policy::Policy};

/// Closes the places of the deleted. None can be opened behind its back: that needs an account.
pub struct CloseOfDeleted;

impl Policy for CloseOfDeleted {
    const NAME: &'static str = "close_pizzerias_of_deleted";
    const TYPES: &'static [&'static str] = &["UserDeleted"];

    async fn react(&self, app: &App, origin: &Origin, event: Event, _: &Recorded) -> Result<(), Problem> {
        let Event::User(UserEvent::UserDeleted { user_id, .. }) = event else { return Ok(()) };
        for pizzeria in app.log.linked(OF_OWNER, user_id.0).await? {
            app.execute::<Pizzeria, _, _>(origin, pizzeria, |_| async move {
                Ok(Intent { command: Command::Close { reason: PizzeriaClosure::OwnerDeleted }, subject: user_id.0 })
            })
            .await?;
        }
        Ok(())
    }
}
