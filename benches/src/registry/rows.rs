//! Every line of the table, and the goal of each.

use super::{Deletion, Job, Lists, Requests, Scale, Storage, Streams, Target};
use crate::harness::{
    MIB, Who,
    table::{
        Goal::{self, AbovePeer, AtMost, OfPeer, Shown},
        Row, Unit, count, size,
    },
};

/// How many blobs are pushed at once, where it is many.
const MANY: usize = 16;
/// How many times as fast as distribution streams are to be.
const STREAM: Goal = AbovePeer(2.0);
/// And small requests.
const REQUEST: Goal = AbovePeer(3.0);
/// What part of its time lists may take.
const LIST: Goal = OfPeer(0.1);
/// What the process may have in memory whatever is in files.
const RESIDENT: Goal = AtMost((64 * MIB) as f64);
/// And as a multiple of what it holds, if that is in memory.
const HELD: Goal = AtMost(1.05);

/// Storages, and how a line ends that is about each.
const FILES: (&str, Storage) = ("files", Storage::Files { durable: false });
const DURABLE: (&str, Storage) = ("files, durable", Storage::Files { durable: true });
const MEMORY: (&str, Storage) = ("memory", Storage::Memory);

/// All lines, at this scale, of targets that differ from `target` in their storage.
pub fn rows(scale: &Scale, target: &Target) -> Vec<Row<Job>> {
    let on = |(name, storage)| (name, Target { storage, ..target.clone() });
    let (files, durable, memory) = (on(FILES), on(DURABLE), on(MEMORY));
    let mut rows = Vec::new();
    rows.extend(streams(1, scale.blob, &files));
    rows.extend(streams(MANY, scale.each, &files));
    rows.extend(streams(1, scale.blob, &durable).into_iter().take(1));
    // Of a small blob the process itself would be most of what is resident.
    rows.extend(streams(1, scale.small, &memory).into_iter().take(2));
    rows.extend(streams(1, scale.blob, &memory));
    rows.extend(streams(MANY, scale.each, &memory));
    rows.extend(requests(scale, &files));
    rows.extend(requests(scale, &durable).into_iter().filter(|row| row.number == "put"));
    rows.extend(requests(scale, &memory));
    rows.extend(lists(scale, &files));
    rows.extend(lists(scale, &memory));
    rows.extend([deletion(scale, &files), deletion(scale, &memory)]);
    rows
}

/// A line with distribution as the peer.
fn row(
    group: &'static str,
    label: String,
    job: Job,
    number: (&'static str, Unit),
    goal: Goal,
) -> Row<Job> {
    Row::new(group, label, job, number, goal).peers(&[Who::Distribution])
}

fn streams(blobs: usize, bytes: u64, (name, target): &(&str, Target)) -> Vec<Row<Job>> {
    let job = Job::Streams(Streams { target: target.clone(), count: blobs, size: bytes });
    let of = format!("{blobs} × {}, {name}", size(bytes));
    let line = |what: &str, number, goal| {
        row("streams", format!("{what} {of}"), job.clone(), number, goal)
    };
    let rate = |number| (number, Unit::Throughput);
    let resident = match target.storage {
        Storage::Files { .. } => line("resident, push and pull", ("peak", Unit::Size), RESIDENT),
        Storage::Memory => line("resident / content,", ("held", Unit::Times), HELD),
    };
    vec![
        line("push", rate("push"), STREAM).limits(&[Who::Loopback, Who::Sha2]),
        line("pull", rate("pull"), STREAM).limits(&[Who::Loopback]),
        resident,
        line("the client's part of the work,", ("client", Unit::Times), Shown),
    ]
}

fn requests(scale: &Scale, (name, target): &(&str, Target)) -> Vec<Row<Job>> {
    let (target, milliseconds) = (target.clone(), scale.milliseconds);
    let job = Job::Requests(Requests { target, milliseconds });
    let line = |what: &str, number, goal| {
        row("requests", format!("{what}, {name}"), job.clone(), number, goal)
    };
    let mut rows = Vec::new();
    for (what, rate, median, most) in [
        ("GET of a manifest by tag", "get", "get p50", "get p99"),
        ("HEAD of a blob", "head", "head p50", "head p99"),
        ("PUT of a manifest by tag", "put", "put p50", "put p99"),
    ] {
        rows.push(line(what, (rate, Unit::PerSecond), REQUEST));
        rows.push(line(&format!("{what}: p50"), (median, Unit::Microseconds), Shown));
        rows.push(line(&format!("{what}: p99"), (most, Unit::Microseconds), Shown));
    }
    rows.push(line("the client's part of the work, requests", ("client", Unit::Times), Shown));
    rows
}

fn deletion(scale: &Scale, (name, target): &(&str, Target)) -> Row<Job> {
    let job = Job::Deletion(Deletion { target: target.clone(), count: scale.names });
    let label = format!("a manifest with {} tags, {name}", count(scale.names));
    row("delete", label, job, ("delete", Unit::Milliseconds), Shown)
}

fn lists(scale: &Scale, (name, target): &(&str, Target)) -> Vec<Row<Job>> {
    let job = Job::Lists(Lists { target: target.clone(), count: scale.names });
    let names = count(scale.names);
    let line = |what: String, number| {
        let number = (number, Unit::Milliseconds);
        row("lists", format!("{what}, {name}"), job.clone(), number, LIST)
    };
    vec![
        line(format!("{names} tags"), "tags"),
        line(format!("the first 100 of {names} tags"), "first tags"),
        line(format!("{names} repositories"), "catalog"),
        line(format!("the first 100 of {names} repositories"), "first catalog"),
    ]
}
