//! When an account is gone, its sessions and credentials go.

use event_log::Recorded;
use events::{Event, UserEvent};
use service_kit::Problem;

use crate::{App, executor::Origin, policy::Policy};

/// Ends the sessions of the deleted. The command side does it too, before it answers; this makes sure.
pub struct EndSessions;

impl Policy for EndSessions {
    const NAME: &'static str = "end_sessions";
    const TYPES: &'static [&'static str] = &["UserDeleted"];

    async fn react(&self, app: &App, _: &Origin, event: Event, _: &Recorded) -> Result<(), Problem> {
        if let Event::User(UserEvent::UserDeleted { user_id, .. }) = event {
            app.identity.forget(user_id.0).await?;
        }
        Ok(())
    }
}
