//! Every line of the table, and the goal of each.

use super::{job::Job, scale::Scale};
use crate::{
    harness::{
        KIB, MIB, Who,
        table::{
            Goal::{
                AbovePeer, AtLeast, AtMost, AtMostOrOfStore, BelowPeer, OfLimit, OfPeer, Shown,
            },
            Row, Unit, count, size,
        },
    },
    memory::jobs::{
        Allocation, Churn, Emptying, Fork, Growing, Listing, Load, Mixed, Objects, Publish, Range,
        UnderLoad, Upload, WriteOwned,
    },
};

/// The machine's ways to bring bytes into memory that it has to find.
const FRESH: [Who; 3] = [Who::Small, Who::Populated, Who::Huge];
/// Everyone that takes in bytes.
const WITH_TMPFS: [Who; 4] = [Who::ObjectStore, Who::Opendal, Who::Naive, Who::Tmpfs];
/// The chunks that a large blob comes in.
const CHUNKS: [usize; 3] = [8 * KIB as usize, 64 * KIB as usize, MIB as usize];
const CHUNK: usize = CHUNKS[1];
/// The largest allocation: one segment.
const SEGMENT: f64 = MIB as f64;
/// What the pool holds unless it is told otherwise, at most.
const POOL: u64 = 64 * MIB;
/// What may be resident once many small objects are gone.
const EMPTY: u64 = 128 * MIB;
/// What the process keeps that is no content: the runtime, the allocator's own.
const SLACK: u64 = 4 * MIB;
/// A small object.
const OBJECT: usize = 4 << 10;
/// What is in an object where only their number counts.
const TINY: usize = 16;

/// All lines, at this scale.
pub fn rows(scale: &Scale) -> Vec<Row<Job>> {
    let groups = [
        uploads(scale),
        publishing(scale),
        memory(scale),
        reading(scale),
        objects(scale),
        emptying(scale),
        growing(scale),
        listing(scale),
        mixed(scale),
        stalls(scale),
        churn(scale),
        forks(scale),
    ];
    groups.into_iter().flatten().collect()
}

fn upload(scale: &Scale, chunk: usize, recycled: bool, pool: Option<u64>) -> Job {
    Job::Upload(Upload { size: scale.blob, chunk, recycled, pool })
}

fn uploads(scale: &Scale) -> Vec<Row<Job>> {
    let mut rows = Vec::new();
    let seconds = ("seconds", Unit::Seconds);
    let blob = size(scale.blob);
    for chunk in CHUNKS {
        let label = format!("upload {blob}, copied, {} chunks", size(chunk as u64));
        let job = upload(scale, chunk, false, None);
        let row = Row::new("upload", &label, job, seconds, OfLimit(1.05));
        rows.push(row.limits(&FRESH).peers(&WITH_TMPFS));
    }
    for chunk in CHUNKS {
        let label = format!("upload {blob}, {} chunks, memory recycled", size(chunk as u64));
        let job = upload(scale, chunk, true, None);
        let row = Row::new("recycled", &label, job, seconds, OfLimit(1.25));
        rows.push(row.limits(&[Who::Touched]).peers(&WITH_TMPFS));
    }
    let label = format!("a chunk of {} written as Bytes", size(CHUNK as u64));
    let job = Job::WriteOwned(WriteOwned { size: scale.blob, chunk: CHUNK });
    let nanoseconds = ("chunk", Unit::Nanoseconds);
    rows.push(Row::new("owned", label, job, nanoseconds, AtMost(150.0)));
    rows
}

fn publishing(scale: &Scale) -> Vec<Row<Job>> {
    let mut rows = Vec::new();
    for (number, label) in [
        ("commit", "commit"),
        ("commit_to", "commit_to"),
        ("copy", "copy"),
        ("append", "open for append"),
    ] {
        for &bytes in &scale.commits {
            let job = Job::Publish(Publish { size: bytes });
            let label = format!("{label}, {}", size(bytes));
            let figure = (number, Unit::Microseconds);
            let row = Row::new("commit", label, job, figure, AtMost(100.0));
            let with_peers = number == "commit" && bytes <= scale.blob;
            rows.push(if with_peers { row } else { row.peers(&[]) });
        }
    }
    rows
}

