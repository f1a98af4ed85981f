//! Every line of the table, and the goal of each.

use super::{Download, Job, Listing, Puts, Range, Scale, Upload};
use crate::harness::{
    KIB, MIB, Place, Places, Who,
    table::{
        Goal::{self, AbovePeer, AtLeastOrLimit, AtMost, BelowPeer, OfLimit, Shown},
        Row, Unit, count, size,
    },
};

const PEERS: [Who; 3] = [Who::Tokio, Who::ObjectStore, Who::Opendal];
const CHUNK: usize = 64 << 10;
const RANGES: [u64; 2] = [4 * KIB, 64 * KIB];
const TASKS: [usize; 2] = [1, 64];
/// What a process may have resident, whatever it stores.
const RESIDENT: f64 = (64 * MIB) as f64;
/// How many times as many small files 64 tasks are to put as one.
const SCALING: f64 = 3.0;
/// How much longer than by hand a stream may take.
const STREAM: f64 = 1.1;

const SECONDS: (&str, Unit) = ("seconds", Unit::Seconds);
const PEAK: (&str, Unit) = ("peak", Unit::Size);
const RATE: (&str, Unit) = ("rate", Unit::PerSecond);

/// All lines, at this scale. What is in memory is left out where there is no such file system.
pub fn rows(scale: &Scale, places: &Places) -> Vec<Row<Job>> {
    let mut rows = Vec::new();
    if let Some(tmpfs) = &places.tmpfs {
        rows.extend(uploads(scale, tmpfs));
    }
    rows.extend(durable_uploads(scale, &places.disk));
    let both = || [("tmpfs", places.tmpfs.as_ref()), ("disk", Some(&places.disk))];
    let both = || both().into_iter().filter_map(|(name, place)| Some((name, place?)));
    for (name, place) in both() {
        rows.extend(downloads(scale, name, place));
    }
    for (name, place) in both() {
        rows.extend(ranges(scale, name, place));
    }
    rows.extend(puts(scale, "disk, durable", &places.disk, true, true));
    rows.extend(puts(scale, "disk", &places.disk, false, true));
    if let Some(tmpfs) = &places.tmpfs {
        // Here it is room that is scarce.
        rows.extend(puts(scale, "tmpfs", tmpfs, false, false));
    }
    let (name, place) = both().next().expect("there is always a disk");
    rows.extend(listings(scale, name, place));
    rows
}

