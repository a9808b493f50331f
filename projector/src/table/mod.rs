//! The rows of a table while a batch is folded: those that the batch concerns are loaded with one statement, changed in
//! memory, and what changed is written back with one statement. So a fold is a plain function from rows and an event to
//! rows, and how events are cut into batches cannot matter.

mod bulk;
mod compare;
mod copy;
mod counters;
mod held;
mod rows;
mod statements;

use read_store::Definition;

pub use bulk::Bulk;
pub use compare::Compared;
pub use counters::Counters;
pub use held::{Held, Values};
pub use rows::{Row, Rows};
pub use statements::Generation;

/// A table's shape; its name is followed by the generation's number in the database.
#[derive(Debug)]
pub struct Table {
    /// Without generation.
    pub name: &'static str,
    /// The first ones are the key.
    pub columns: &'static [Column],
    /// How many columns the key has.
    pub key: usize,
    /// The user whose rows are found when the account is deleted.
    pub owner: Option<Column>,
    /// Columns of further indexes. Postgres may look for a row of a new table in any that begins with a column of the key: where
    /// many rows share its value, the index goes on with the rest of the key.
    pub indexes: &'static [&'static [&'static str]],
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    name: &'static str,
    kind: Kind,
    nullable: bool,
    personal: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Id,
    Text,
    Number,
    Flag,
    Time,
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident $kind:ident),+) => { $(
        $(#[$doc])*
        #[must_use]
        pub const fn $name(name: &'static str) -> Column {
            Column { name, kind: Kind::$kind, nullable: false, personal: false }
        }
    )+ };
}

columns! {
    /// A UUID.
    id Id,
    /// Text.
    text Text,
    /// A whole number.
    number Number,
    /// True or false.
    flag Flag,
    /// A time, in UTC.
    time Time
}

impl Column {
    /// The same column, where there may be nothing.
    #[must_use]
    pub const fn or_null(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// The same column, with values that say who somebody is: they are shown to nobody but by a query.
    #[must_use]
    pub const fn personal(mut self) -> Self {
        self.personal = true;
        self
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether its values say who somebody is.
    #[must_use]
    pub const fn is_personal(&self) -> bool {
        self.personal
    }
}

impl Kind {
    const fn in_sqlite(self) -> &'static str {
        match self {
            Self::Id => "blob",
            Self::Text | Self::Time => "text",
            Self::Number | Self::Flag => "integer",
        }
    }

    /// Text has the order of its bytes, as it has in SQLite.
    const fn in_postgres(self) -> &'static str {
        match self {
            Self::Id => "uuid",
            Self::Text => "text collate \"C\"",
            Self::Time => "timestamptz",
            Self::Number => "bigint",
            Self::Flag => "boolean",
        }
    }
}

impl Table {
    /// The statements that make it.
    #[must_use]
    pub fn definition(&self) -> Definition {
        Definition {
            sqlite: self.define(Kind::in_sqlite, " strict, without rowid"),
            postgres: self.define(Kind::in_postgres, ""),
            indexes: self.indexes.iter().filter(|index| !self.finds_owners(index)).map(|index| self.define_index(index)).collect(),
        }
    }

    /// With what a fold needs to find its rows, and no more.
    fn define(&self, kind: fn(Kind) -> &'static str, options: &str) -> String {
        let column = |c: &Column| format!("{} {}{}", c.name, kind(c.kind), if c.nullable { "" } else { " not null" });
        let columns: Vec<_> = self.columns.iter().map(column).collect();
        let (name, key) = (self.name, names(self.key_columns()));
        let mut sql = format!("create table {{{name}}} ({}, primary key ({key})){options};\n", columns.join(", "));
        sql.extend(self.indexes.iter().filter(|index| self.finds_owners(index)).map(|index| self.define_index(index)));
        sql
    }

    fn define_index(&self, index: &[&str]) -> String {
        let name = self.name;
        format!("create index if not exists {{{name}}}_by_{} on {{{name}}} ({});\n", index.join("_"), index.join(", "))
    }

    /// Whether a fold finds an owner's rows by this index, because the key does not begin with the owner.
    fn finds_owners(&self, index: &[&str]) -> bool {
        self.owner.is_some_and(|owner| owner.name == index[0] && owner.name != self.columns[0].name)
    }

    fn key_columns(&self) -> &'static [Column] {
        &self.columns[..self.key]
    }
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}