fn memory(scale: &Scale) -> Vec<Row<Job>> {
    let (blob, large) = (size(scale.blob), size(scale.large));
    let once = upload(scale, CHUNK, false, None);
    let peak = ("peak", Unit::Times);
    let left = ("left", Unit::Size);
    let largest = ("largest", Unit::Size);
    let allocation = |size| Job::Allocation(Allocation { size });
    vec![
        Row::new(
            "memory",
            format!("peak resident / payload, {blob}"),
            once.clone(),
            peak,
            AtMost(1.02),
        ),
        Row::new(
            "memory",
            format!("largest allocation, {blob}"),
            allocation(scale.blob),
            largest,
            AtMost(SEGMENT),
        ),
        Row::new(
            "memory",
            format!("largest allocation, {large}"),
            allocation(scale.large),
            largest,
            AtMost(SEGMENT),
        )
        .peers(&[]),
        Row::new(
            "memory",
            format!("resident after delete of {blob}"),
            once.clone(),
            left,
            AtMost((POOL + SLACK) as f64),
        ),
        Row::new(
            "memory",
            "the same, in the store's own count",
            once,
            ("held", Unit::Size),
            AtMost(POOL as f64),
        )
        .peers(&[]),
        Row::new(
            "memory",
            "the same, without a pool",
            upload(scale, CHUNK, false, Some(0)),
            left,
            AtMost(SLACK as f64),
        )
        .peers(&[]),
    ]
}

fn reading(scale: &Scale) -> Vec<Row<Job>> {
    let mut rows = Vec::new();
    let mut draw = |bytes: u64, chunk: usize, with_peers: bool| {
        let job = Job::Range(Range { size: bytes, chunk, draws: scale.draws });
        let label = format!("4 KiB of {}, written in {}", size(bytes), size(chunk as u64));
        for (number, bound) in [("p50", 250.0), ("p99", 400.0)] {
            let label = format!("{label}: {number}");
            let goal = AtMostOrOfStore(bound, 1.3);
            let row = Row::new("range", label, job.clone(), (number, Unit::Nanoseconds), goal);
            let row = row.limits(&[Who::Slice]);
            rows.push(if with_peers { row } else { row.limits(&[]).peers(&[]) });
        }
    };
    draw(scale.blob, CHUNKS[0], true);
    draw(scale.blob, CHUNK, true);
    draw(scale.large, CHUNK, false);
    let job = Job::Range(Range { size: scale.blob, chunk: CHUNK, draws: scale.draws });
    let label = format!("reader of 4 KiB of {}: p50", size(scale.blob));
    let number = ("reader p50", Unit::Nanoseconds);
    rows.push(
        Row::new("range", label, job.clone(), number, AtMost(300.0)).peers(&[Who::ObjectStore]),
    );
    let label = format!("untouched read of {}", size(scale.blob));
    rows.push(Row::new("read", label, job, ("read", Unit::Microseconds), AtMost(60.0)));
    rows
}