/// A line with the limit of one thread and all peers.
fn row(
    group: &'static str,
    label: String,
    job: Job,
    number: (&'static str, Unit),
    goal: Goal,
) -> Row<Job> {
    let row = Row::new(group, label, job, number, goal);
    row.limits(&[Who::Plain]).peers(&PEERS)
}

fn upload(scale: &Scale, place: &Place, durable: bool, copied: bool) -> Job {
    let dir = place.dir.clone();
    Job::Upload(Upload { dir, size: scale.blob, chunk: CHUNK, durable, copied })
}

fn uploads(scale: &Scale, place: &Place) -> Vec<Row<Job>> {
    let blob = size(scale.blob);
    let label = format!("upload {blob}, tmpfs");
    let (kept, copied) = (upload(scale, place, false, false), upload(scale, place, false, true));
    vec![
        row("upload", label.clone(), kept, SECONDS, OfLimit(STREAM)).also(BelowPeer),
        row("upload", format!("{label}, copied"), copied.clone(), SECONDS, OfLimit(STREAM))
            .also(BelowPeer),
        row("memory", format!("{label}, copied: resident"), copied, PEAK, AtMost(RESIDENT)),
    ]
}

fn durable_uploads(scale: &Scale, place: &Place) -> Vec<Row<Job>> {
    let label = format!("upload {}, disk", size(scale.blob));
    let (durable, not) = (upload(scale, place, true, true), upload(scale, place, false, true));
    vec![
        row("upload", format!("{label}, durable"), durable.clone(), SECONDS, BelowPeer),
        row("memory", format!("{label}, durable: resident"), durable, PEAK, AtMost(RESIDENT)),
        row("upload", label, not, SECONDS, BelowPeer),
    ]
}

fn downloads(scale: &Scale, name: &str, place: &Place) -> Vec<Row<Job>> {
    let job = Job::Download(Download { dir: place.dir.clone(), size: scale.blob });
    let label = format!("download {}, {name}", size(scale.blob));
    vec![
        row("download", label.clone(), job.clone(), SECONDS, OfLimit(STREAM)).also(BelowPeer),
        row("memory", format!("{label}: resident"), job, PEAK, AtMost(RESIDENT)),
    ]
}

fn ranges(scale: &Scale, name: &str, place: &Place) -> Vec<Row<Job>> {
    let mut rows = Vec::new();
    for range in RANGES {
        let dir = place.dir.clone();
        let job = Job::Range(Range { dir, size: scale.blob, range, draws: scale.draws });
        let label = format!("{} of {}, {name}", size(range), size(scale.blob));
        rows.push(row("range", label.clone(), job.clone(), RATE, AbovePeer(1.0)));
        for quantile in ["p50", "p99"] {
            let number = (quantile, Unit::Microseconds);
            let label = format!("{label}: {quantile}");
            rows.push(row("range", label, job.clone(), number, BelowPeer));
        }
    }
    rows
}

fn puts(scale: &Scale, name: &str, place: &Place, durable: bool, left: bool) -> Vec<Row<Job>> {
    let job = |tasks, apart| {
        let (dir, milliseconds) = (place.dir.clone(), scale.milliseconds);
        Job::Puts(Puts { dir, durable, tasks, apart, left, milliseconds })
    };
    let mut rows = Vec::new();
    for apart in [false, true] {
        let label = match apart {
            false => format!("puts of 1 KiB, {name}"),
            true => format!("puts of 1 KiB, a directory each, {name}"),
        };
        for tasks in TASKS {
            let label = format!("{label}: {tasks} task{}", if tasks == 1 { "" } else { "s" });
            rows.push(row("puts", label, job(tasks, apart), RATE, AbovePeer(1.0)));
        }
        let [one, many] = TASKS;
        let times = (RATE.0, Unit::Times);
        let goal = if durable { AtLeastOrLimit(SCALING) } else { Shown };
        let label = format!("{label}: from 1 task to {many}");
        let scaling = row("puts", label, job(many, apart), times, goal);
        rows.push(scaling.per(job(one, apart)));
    }
    rows
}

fn listings(scale: &Scale, name: &str, place: &Place) -> Vec<Row<Job>> {
    let of = |count, nested| Job::Listing(Listing { dir: place.dir.clone(), count, nested });
    let job = |nested| of(scale.files, nested);
    let files = count(scale.files);
    let flat = format!("{files} files of one directory, {name}");
    let nested = format!("{files} files in 1,000 directories, {name}");
    let tags = format!("{} files of one directory, {name}", count(scale.tags));
    let milliseconds = |number| (number, Unit::Milliseconds);
    let line = |what: &str, label: &str, job, number, goal| {
        row("list", format!("{what} {label}"), job, number, goal)
    };
    vec![
        line("list", &flat, job(false), milliseconds("list"), BelowPeer),
        line("first 1,000 of", &flat, job(false), milliseconds("first"), BelowPeer),
        line("list", &tags, of(scale.tags, false), milliseconds("list"), BelowPeer),
        line("list names of", &tags, of(scale.tags, false), milliseconds("names"), BelowPeer),
        line("walk", &flat, job(false), milliseconds("walk"), BelowPeer),
        line("resident, list and walk", &flat, job(false), PEAK, AtMost(RESIDENT)),
        line("list above", &nested, job(true), milliseconds("list"), BelowPeer),
        line("walk", &nested, job(true), milliseconds("walk"), BelowPeer),
        line("resident, list and walk", &nested, job(true), PEAK, AtMost(RESIDENT)),
    ]
}
