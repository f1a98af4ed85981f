//! Every line of the table, and the goal of each.

use super::{Job, Listing, Scale, Small, Streams};
use crate::harness::{
    MIB, Who,
    table::{
        Goal::{self, AbovePeer, AtMost, Shown},
        Row, Unit, count, size,
    },
};

const PEERS: [Who; 2] = [Who::ObjectStore, Who::Opendal];
/// How many blobs are sent at once, where it is many.
const MANY: usize = 16;
const TASKS: [usize; 2] = [1, 64];
/// What part of the best peer's rate is to be reached.
const RATE: Goal = AbovePeer(0.95);
/// The default budget of the driver, and what the process has without it.
const RESIDENT: Goal = AtMost((320 * MIB) as f64);

/// All lines, at this scale.
pub fn rows(scale: &Scale) -> Vec<Row<Job>> {
    let mut rows = Vec::new();
    rows.extend(streams(1, scale.blob));
    rows.extend(streams(MANY, scale.each));
    for tasks in TASKS {
        rows.extend(small(tasks, scale.milliseconds));
    }
    rows.extend(listing(scale.objects));
    rows
}

fn row(
    group: &'static str,
    label: String,
    job: &Job,
    number: (&'static str, Unit),
    goal: Goal,
) -> Row<Job> {
    Row::new(group, label, job.clone(), number, goal).peers(&PEERS)
}

fn streams(blobs: usize, bytes: u64) -> Vec<Row<Job>> {
    let job = Job::Streams(Streams { count: blobs, size: bytes });
    let of = format!("{blobs} × {}", size(bytes));
    let line =
        |what: &str, number, goal| row("streams", format!("{what} {of}"), &job, number, goal);
    vec![
        line("upload", ("upload", Unit::Throughput), RATE),
        line("upload, work of the client for a GiB,", ("upload work", Unit::Seconds), Shown),
        line("download", ("download", Unit::Throughput), RATE),
        line("download, work of the client for a GiB,", ("download work", Unit::Seconds), Shown),
        line("resident, upload and download", ("peak", Unit::Size), RESIDENT),
    ]
}

fn small(tasks: usize, milliseconds: u64) -> Vec<Row<Job>> {
    let job = Job::Small(Small { tasks, milliseconds });
    let of = format!("of 1 KiB: {tasks} task{}", if tasks == 1 { "" } else { "s" });
    let line = |what: &str, number| {
        row("small", format!("{what} {of}"), &job, (number, Unit::PerSecond), RATE)
    };
    vec![line("puts", "put"), line("gets", "get")]
}

fn listing(objects: usize) -> Vec<Row<Job>> {
    let job = Job::Listing(Listing { count: objects });
    let line = |label: String, number, goal| row("list", label, &job, number, goal);
    let milliseconds = |number| (number, Unit::Milliseconds);
    let (half, all) = (count(objects / 2), count(objects));
    vec![
        line(format!("list {half} objects of one directory"), milliseconds("list"), Shown),
        line(format!("walk {all} objects"), milliseconds("walk"), Shown),
        line(format!("resident, list and walk {all} objects"), ("peak", Unit::Size), RESIDENT),
    ]
}
