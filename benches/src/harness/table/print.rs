//! [`print()`]: the table on the standard output.

use super::Row;
use crate::harness::{Measure, Measurements, Who};

/// A column with figures.
#[derive(Debug, Clone, Copy)]
pub enum Column {
    /// The best of the limits, and which that is.
    Limit,
    /// Those of one.
    Of(Who),
}

impl Column {
    fn head(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Of(who) => who.name(),
        }
    }

    fn cell(self, row: &Row<impl Measure>, measured: &Measurements) -> String {
        let shown = match self {
            Self::Limit => {
                let limit = row.limit(measured);
                limit.map(|(who, n)| format!("{} {}", who.name(), row.unit.show(n)))
            }
            Self::Of(who) => {
                let of = row.subjects().any(|there| there == who).then(|| row.of(who, measured));
                let late = || Some(format!("not in {} s", row.late(who, measured)?));
                of.flatten().map(|n| row.unit.show(n)).or_else(late)
            }
        };
        shown.unwrap_or_else(none)
    }
}

/// Prints the rows, for a terminal or as Markdown.
///
/// The ratio is ours to what the goal names, or else to the limit, or else to the best peer; with
/// two goals there are two.
#[expect(clippy::print_stdout, reason = "that is its purpose")]
pub fn print(
    columns: &[Column],
    rows: &[Row<impl Measure>],
    measured: &Measurements,
    markdown: bool,
) {
    let head = columns.iter().map(|column| column.head());
    let head = [""].into_iter().chain(head).chain(["ratio", "goal", ""]);
    let mut lines = vec![head.map(String::from).collect()];
    lines.extend(rows.iter().map(|row| line(columns, row, measured)));
    // Words to the left, numbers to the right.
    let last = columns.len() + 1;
    let is_text = |at: usize| at == 0 || at > last;
    if markdown {
        let rule = |at| String::from(if is_text(at) { "---" } else { "--:" });
        lines.insert(1, (0..lines[0].len()).map(rule).collect());
        for line in &lines {
            println!("| {} |", line.join(" | "));
        }
        return;
    }
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| {
            if is_text(at) { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

fn line(columns: &[Column], row: &Row<impl Measure>, measured: &Measurements) -> Vec<String> {
    let verdicts = row.verdicts(measured);
    let ratios = verdicts.iter().map(|(ratio, _)| ratio.map_or_else(none, |r| format!("{r:.2}")));
    let goals = row.goals().map(|goal| goal.name(row.unit));
    let figures = columns.iter().map(|column| column.cell(row, measured));
    let ends = [
        join(ratios),
        join(goals),
        join(verdicts.iter().map(|(_, verdict)| verdict.name().to_owned())),
    ];
    [row.label.clone()].into_iter().chain(figures).chain(ends).collect()
}

fn none() -> String {
    String::from("–")
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}
