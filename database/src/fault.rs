//! What went wrong with a statement, and so what is to be done.

use sqlx::Error;

/// A kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is gone or cannot be had; whether the statement was done is not known. Again, later.
    Away,
    /// Two transactions were in each other's way; nothing was done. Again, at once.
    Clash,
    /// This data cannot be stored, or a constraint forbids it; nothing was done.
    Data,
    /// Wrong credentials, a missing database, a missing right; a certificate that is not accepted.
    Refused,
    /// Anything else: a full disk, a broken file, a mistake of ours. Nothing was done.
    Other,
}

impl Fault {
    /// Of an error.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        if let Error::Database(error) = error {
            error.code().map_or(Self::Other, |code| Self::of_code(&code))
        } else if is_of_tls(error) || matches!(error, Error::Configuration(_)) {
            Self::Refused
        } else if matches!(error, Error::Io(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed | Error::Protocol(_)) {
            Self::Away
        } else if matches!(error, Error::Encode(_)) {
            Self::Data
        } else {
            Self::Other
        }
    }

    /// Whether there is no room on the disk.
    #[must_use]
    pub fn is_no_room(error: &Error) -> bool {
        let Error::Database(error) = error else { return false };
        error.code().is_some_and(|code| code == "53100" || (code.len() != 5 && code.parse::<u32>().is_ok_and(|code| code & 0xff == 13)))
    }

    /// By the class of an SQLSTATE (Postgres, appendix A), or the primary part of SQLite's extended code.
    fn of_code(code: &str) -> Self {
        match code {
            "40001" | "40P01" => Self::Clash,
            // Starting, stopping, too many connections; a killed backend, also one of a process that was asleep within a transaction.
            "57P01" | "57P02" | "57P03" | "57P05" | "53300" | "25P03" => Self::Away,
            "3D000" | "42501" => Self::Refused,
            _ if code.len() != 5 => Self::of_sqlite(code),
            _ => match &code[..2] {
                "08" => Self::Away,
                "22" | "23" => Self::Data,
                "28" => Self::Refused,
                _ => Self::Other,
            },
        }
    }

    fn of_sqlite(code: &str) -> Self {
        match code.parse::<u32>().map(|code| code & 0xff) {
            // Busy, locked.
            Ok(5 | 6) => Self::Clash,
            // Too big, a constraint, a type.
            Ok(18..=20) => Self::Data,
            Ok(_) | Err(_) => Self::Other,
        }
    }
}

/// A table is read that is not there.
#[must_use]
pub fn is_missing_table(error: &Error) -> bool {
    let Error::Database(error) = error else { return false };
    // SQLite has no code of its own for it.
    error.code().is_some_and(|code| code == "42P01") || error.message().starts_with("no such table")
}

/// A handshake that failed, by the server's answer or by its certificate: rustls hands such a fault on as data that is invalid.
pub fn is_of_tls(error: &Error) -> bool {
    matches!(error, Error::Tls(_)) || matches!(error, Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_not_accepted_is_not_waited_for_at_the_start() {
        let io = |kind| Fault::of(&Error::Io(std::io::Error::from(kind)));
        assert_eq!(io(std::io::ErrorKind::InvalidData), Fault::Refused);
        assert_eq!(io(std::io::ErrorKind::ConnectionRefused), Fault::Away);
        assert_eq!(Fault::of(&Error::Tls("server does not support TLS".into())), Fault::Refused);
    }

    #[test]
    fn a_code_tells_what_to_do() {
        assert_eq!(Fault::of_code("40P01"), Fault::Clash);
        assert_eq!(Fault::of_code("57P01"), Fault::Away);
        assert_eq!(Fault::of_code("08006"), Fault::Away);
        assert_eq!(Fault::of_code("25P03"), Fault::Away);
        assert_eq!(Fault::of_code("22021"), Fault::Data);
        assert_eq!(Fault::of_code("23505"), Fault::Data);
        assert_eq!(Fault::of_code("28P01"), Fault::Refused);
        assert_eq!(Fault::of_code("53100"), Fault::Other);
        assert_eq!(Fault::of_code("13"), Fault::Other, "SQLite: the disk is full");
        assert_eq!(Fault::of_code("2067"), Fault::Data, "SQLite: something is not unique");
        assert_eq!(Fault::of_code("517"), Fault::Clash);
    }
}
