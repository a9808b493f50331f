//! Columns, for people.

use std::io::{self, Write};

/// Writes rows with their columns one below the other; those of numbers end at the same place.
pub fn columns<const N: usize>(out: &mut impl Write, names: [&str; N], right: &[&str], rows: &[[String; N]]) -> io::Result<()> {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).chain([names[at].len()]).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let head = names.map(ToOwned::to_owned);
    for row in [&head].into_iter().chain(rows) {
        let mut line = String::new();
        for ((text, name), width) in row.iter().zip(names).zip(widths) {
            line += &if right.contains(&name) { format!("{text:>width$}  ") } else { format!("{text:<width$}  ") };
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_one_below_the_other() {
        let mut out = vec![];
        let rows = [["users", "7"], ["pizzerias", "1234"]].map(|row| row.map(ToOwned::to_owned));
        columns(&mut out, ["projection", "position"], &["position"], &rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "projection  position\nusers              7\npizzerias       1234\n");
    }
}
