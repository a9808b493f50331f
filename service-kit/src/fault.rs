//! A store's failure, as clients see it.

use database::Fault;

use crate::Problem;

/// A database that cannot be reached, does not let us in, is busy or has no room is away: it may be there again when the client is.
/// Anything else it says is our fault.
impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        let away = match Fault::of(&error) {
            Fault::Away | Fault::Clash | Fault::Refused => true,
            Fault::Data => false,
            Fault::Other => error.as_database_error().and_then(|error| error.code()).is_some_and(|code| is_out_of_means(&code)),
        };
        if away { Self::unavailable(error) } else { Self::internal(error) }
    }
}

/// Postgres's classes 53 (no disk, no memory) and 58 (the system's errors); `SQLITE_BUSY`, `SQLITE_IOERR`, `SQLITE_FULL` and
/// `SQLITE_CANTOPEN`, each with its extended codes.
fn is_out_of_means(code: &str) -> bool {
    match code.len() {
        5 => code.starts_with("53") || code.starts_with("58"),
        _ => code.parse().is_ok_and(|code: u32| [5, 10, 13, 14].contains(&(code & 0xff))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slug;

    #[test]
    fn a_database_without_means_is_away_and_one_that_disagrees_is_not() {
        assert!(["5", "517", "778", "13", "14", "53100", "58030"].iter().all(|code| is_out_of_means(code)));
        assert!(!["1", "1555", "42501", "23505", "XX000"].iter().any(|code| is_out_of_means(code)));
        assert_eq!(Problem::from(sqlx::Error::PoolTimedOut).slug, Slug::Unavailable);
        assert_eq!(Problem::from(sqlx::Error::RowNotFound).slug, Slug::Internal);
    }
}
