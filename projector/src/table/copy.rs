//! Rows as Postgres's `COPY` takes them in its text format: a line each, tabs between the values, `\N` for null, and a backslash before
//! what would be taken for something else.

use std::io;

use database::Transaction;
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use super::{Column, Generation, Table, names};

/// So many bytes go to the server at once.
const CHUNK: usize = 256 * 1024;

impl Table {
    /// Writes rows that are not there yet. On Postgres only.
    pub async fn copy(&self, rows: &[impl Serialize + Sync], at: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let sql = at.expand(&format!("copy {{{}}} ({}) from stdin", self.name, names(self.columns))).0;
        let Transaction::Postgres(db) = &mut at.db else { return Err(sqlx::Error::Encode("COPY is Postgres's".into())) };
        let mut copy = db.copy_in_raw(&sql).await?;
        let mut text = Vec::with_capacity(CHUNK + 4096);
        for row in rows {
            line(self.columns, row, &mut text).map_err(|e| sqlx::Error::Encode(e.into()))?;
            if text.len() >= CHUNK {
                copy.send(&text[..]).await?;
                text.clear();
            }
        }
        copy.send(&text[..]).await?;
        copy.finish().await.map(drop)
    }
}

/// A row, which must have a member for each column, in the same order.
fn line(columns: &[Column], row: &impl Serialize, text: &mut Vec<u8>) -> serde_json::Result<()> {
    let line = Line { columns, next: 0, name: None };
    row.serialize(&mut Serializer::with_formatter(text, line))
}

/// Where in a line it is. What a value looks like is up to serde, as it is in JSON.
struct Line<'a> {
    columns: &'a [Column],
    next: usize,
    /// While a member's name is told.
    name: Option<Vec<u8>>,
}

fn unfit(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Line<'_> {
    fn put<W: io::Write + ?Sized>(&mut self, writer: &mut W, text: &[u8]) -> io::Result<()> {
        match &mut self.name {
            Some(name) => name.extend_from_slice(text),
            None => writer.write_all(text)?,
        }
        Ok(())
    }
}

impl Formatter for Line<'_> {
    fn write_null<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\\N")
    }

    fn write_bool<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: bool) -> io::Result<()> {
        writer.write_all(if value { b"t" } else { b"f" })
    }

    fn begin_string<W: io::Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        Ok(())
    }

    fn end_string<W: io::Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        Ok(())
    }

    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        self.put(writer, fragment.as_bytes())
    }

    fn write_char_escape<W: io::Write + ?Sized>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::ReverseSolidus => self.put(writer, b"\\\\"),
            CharEscape::LineFeed => self.put(writer, b"\\n"),
            CharEscape::CarriageReturn => self.put(writer, b"\\r"),
            CharEscape::Tab => self.put(writer, b"\\t"),
            CharEscape::Quote => self.put(writer, b"\""),
            CharEscape::Solidus => self.put(writer, b"/"),
            CharEscape::Backspace => self.put(writer, b"\x08"),
            CharEscape::FormFeed => self.put(writer, b"\x0c"),
            CharEscape::AsciiControl(byte) => self.put(writer, &[byte]),
        }
    }

    fn begin_array<W: io::Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        Err(unfit("a row has no place for a list".into()))
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        if self.next == 0 { Ok(()) } else { Err(unfit("a row has no place for an object".into())) }
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b"\t")?;
        }
        self.name = Some(vec![]);
        Ok(())
    }

    fn end_object_key<W: io::Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        let name = self.name.take().unwrap_or_default();
        let column = self.columns.get(self.next).map_or("nothing", |column| column.name);
        self.next += 1;
        if name == column.as_bytes() {
            return Ok(());
        }
        Err(unfit(format!("{} is where the table has {column}", String::from_utf8_lossy(&name))))
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        Ok(())
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.next == self.columns.len() { writer.write_all(b"\n") } else { Err(unfit("a row lacks columns of its table".into())) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::{flag, number, text};

    const COLUMNS: &[Column] = &[flag("a"), number("b"), text("c").or_null()];

    /// serde_json's own map has its members in the order of their names.
    fn written(row: serde_json::Value) -> Option<String> {
        let mut text = vec![];
        line(COLUMNS, &row, &mut text).ok().map(|()| String::from_utf8(text).unwrap_or_default())
    }

    #[test]
    fn a_row_is_a_line_and_nothing_is_no_empty_text() {
        assert_eq!(written(json!({"a": true, "b": -7, "c": null})).as_deref(), Some("t\t-7\t\\N\n"));
        assert_eq!(written(json!({"a": false, "b": 0, "c": ""})).as_deref(), Some("f\t0\t\n"));
        assert_eq!(written(json!({"a": false, "b": 0, "c": "\\N"})).as_deref(), Some("f\t0\t\\\\N\n"));
        assert_eq!(
            written(json!({"a": false, "b": 0, "c": "a\tb\nc\rd\\e\"f\u{1}🍕\u{8}"})).as_deref(),
            Some("f\t0\ta\\tb\\nc\\rd\\\\e\"f\u{1}🍕\u{8}\n")
        );
    }

    #[test]
    fn what_does_not_fit_the_table_is_refused() {
        assert_eq!(written(json!({"a": true, "b": 1})), None);
        assert_eq!(written(json!({"a": true, "b": 1, "d": "x"})), None);
        assert_eq!(written(json!({"a": true, "b": 1, "c": "x", "d": "x"})), None);
        assert_eq!(written(json!({"a": true, "b": 1, "c": ["x"]})), None);
        assert_eq!(written(json!({"a": true, "b": 1, "c": {"x": 1}})), None);
    }
}
