//! Tables for people.

use std::fmt;

/// Lines of cells; the first is the heading.
pub(super) struct Table {
    lines: Vec<Vec<String>>,
}

/// Between two columns.
const GAP: &str = "  ";

impl Table {
    pub(super) fn new(heading: &[&str]) -> Self {
        Self { lines: vec![heading.iter().map(|&cell| cell.to_owned()).collect()] }
    }

    pub(super) fn line(&mut self, cells: impl Into<Vec<String>>) {
        self.lines.push(cells.into());
    }
}

/// Columns as wide as their longest cell, without blanks at the ends of lines.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.lines.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column| {
            let cells = self.lines.iter().filter_map(move |line| line.get(column));
            cells.map(|cell: &String| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for line in &self.lines {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join(GAP).trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_are_aligned_and_lines_have_no_blanks_at_their_ends() {
        let mut table = Table::new(&["NAME", "AT"]);
        table.line(["é".to_owned(), "n1:8830".to_owned()]);
        table.line(["longer".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "NAME    AT\né       n1:8830\nlonger\n");
    }
}
