//! Every line of the table, and the goal of each.

use super::{
    Act, Chunks, Costs, Deletion, Job, Lists, Requests, Scale, Storage, Streams, Target, Zb,
};
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
const BUCKET: (&str, Storage) = ("bucket", Storage::Bucket { nodes: 1 });
const NODES: (&str, Storage) = ("bucket, 3 nodes", Storage::Bucket { nodes: 3 });
/// How many times as fast as distribution chunks are to be, on a bucket.
const CHUNKED: Goal = AbovePeer(3.0);
/// What part of distribution's requests to the bucket ours may send.
const REQUESTS: Goal = OfPeer(0.5);
/// What a process may have in memory whatever is in the bucket.
const NODE: Goal = AtMost((128 * MIB) as f64);
/// A blob that is pushed in chunks, and in how many.
const CHUNKED_BLOB: u64 = 100 * MIB;
const CHUNKS: usize = 20;

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
    rows.extend(zb(scale, &files));
    rows.extend(in_a_bucket(scale, &on(BUCKET), &on(NODES)));
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
        Storage::Bucket { .. } => line("resident, push and pull", ("peak", Unit::Size), NODE),
    };
    vec![
        line("push", rate("push"), STREAM).limits(&[Who::Loopback, Who::Sha2]),
        line("pull", rate("pull"), STREAM).limits(&[Who::Loopback]),
        resident,
        line("the client's part of the work,", ("client", Unit::Times), Shown),
        line("push, processor time a GiB,", ("push cpu", Unit::Seconds), Shown),
        line("push, context switches a GiB,", ("push switches", Unit::Count), Shown),
        line("pull, processor time a GiB,", ("pull cpu", Unit::Seconds), Shown),
        line("pull, context switches a GiB,", ("pull switches", Unit::Count), Shown),
    ]
}

fn requests(scale: &Scale, (name, target): &(&str, Target)) -> Vec<Row<Job>> {
    let (target, milliseconds) = (target.clone(), scale.milliseconds);
    let job = Job::Requests(Requests { target, milliseconds });
    let line = |what: &str, number, goal| {
        row("requests", format!("{what}, {name}"), job.clone(), number, goal)
    };
    let mut rows = Vec::new();
    for (what, rate, [median, most, cpu, switches]) in [
        ("GET of a manifest by tag", "get", ["get p50", "get p99", "get cpu", "get switches"]),
        ("HEAD of a blob", "head", ["head p50", "head p99", "head cpu", "head switches"]),
        ("PUT of a manifest by tag", "put", ["put p50", "put p99", "put cpu", "put switches"]),
    ] {
        rows.push(line(what, (rate, Unit::PerSecond), REQUEST));
        for (number, figure, unit) in [
            ("p50", median, Unit::Microseconds),
            ("p99", most, Unit::Microseconds),
            ("processor time of a thousand", cpu, Unit::Seconds),
            ("context switches of a thousand", switches, Unit::Count),
        ] {
            rows.push(line(&format!("{what}: {number}"), (figure, unit), Shown));
        }
    }
    rows.push(line("the client's part of the work, requests", ("client", Unit::Times), Shown));
    rows
}

fn deletion(scale: &Scale, (name, target): &(&str, Target)) -> Row<Job> {
    let job = Job::Deletion(Deletion { target: target.clone(), count: scale.names });
    let label = format!("a manifest with {} tags, {name}", count(scale.names));
    row("delete", label, job, ("delete", Unit::Milliseconds), Shown)
}

