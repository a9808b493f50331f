//! What a store keeps, told apart from the database that keeps it: so that it can be moved from one to the other.
//!
//! A row travels as a line, as Postgres's `COPY` has it in its text format: values with tabs between them, `\N` for null, a backslash before what
//! would be taken for something else. Each database writes these lines itself; Postgres reads them, too.

use std::{borrow::Cow, fmt::Write};

use sqlx::types::{
    Uuid,
    chrono::{DateTime, Utc},
};

use Kind::{Bytes, Int, Json, Text, Time};

/// What a column holds, however a database writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Int,
    /// Characters.
    Text,
    /// Anything.
    Bytes,
    /// A UUID.
    Uuid,
    /// A time, to the microsecond: SQLite keeps what it is given, Postgres no more than this.
    Time,
    /// JSON, to the character.
    Json,
}

/// A table with the same columns on either database.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// How many of the columns, from the first one on, are its primary key.
    pub key: usize,
    /// All of its columns.
    pub columns: &'static [(&'static str, Kind)],
    /// Whether it has rows as soon as the store is opened, which say nothing yet.
    pub seeded: bool,
}

/// What a column of a row holds. Of one kind they are in the order of the databases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cell<'a> {
    Null,
    Int(i64),
    /// Of [`Kind::Json`], too.
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
    Uuid(Uuid),
    Time(DateTime<Utc>),
}

/// As SQL: what `COPY` escapes.
const ESCAPED: [(&str, &str); 4] = [("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")];

impl Kind {
    /// An expression of a column's text.
    fn written(self, column: &str, is_postgres: bool) -> String {
        let character = |text: &str| match text {
            "\\" => "'\\'".to_owned(),
            other => format!("{}({})", if is_postgres { "chr" } else { "char" }, other.as_bytes()[0]),
        };
        let escaped = |text: String| ESCAPED.iter().fold(text, |text, (from, to)| format!("replace({text}, {}, '{to}')", character(from)));
        match (self, is_postgres) {
            (Int, true) => format!("{column}::text"),
            (Int, false) => format!("cast({column} as text)"),
            (Text, _) | (Json, false) => escaped(column.to_owned()),
            (Json, true) => escaped(format!("{column}::text")),
            (Bytes, true) => format!("'\\\\x' || encode({column}, 'hex')"),
            (Bytes, false) => format!("'\\\\x' || lower(hex({column}))"),
            (Self::Uuid, true) => format!("replace({column}::text, '-', '')"),
            (Self::Uuid, false) => format!("lower(hex({column}))"),
            (Time, true) => format!("to_char({column} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') || '+00'"),
            // `2026-11-21T21:30:09.294+00:00` or with `Z`, and none to nine digits behind the seconds.
            (Time, false) => {
                let plain = format!("replace(replace({column}, 'Z', ''), '+00:00', '')");
                format!("substr({plain}, 1, 19) || '.' || substr(substr({plain}, 21) || '000000', 1, 6) || '+00'")
            }
        }
    }

    /// A value out of a line.
    fn read(self, text: &str) -> Option<Cell<'_>> {
        if text == "\\N" {
            return Some(Cell::Null);
        }
        Some(match self {
            Int => Cell::Int(text.parse().ok()?),
            Text | Json => Cell::Text(unescaped(text)?),
            Bytes => Cell::Bytes(unhex(text.strip_prefix("\\\\x")?)?),
            Self::Uuid => Cell::Uuid(text.parse().ok()?),
            Time => Cell::Time(DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z").ok()?.to_utc()),
        })
    }
}

fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('\\') {
        return Some(text.into());
    }
    let (mut clear, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, behind)) = rest.split_once('\\') {
        clear.push_str(before);
        let (_, escaped) = ESCAPED.iter().map(|(from, to)| (&to[1..], from)).find(|(to, _)| behind.starts_with(to))?;
        clear.push_str(escaped);
        rest = &behind[1..];
    }
    clear.push_str(rest);
    Some(clear.into())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}

impl Table {
    /// The names of its columns.
    pub(crate) fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// An expression of a row's line.
    pub(crate) fn line(&self, is_postgres: bool) -> String {
        let column = |(name, kind): &(&str, Kind)| format!("coalesce({}, '\\N')", kind.written(name, is_postgres));
        let tab = if is_postgres { " || chr(9) || " } else { " || char(9) || " };
        self.columns.iter().map(column).collect::<Vec<_>>().join(tab)
    }

    /// Its key's columns, each followed by `direction`, compared byte by byte on either database.
    pub(crate) fn order(&self, is_postgres: bool, direction: &str) -> String {
        let column = |(name, kind): &(&str, Kind)| match kind {
            Text if is_postgres => format!(r#"{name} collate "C"{direction}"#),
            Int | Json | Text | Bytes | Kind::Uuid | Time => format!("{name}{direction}"),
        };
        self.columns[..self.key].iter().map(column).collect::<Vec<_>>().join(", ")
    }

    /// The values of a line.
    pub(crate) fn cells<'a>(&self, line: &'a str) -> Result<Vec<Cell<'a>>, sqlx::Error> {
        let unreadable = || sqlx::Error::Decode(format!("a row of {} cannot be read", self.name).into());
        let cells = self.columns.iter().zip(line.split('\t')).map(|((_, kind), text)| kind.read(text).ok_or_else(unreadable));
        let cells: Vec<_> = cells.collect::<Result<_, _>>()?;
        if cells.len() == self.columns.len() { Ok(cells) } else { Err(unreadable()) }
    }

    /// What a row is called when something is said of it.
    pub(crate) fn name_of(&self, line: &str) -> String {
        let mut name = format!("{} (", self.name);
        for (at, ((column, kind), text)) in self.columns.iter().zip(line.split('\t')).take(self.key).enumerate() {
            let text =
                if *kind == Kind::Uuid { text.parse::<Uuid>().map_or(text.to_owned(), |id| id.to_string()) } else { text.to_owned() };
            // Into a string nothing fails.
            let _ = write!(name, "{}{column} {text}", if at > 0 { ", " } else { "" });
        }
        name + ")"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_read_again_and_nothing_else_is() {
        for (text, clear) in [("", ""), ("ünï", "ünï"), (r"a\tb\nc\r\\d", "a\tb\nc\r\\d"), (r"\\N", "\\N"), (r"\\n", "\\n")] {
            assert_eq!(unescaped(text).as_deref(), Some(clear), "{text}");
        }
        assert_eq!(unescaped(r"\x"), None);
        assert_eq!(Text.read(r"\N"), Some(Cell::Null));
        assert_eq!(Bytes.read(r"\\x00ff"), Some(Cell::Bytes(vec![0, 255])));
        assert_eq!(Time.read("2026-11-21T21:30:09.294293+00"), DateTime::from_timestamp_micros(1_795_296_609_294_293).map(Cell::Time));
    }
}
