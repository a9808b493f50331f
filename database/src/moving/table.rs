//! What a store keeps, told apart from the database that keeps it: so that it can be moved from one to the other.

use sqlx::{
    ColumnIndex, Decode, Row, Type,
    types::{
        Uuid,
        chrono::{DateTime, Utc},
    },
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
    /// A time, to the microsecond.
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
pub(crate) enum Cell {
    Null,
    Int(i64),
    /// Of [`Kind::Json`], too.
    Text(String),
    Bytes(Vec<u8>),
    Uuid(Uuid),
    Time(DateTime<Utc>),
}

impl Table {
    /// The names of its columns.
    pub(crate) fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// Its columns, for [`Table::cells`].
    pub(crate) fn selected(&self, is_postgres: bool) -> String {
        let column = |(name, kind): &(&str, Kind)| match kind {
            Int if is_postgres => format!("{name}::bigint"),
            Json if is_postgres => format!("{name}::text"),
            Int | Json | Text | Bytes | Kind::Uuid | Time => (*name).to_owned(),
        };
        self.columns.iter().map(column).collect::<Vec<_>>().join(", ")
    }

    /// Its key's columns, each followed by `direction`, compared byte by byte on either database.
    pub(crate) fn order(&self, is_postgres: bool, direction: &str) -> String {
        let column = |(name, kind): &(&str, Kind)| match kind {
            Text if is_postgres => format!(r#"{name} collate "C"{direction}"#),
            Int | Json | Text | Bytes | Kind::Uuid | Time => format!("{name}{direction}"),
        };
        self.columns[..self.key].iter().map(column).collect::<Vec<_>>().join(", ")
    }

    /// A row of [`Table::selected`].
    pub(crate) fn cells<R>(&self, row: &R) -> Result<Vec<Cell>, sqlx::Error>
    where
        R: Row,
        usize: ColumnIndex<R>,
        for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> Uuid: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> DateTime<Utc>: Decode<'r, R::Database> + Type<R::Database>,
    {
        let cell = |(at, (_, kind)): (usize, &(&str, Kind))| match kind {
            Int => get(row, at, Cell::Int),
            Text | Json => get(row, at, Cell::Text),
            Bytes => get(row, at, Cell::Bytes),
            Kind::Uuid => get(row, at, Cell::Uuid),
            Time => get(row, at, |time| Cell::Time(to_micros(time))),
        };
        self.columns.iter().enumerate().map(cell).collect()
    }

    /// What a row is called when something is said of it.
    pub(crate) fn name_of(&self, row: &[Cell]) -> String {
        let name = |((name, _), cell): (&(&str, Kind), &Cell)| match cell {
            Cell::Null => format!("{name} null"),
            Cell::Int(number) => format!("{name} {number}"),
            Cell::Text(text) => format!("{name} {text}"),
            Cell::Bytes(bytes) => format!("{name} {}", hex(bytes)),
            Cell::Uuid(id) => format!("{name} {id}"),
            Cell::Time(time) => format!("{name} {time}"),
        };
        let key = self.columns.iter().zip(row).take(self.key).map(name);
        format!("{} ({})", self.name, key.collect::<Vec<_>>().join(", "))
    }
}

/// SQLite keeps what it is given, Postgres no more than this.
fn to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time)
}

fn get<R, T>(row: &R, at: usize, cell: fn(T) -> Cell) -> Result<Cell, sqlx::Error>
where
    R: Row,
    usize: ColumnIndex<R>,
    for<'r> T: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(row.try_get::<Option<T>, _>(at)?.map_or(Cell::Null, cell))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Cell {
    /// As Postgres's `COPY` takes it in its text format.
    pub(crate) fn write(&self, line: &mut Vec<u8>) {
        match self {
            Self::Null => line.extend(br"\N"),
            Self::Int(number) => line.extend(number.to_string().bytes()),
            Self::Text(text) => {
                for byte in text.bytes() {
                    match byte {
                        b'\\' => line.extend(br"\\"),
                        b'\n' => line.extend(br"\n"),
                        b'\r' => line.extend(br"\r"),
                        b'\t' => line.extend(br"\t"),
                        byte => line.push(byte),
                    }
                }
            }
            Self::Bytes(bytes) => {
                line.extend(br"\\x");
                line.extend(hex(bytes).bytes());
            }
            Self::Uuid(id) => line.extend(id.simple().encode_lower(&mut [0; 32]).bytes()),
            Self::Time(time) => line.extend(time.to_rfc3339().bytes()),
        }
    }
}