/// What each scenario of `zb` is named, does, and how many percent of its layers have 1, 10 and 100 MiB.
const ZB: [(&str, Act, [usize; 3]); 16] = [
    ("Get Catalog", Act::Catalog, SMALL),
    ("Push Monolith 1MB", Act::PushMonolith, SMALL),
    ("Push Monolith 10MB", Act::PushMonolith, MEDIUM),
    ("Push Monolith 100MB", Act::PushMonolith, LARGE),
    ("Push Chunk Streamed 1MB", Act::PushChunked, SMALL),
    ("Push Chunk Streamed 10MB", Act::PushChunked, MEDIUM),
    ("Push Chunk Streamed 100MB", Act::PushChunked, LARGE),
    ("Pull 1MB", Act::Pull, SMALL),
    ("Pull 10MB", Act::Pull, MEDIUM),
    ("Pull 100MB", Act::Pull, LARGE),
    ("Pull Mixed 20% 1MB, 70% 10MB, 10% 100MB", Act::Pull, [20, 70, 10]),
    ("Push Monolith Mixed 20% 1MB, 70% 10MB, 10% 100MB", Act::PushMonolith, [20, 70, 10]),
    ("Push Chunk Mixed 33% 1MB, 33% 10MB, 33% 100MB", Act::PushChunked, [34, 33, 33]),
    ("Pull 75% and Push 25% Mixed 1MB", Act::PullAndPush, SMALL),
    ("Pull 75% and Push 25% Mixed 10MB", Act::PullAndPush, MEDIUM),
    ("Pull 75% and Push 25% Mixed 100MB", Act::PullAndPush, LARGE),
];
const SMALL: [usize; 3] = [100, 0, 0];
const MEDIUM: [usize; 3] = [0, 100, 0];
const LARGE: [usize; 3] = [0, 0, 100];
/// The clients of such a scenario, and how often at most it does what it does.
const ZB_CLIENTS: usize = 8;
const ZB_MOST: u64 = 1000;

fn zb(scale: &Scale, (name, target): &(&str, Target)) -> Vec<Row<Job>> {
    let mut rows = Vec::new();
    for (scenario, act, percent) in ZB {
        let [small, medium, large] = percent.map(|part| part as u64);
        // The mean size of a layer, and the config of 1 MiB.
        let bytes = (small + 10 * medium + 100 * large) * MIB / 100 + MIB;
        let (target, clients) = (target.clone(), ZB_CLIENTS);
        let count = (scale.zb / bytes).min(ZB_MOST);
        let job = Job::Zb(Zb { target, act, percent, count, clients });
        for (what, figure, unit, goal) in [
            ("", "rate", Unit::PerSecond, AbovePeer(1.0)),
            (": p50", "p50", Unit::Milliseconds, Shown),
            (": p99", "p99", Unit::Milliseconds, Shown),
            (": processor time of a thousand", "zb cpu", Unit::Seconds, Shown),
        ] {
            let label = format!("{scenario}{what}, {name}");
            rows.push(row("zb", label, job.clone(), (figure, unit), goal));
        }
    }
    rows
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

/// The lines of registries on a bucket: one process, and several.
fn in_a_bucket(scale: &Scale, one: &(&str, Target), many: &(&str, Target)) -> Vec<Row<Job>> {
    let (name, target) = one;
    let mut rows = streams(1, scale.blob, one);
    rows.extend(streams(MANY, scale.in_bucket, one));
    rows.extend(streams(MANY, scale.in_bucket, many));
    let chunks = Chunks { target: target.clone(), size: CHUNKED_BLOB, chunks: CHUNKS };
    let label = format!("push {} in {CHUNKS} chunks, {name}", size(CHUNKED_BLOB));
    rows.push(row("streams", label, Job::Chunks(chunks), ("push", Unit::Throughput), CHUNKED));
    rows.extend(requests(scale, one));
    rows.extend(requests(scale, many));
    let job = Job::Costs(Costs { target: target.clone() });
    let line = |what: &str, number, goal| {
        let label = format!("requests to the {name}: {what}");
        row("costs", label, job.clone(), (number, Unit::Count), goal)
    };
    rows.extend([
        line("push of 100 MiB in one request", "push", REQUESTS),
        line("push of 100 MiB in 20 chunks", "chunks", REQUESTS),
        line("push of 1 MiB", "small", REQUESTS),
        line("PUT of a manifest by tag", "manifest", REQUESTS),
        line("GET of a manifest by tag", "get", AtMost(1.0)),
        line("HEAD of a blob", "head", AtMost(1.0)),
        line("GET of a blob of 1 MiB", "pull", Shown),
    ]);
    rows
}
