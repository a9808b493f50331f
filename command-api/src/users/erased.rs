//! Who was erased after a backup was made is in the restored log as if they were still there.

use events::{UserId, users::UserDeletion};
use service_kit::Problem;
use uuid::Uuid;

use super::{Command, User, is_superuser};
use crate::{
    App,
    executor::{Intent, Known, Look},
    origin::Origin,
};

/// Deletes the accounts of all who are erased and have one; the answer is whose. Their names cannot be read any more, so they stay taken.
///
/// # Errors
/// One of them is a superuser, or a store is not available; what was done stays done.
pub async fn delete_erased(app: &App) -> Result<Vec<UserId>, Problem> {
    let origin = Origin::system("erasures", Uuid::now_v7().to_string());
    let mut deleted = vec![];
    for subject in app.log.erased().await? {
        let Some(Known { state: User::Active(_), .. }) = Look::around(app).find(subject).await? else { continue };
        app.identity.forget(subject).await?;
        app.execute::<User, _, _>(&origin, subject, |look| async move {
            let is_superuser = is_superuser(&look, subject).await?;
            Ok(Intent { command: Command::Delete { reason: UserDeletion::Staff, is_superuser }, subject })
        })
        .await?;
        deleted.push(UserId(subject));
    }
    Ok(deleted)
}