fn objects(scale: &Scale) -> Vec<Row<Job>> {
    let mut rows = Vec::new();
    for number in ["put", "get", "stat", "delete"] {
        for &population in &scale.populations {
            let label = format!("{number} at {} objects", count(population));
            let job = Job::Objects(Objects { count: population, content: OBJECT });
            rows.push(Row::new("objects", label, job, (number, Unit::Nanoseconds), OfPeer(0.5)));
        }
        if let Some(most) = scale.most {
            let label = format!("{number} at {}, of {TINY} bytes", count(most));
            let job = Job::Objects(Objects { count: most, content: TINY });
            let row = Row::new("objects", label, job, (number, Unit::Nanoseconds), OfPeer(0.5));
            rows.push(row.peers(&[Who::Naive]));
        }
    }
    if let Some(&population) = scale.populations.last() {
        let job = Job::Objects(Objects { count: population, content: OBJECT });
        let label = format!("put at {} into fresh memory", count(population));
        let fresh = ("fresh", Unit::Nanoseconds);
        rows.push(Row::new("objects", label, job.clone(), fresh, Shown));
        let label = format!("extra memory an object, at {}", count(population));
        rows.push(Row::new("objects", label, job, ("extra", Unit::Bytes), AtMost(130.0)));
    }
    if let Some(huge) = scale.huge {
        let job = Job::Objects(Objects { count: huge, content: TINY });
        for (number, unit) in [
            ("put", Unit::Nanoseconds),
            ("get", Unit::Nanoseconds),
            ("stat", Unit::Nanoseconds),
            ("delete", Unit::Nanoseconds),
            ("extra", Unit::Bytes),
        ] {
            let label = format!("{number} at {}, of {TINY} bytes", count(huge));
            rows.push(Row::new("huge", label, job.clone(), (number, unit), Shown).peers(&[]));
        }
    }
    if let Some(most) = scale.most {
        let job = Job::Objects(Objects { count: most, content: TINY });
        let label = format!("extra memory an object, at {} of {TINY} bytes", count(most));
        let row = Row::new("objects", label, job, ("extra", Unit::Bytes), AtMost(130.0));
        rows.push(row.peers(&[Who::Naive]));
    }
    rows
}

fn emptying(scale: &Scale) -> Vec<Row<Job>> {
    let Some(&population) = scale.populations.last() else { return Vec::new() };
    let (objects, job) = (count(population), Emptying { count: population, content: OBJECT });
    let row = |label: String, number, unit, goal| {
        Row::new("emptying", label, Job::Emptying(job.clone()), (number, unit), goal)
    };
    let (time, memory) = (Unit::Nanoseconds, Unit::Size);
    vec![
        row(format!("put into an empty store, up to {objects}"), "fill", time, AtMost(2700.0)),
        row(format!("put or delete, half of {objects} there"), "half", time, Shown),
        row(format!("delete, until {objects} are gone"), "empty", time, AtMost(1500.0)),
        row(format!("resident with every hundredth of {objects}"), "thinned", memory, Shown),
        row(format!("resident without any of {objects}"), "left", memory, AtMost(EMPTY as f64)),
    ]
}

fn growing(scale: &Scale) -> Vec<Row<Job>> {
    let row = |bytes: u64, label: &str, number, unit, goal| {
        let label = format!("{label}/size={bytes}");
        Row::new("growing", label, Job::Growing(Growing { size: bytes }), (number, unit), goal)
            .peers(&[Who::Naive])
    };
    let mut rows = Vec::new();
    for bytes in [scale.blob, scale.large] {
        rows.extend([
            row(bytes, "BenchmarkWriteAt", "write", Unit::Seconds, Shown),
            row(bytes, "BenchmarkWriteAt, allocated,", "write_bytes", Unit::Size, Shown),
            row(bytes, "BenchmarkAppends", "append", Unit::Microseconds, AtMost(94.0)),
            row(bytes, "BenchmarkAppends, allocated,", "append_bytes", Unit::Size, Shown),
            row(bytes, "BenchmarkAppends, largest,", "largest", Unit::Size, AtMost(SEGMENT)),
        ]);
    }
    rows
}

