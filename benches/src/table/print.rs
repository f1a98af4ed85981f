//! [`print()`]: the table on the standard output.

use super::Row;
use crate::{Measurements, Who};

const HEAD: [&str; 10] =
    ["", "limit", "object_store", "opendal", "naive", "tmpfs", "ours", "ratio", "goal", ""];

/// Prints the rows, for a terminal or as Markdown.
///
/// The ratio is ours to what the goal names, or else to the limit, or else to the best peer.
#[expect(clippy::print_stdout, reason = "that is its purpose")]
pub fn print(rows: &[Row], measured: &Measurements, markdown: bool) {
    let mut lines = vec![HEAD.map(String::from)];
    lines.extend(rows.iter().map(|row| line(row, measured)));
    if markdown {
        // Words to the left, numbers to the right.
        lines.insert(1, std::array::from_fn(|at| if is_text(at) { "---" } else { "--:" }.into()));
        for line in &lines {
            println!("| {} |", line.join(" | "));
        }
        return;
    }
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; 10] = std::array::from_fn(width);
    for line in &lines {
        let cells = line.iter().zip(widths).enumerate().map(|(at, (cell, width))| {
            if is_text(at) { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// Whether this column has words.
fn is_text(column: usize) -> bool {
    matches!(column, 0 | 8 | 9)
}

fn line(row: &Row, measured: &Measurements) -> [String; 10] {
    let of = |who| row.subjects().any(|there| there == who).then(|| row.of(who, measured));
    let cell = |who| of(who).flatten().map_or_else(|| String::from("–"), |n| row.unit.show(n));
    let limit = row.limit(measured).map(|(who, n)| format!("{} {}", who.name(), row.unit.show(n)));
    let (ratio, verdict) = row.verdict(measured);
    [
        row.label.clone(),
        limit.unwrap_or_else(|| String::from("–")),
        cell(Who::ObjectStore),
        cell(Who::Opendal),
        cell(Who::Naive),
        cell(Who::Tmpfs),
        cell(Who::Ours),
        ratio.map_or_else(|| String::from("–"), |ratio| format!("{ratio:.2}")),
        row.goal.name(row.unit),
        verdict.name().to_owned(),
    ]
}
