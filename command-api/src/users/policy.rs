//! When an account is gone, its sessions and credentials go, and the key of the person; when somebody is shut out, their sessions.

use event_log::Recorded;
use events::{Event, UserEvent};
use service_kit::Problem;

use crate::{App, origin::Origin, policy::Policy};

/// Ends the sessions of the deleted and the suspended. The command side does it too, before it answers; this makes sure.
pub struct EndSessions;

impl Policy for EndSessions {
    const NAME: &'static str = "end_sessions";
    const TYPES: &'static [&'static str] = &["UserDeleted", "UserSuspended"];

    async fn react(&self, app: &App, _: &Origin, event: Event, recorded: &Recorded) -> Result<(), Problem> {
        match event {
            Event::User(UserEvent::UserDeleted { user_id, .. }) => {
                app.identity.forget(user_id.0).await?;
                app.log.shred(user_id.0).await?;
            }
            // Reinstated and logged in again meanwhile? Then they log in once more.
            Event::User(UserEvent::UserSuspended { .. }) => app.identity.end_sessions(recorded.stream_id).await?,
            Event::User(_) | Event::Superuser(_) | Event::Pizzeria(_) | Event::Pizza(_) | Event::Reaction(_) => {}
        }
        Ok(())
    }
}