fn listing(scale: &Scale) -> Vec<Row<Job>> {
    let objects = count(scale.objects);
    let job = Job::Listing(Listing { count: scale.objects });
    let row = |label: String, number, unit, goal| {
        Row::new("list", label, job.clone(), (number, unit), goal)
    };
    let nanoseconds = Unit::Nanoseconds;
    vec![
        row(
            format!("list 256 directories above {objects}"),
            "dirs",
            Unit::Microseconds,
            AtMost(100.0),
        ),
        row(format!("list {objects} of one directory, an entry"), "flat", nanoseconds, BelowPeer),
        row(format!("walk {objects} objects, an entry"), "walk", nanoseconds, BelowPeer),
        row(format!("walk {objects} objects, a file"), "walk_file", nanoseconds, Shown),
    ]
}

fn mixed(scale: &Scale) -> Vec<Row<Job>> {
    let job = |tasks, workers| {
        let (objects, milliseconds) = (scale.mixed, scale.milliseconds);
        Job::Mixed(Mixed { objects, tasks, workers, milliseconds })
    };
    let rate = ("rate", Unit::Rate);
    vec![
        Row::new("mixed", "80 % get, 20 % put: 1 task", job(1, 2), rate, AbovePeer(1.2)),
        Row::new("mixed", "80 % get, 20 % put: 8 tasks", job(8, 2), rate, AbovePeer(1.2)),
        Row::new(
            "mixed",
            "8 tasks, from 1 worker to 2",
            job(8, 2),
            ("rate", Unit::Times),
            AtLeast(1.6),
        )
        .per(job(8, 1)),
    ]
}

fn stalls(scale: &Scale) -> Vec<Row<Job>> {
    let loads = [
        // Eight uploads hold as much as one large blob and a bit.
        (Load::Uploads(scale.blob * 2), true),
        (Load::Walk(scale.objects), true),
        (Load::Delete(scale.objects), true),
        (Load::Rename(scale.objects), true),
        (Load::Drop(scale.blob), true),
        (Load::Drop(scale.large), false),
    ];
    let mut rows = Vec::new();
    for (load, with_peers) in loads {
        for (number, unit, of, bound) in [
            ("p99", Unit::Microseconds, "p99 of a get", 5.0),
            ("poll", Unit::Milliseconds, "longest poll", 5.0),
        ] {
            let label = format!("during {}: {of}", load.name());
            let job = Job::UnderLoad(UnderLoad { load });
            let row = Row::new("load", label, job, (number, unit), AtMost(bound));
            rows.push(if with_peers { row } else { row.peers(&[]) });
        }
    }
    rows
}

fn churn(scale: &Scale) -> Vec<Row<Job>> {
    // Eight of them are two large blobs.
    let job = Churn { size: scale.blob / 4, rounds: 4 };
    let label = format!("8 × {} again and again", size(job.size));
    let row = |of: &str, number, unit, goal| {
        let job = Job::Churn(job.clone());
        Row::new("churn", format!("{label}: {of}"), job, (number, unit), goal)
    };
    vec![
        row("uploads", "rate", Unit::Throughput, AtLeast(8e9 / MIB as f64)),
        row("p99 of a get", "p99", Unit::Microseconds, AtMost(5.0)),
        row("p99 of a poll", "poll_p99", Unit::Microseconds, AtMost(100.0)),
        row("longest poll", "poll", Unit::Milliseconds, AtMost(5.0)),
        row("resident afterwards", "left", Unit::Size, AtMost((16 * MIB) as f64)),
    ]
}

fn forks(scale: &Scale) -> Vec<Row<Job>> {
    let objects = count(scale.objects);
    let job = Job::Fork(Fork { count: scale.objects });
    let row = |label: String, number, goal| {
        let row = Row::new("fork", label, job.clone(), (number, Unit::Microseconds), goal);
        row.peers(&[Who::ObjectStore, Who::Naive])
    };
    vec![
        row(format!("fork of {objects} objects"), "fork", AtMost(10.0)),
        row(String::from("slowest of 100 k puts after it"), "slowest", AtMost(50.0)),
        row(String::from("mean of them"), "mean", Shown),
    ]
}
