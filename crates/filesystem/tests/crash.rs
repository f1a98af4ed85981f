//! kill -9 under load: all acknowledged data is there, byte for byte, and nothing is there in part.
//!
//! A child process writes, and reports on a pipe what it begins and what was acknowledged. It is killed
//! after some number of lines; then its root is opened and compared with the reports. The next round
//! continues with the same root.
//!
//! ```text
//! cargo test -p storage-driver-filesystem --test crash                                   # 25 rounds
//! CRASH_ROUNDS=1000 cargo test --release -p storage-driver-filesystem --test crash       # a thousand
//! ```

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Write},
    path::{Path as FsPath, PathBuf},
    process::{Child, Command, Stdio},
    str::FromStr,
};

use bytes::Bytes;
use futures::TryStreamExt;
use storage_driver::{
    Path, Precondition, Result, StorageDriver, StorageDriverExt, WalkOptions, WriterOptions,
};
use storage_driver_filesystem::{Durability, Filesystem};

const TASKS: usize = 6;
const ROOT: &str = "CRASH_ROOT";
const SEED: &str = "CRASH_SEED";
const COUNTER: &str = "/counter";

/// The note of an upload of this size: empty for no bytes.
fn note(seed: u64, size: u64) -> Bytes {
    content(seed ^ 0x6E6F_7465, 0..(size * 7) % 4097)
}

/// Pseudo-random numbers from a seed.
struct Random(u64);

impl Random {
    /// One of the numbers below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64, by Steele, Lea and Flood.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// Content from a seed, in which a shift or an exchange is visible.
fn content(seed: u64, range: std::ops::Range<u64>) -> Bytes {
    let word = |index: u64| (seed ^ index).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
    let words: Vec<[u8; 8]> = (range.start / 8..range.end.div_ceil(8)).map(word).collect();
    let start = (range.start % 8) as usize;
    Bytes::from(words.into_flattened()).slice(start..start + (range.end - range.start) as usize)
}

/// An operation of a task, in its own directory. It is written to the pipe as text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Op {
    Put {
        name: String,
        seed: u64,
        size: u64,
    },
    Delete {
        name: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Copy {
        from: String,
        to: String,
    },
    RenameDir {
        from: String,
        to: String,
    },
    DeleteDir {
        name: String,
    },
    /// Opens an upload, or resumes it, and keeps so many bytes more.
    Keep {
        name: String,
        seed: u64,
        from: u64,
        to: u64,
    },
    CommitTo {
        name: String,
        to: String,
    },
    Cancel {
        name: String,
    },
}

impl Op {
    fn to_text(&self) -> String {
        match self {
            Self::Put { name, seed, size } => format!("put {name} {seed} {size}"),
            Self::Delete { name } => format!("delete {name}"),
            Self::Rename { from, to } => format!("rename {from} {to}"),
            Self::Copy { from, to } => format!("copy {from} {to}"),
            Self::RenameDir { from, to } => format!("rename_dir {from} {to}"),
            Self::DeleteDir { name } => format!("delete_dir {name}"),
            Self::Keep { name, seed, from, to } => format!("keep {name} {seed} {from} {to}"),
            Self::CommitTo { name, to } => format!("commit_to {name} {to}"),
            Self::Cancel { name } => format!("cancel {name}"),
        }
    }

    fn parse(words: &[&str]) -> Self {
        let text = |at: usize| words[at].to_owned();
        let number = |at: usize| u64::from_str(words[at]).unwrap();
        match words[0] {
            "put" => Self::Put { name: text(1), seed: number(2), size: number(3) },
            "delete" => Self::Delete { name: text(1) },
            "rename" => Self::Rename { from: text(1), to: text(2) },
            "copy" => Self::Copy { from: text(1), to: text(2) },
            "rename_dir" => Self::RenameDir { from: text(1), to: text(2) },
            "delete_dir" => Self::DeleteDir { name: text(1) },
            "keep" => Self::Keep { name: text(1), seed: number(2), from: number(3), to: number(4) },
            "commit_to" => Self::CommitTo { name: text(1), to: text(2) },
            "cancel" => Self::Cancel { name: text(1) },
            other => panic!("no operation is called {other}"),
        }
    }
}

/// The expected content of a task's directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct State {
    /// The seed and the size of each file.
    files: BTreeMap<String, (u64, u64)>,
    /// The seed and the kept size of each upload in progress.
    uploads: BTreeMap<String, (u64, u64)>,
}

impl State {
    fn under(&self, dir: &str) -> Vec<String> {
        let dir = format!("{dir}/");
        self.files.keys().filter(|name| name.starts_with(&dir)).cloned().collect()
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Put { name, seed, size } => {
                self.files.insert(name.clone(), (*seed, *size));
            }
            Op::Delete { name } => {
                self.files.remove(name);
            }
            Op::Rename { from, to } => {
                let file = self.files.remove(from).unwrap();
                self.files.insert(to.clone(), file);
            }
            Op::Copy { from, to } => {
                self.files.insert(to.clone(), self.files[from]);
            }
            Op::RenameDir { from, to } => {
                for name in self.under(from) {
                    let file = self.files.remove(&name).unwrap();
                    self.files.insert(name.replacen(from, to, 1), file);
                }
            }
            Op::DeleteDir { name } => {
                for name in self.under(name) {
                    self.files.remove(&name);
                }
            }
            Op::Keep { name, seed, to, .. } => {
                self.uploads.insert(name.clone(), (*seed, *to));
            }
            Op::CommitTo { name, to } => {
                let file = self.uploads.remove(name).unwrap();
                self.files.insert(to.clone(), file);
            }
            Op::Cancel { name } => {
                self.uploads.remove(name);
            }
        }
    }

    /// An operation that is possible now.
    fn choose(&self, task: usize, random: &mut Random) -> Op {
        let name = |random: &mut Random| {
            format!("{}/{}", ["a", "b", "c"][random.below(3) as usize], random.below(3))
        };
        let some = |random: &mut Random, names: Vec<&String>| {
            (!names.is_empty()).then(|| names[random.below(names.len() as u64) as usize].clone())
        };
        let size = |random: &mut Random| match random.below(6) {
            0 => 0,
            1 => 2_000_000 + random.below(2_000_000),
            _ => random.below(5000),
        };
        loop {
            let file = some(random, self.files.keys().collect());
            let upload = some(random, self.uploads.keys().collect());
            let dirs = ["a", "b", "c"].map(str::to_owned);
            return match (random.below(12), file, upload) {
                (0..3, ..) => {
                    Op::Put { name: name(random), seed: random.below(1 << 40), size: size(random) }
                }
                (3, Some(name), _) => Op::Delete { name },
                (4, Some(from), _) => {
                    let to = name(random);
                    if from == to {
                        continue;
                    }
                    Op::Rename { from, to }
                }
                (5, Some(from), _) => {
                    let to = name(random);
                    if from == to {
                        continue;
                    }
                    Op::Copy { from, to }
                }
                (6, ..) => {
                    let full = dirs.iter().find(|dir| !self.under(dir).is_empty());
                    let empty = dirs.iter().find(|dir| self.under(dir).is_empty());
                    let (Some(from), Some(to)) = (full, empty) else { continue };
                    Op::RenameDir { from: from.clone(), to: to.clone() }
                }
                (7, ..) => {
                    let Some(full) = dirs.iter().find(|dir| !self.under(dir).is_empty()) else {
                        continue;
                    };
                    Op::DeleteDir { name: full.clone() }
                }
                (8 | 9, ..) => {
                    let name = format!("_uploads/{}", random.below(3));
                    let seed = seed_of(task, &name);
                    let from = self.uploads.get(&name).map_or(0, |&(_, size)| size);
                    Op::Keep { name, seed, from, to: from + size(random) }
                }
                (10, _, Some(upload)) => Op::CommitTo { name: upload, to: name(random) },
                (11, _, Some(name)) if random.below(3) == 0 => Op::Cancel { name },
                _ => continue,
            };
        }
    }
}

/// The seed of an upload's content, so that another process can continue it.
fn seed_of(task: usize, upload: &str) -> u64 {
    task as u64 * 1000 + upload.len() as u64 + u64::from(upload.as_bytes()[upload.len() - 1])
}

fn at(task: usize, name: &str) -> Path {
    Path::parse(format!("/t{task}/{name}")).unwrap()
}

async fn perform(driver: &Filesystem, task: usize, op: &Op) -> Result<()> {
    let none = Precondition::None;
    match op {
        Op::Put { name, seed, size } => {
            driver.put(&at(task, name), content(*seed, 0..*size)).await.map(drop)
        }
        Op::Delete { name } => driver.delete(&at(task, name), none).await,
        Op::DeleteDir { name } => driver.delete_dir(&at(task, name)).await,
        Op::Rename { from, to } => {
            driver.rename(&at(task, from), &at(task, to), none).await.map(drop)
        }
        Op::Copy { from, to } => driver.copy(&at(task, from), &at(task, to), none).await.map(drop),
        Op::RenameDir { from, to } => driver.rename_dir(&at(task, from), &at(task, to)).await,
        Op::Keep { name, seed, from, to } => {
            let exists = driver.writer(&at(task, name), WriterOptions::resume_at(*from)).await;
            let mut writer = match exists {
                Err(error) if error.is_not_found() => driver.create(&at(task, name)).await?,
                writer => writer?,
            };
            let data = content(*seed, *from..*to);
            for piece in 0..data.len().div_ceil(100_000) {
                let end = data.len().min((piece + 1) * 100_000);
                writer.write_bytes(data.slice(piece * 100_000..end)).await?;
                writer.set_note(note(*seed, writer.size()))?;
            }
            writer.suspend().await
        }
        Op::CommitTo { name, to } => {
            let writer = driver.resume(&at(task, name)).await?;
            writer.commit_to(&at(task, to), none).await.map(drop)
        }
        Op::Cancel { name } => driver.cancel_upload(&at(task, name)).await,
    }
}

/// Reports a line to the parent. The parent reads it also if the child is killed afterwards.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

async fn state_of(driver: &Filesystem, task: usize) -> State {
    let mut state = State::default();
    let root = Path::parse(format!("/t{task}")).unwrap();
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_owned();
    let mut walk = driver.walk(&root, WalkOptions::new());
    loop {
        match walk.try_next().await {
            Ok(Some(entry)) => {
                if let Some(metadata) = entry.metadata() {
                    // The child needs the names only.
                    state.files.insert(name(entry.path()), (0, metadata.size));
                }
            }
            Ok(None) => break,
            Err(error) if error.is_not_found() => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    let mut uploads = driver.uploads_all(&root);
    while let Some(upload) = uploads.try_next().await.unwrap() {
        let name = name(&upload.path);
        state.uploads.insert(name.clone(), (seed_of(task, &name), upload.size.unwrap()));
    }
    state
}

/// The child process, which writes until it is killed.
#[test]
#[ignore = "it is started by the other test"]
fn child() {
    let Some(root) = env::var_os(ROOT).map(PathBuf::from) else { return };
    let seed: u64 = env::var(SEED).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let durability = if seed.is_multiple_of(5) { Durability::Full } else { Durability::None };
        let builder = Filesystem::builder().durability(durability);
        let driver = builder.open(root).await.unwrap();
        let mut tasks = Vec::new();
        for task in 0..TASKS {
            let driver = driver.clone();
            tasks.push(tokio::spawn(async move {
                let mut random = Random(seed * 100 + task as u64);
                let mut state = state_of(&driver, task).await;
                loop {
                    let op = state.choose(task, &mut random);
                    say(&format!("begin {task} {}", op.to_text()));
                    perform(&driver, task, &op).await.unwrap();
                    say(&format!("done {task}"));
                    state.apply(&op);
                    count(&driver).await;
                }
            }));
        }
        futures::future::join_all(tasks).await.into_iter().for_each(|task| task.unwrap());
    });
}

/// Increments the counter that all tasks share.
async fn count(driver: &Filesystem) {
    let counter = Path::parse(COUNTER).unwrap();
    let (number, precondition) = match driver.get_content(&counter, 99).await {
        Ok(content) => {
            let version = content.metadata().version.clone();
            let text = String::from_utf8(content.into_bytes().to_vec()).unwrap();
            (text.parse::<u64>().unwrap() + 1, Precondition::IfVersion(version))
        }
        Err(error) if error.is_not_found() => (1, Precondition::IfAbsent),
        Err(error) => panic!("{error:?}"),
    };
    match driver.put_content(&counter, number.to_string().into(), precondition).await {
        Ok(_) => say(&format!("counted {number}")),
        Err(error) => assert!(error.is_precondition_failed(), "{error:?}"),
    }
}

fn start(root: &FsPath, seed: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(ROOT, root)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// What the child has reported of the store.
#[derive(Default)]
struct Told {
    acknowledged: Vec<State>,
    under_way: Vec<Option<Op>>,
    counted: u64,
}

impl Told {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["begin", task, op @ ..] => {
                self.under_way[task.parse::<usize>().unwrap()] = Some(Op::parse(op));
            }
            ["done", task] => {
                let task: usize = task.parse().unwrap();
                let op = self.under_way[task].take().expect("it was begun");
                self.acknowledged[task].apply(&op);
            }
            ["counted", number] => self.counted = self.counted.max(number.parse().unwrap()),
            _ => {}
        }
    }
}

/// Compares the store with the reports, and continues with its state.
async fn check(root: &FsPath, told: &mut Told, random: &mut Random) {
    let driver = Filesystem::open(root).await.expect("the kernel gave up the dead one's lock");
    for task in 0..TASKS {
        let before = told.acknowledged[task].clone();
        let mut after = before.clone();
        if let Some(op) = told.under_way[task].take() {
            after.apply(&op);
        }
        let sizes = state_of(&driver, task).await.files;
        let sizes: BTreeMap<_, _> = sizes.iter().map(|(name, (_, size))| (name, *size)).collect();
        let matches = |state: &&State| {
            let expected = state.files.iter().map(|(name, (_, size))| (name, *size));
            expected.eq(sizes.iter().map(|(name, size)| (*name, *size)))
        };
        // Of equal names and sizes, the contents decide.
        let mut found = None;
        for state in [&before, &after].into_iter().filter(matches) {
            let mut same = true;
            for (name, &(seed, size)) in &state.files {
                let bytes = driver.get_bytes(&at(task, name), 1 << 30).await.unwrap();
                same &= bytes == content(seed, 0..size);
            }
            found = found.or(same.then(|| state.files.clone()));
        }
        let files = found.unwrap_or_else(|| {
            panic!("task {task} has {sizes:?}, instead of {before:?} or {after:?}")
        });
        let found = state_of(&driver, task).await.uploads;
        for name in before.uploads.keys().filter(|name| !found.contains_key(*name)) {
            let is_done = !after.uploads.contains_key(name);
            assert!(is_done, "{name} of task {task} was kept and is gone");
        }
        let mut uploads = BTreeMap::new();
        for (name, (seed, size)) in found {
            let kept = [&before, &after].map(|state| state.uploads.get(&name).copied());
            assert!(
                kept.contains(&Some((seed, size))),
                "{name} of task {task} stands at {size}, not at {kept:?}"
            );
            // A resumed upload has the kept data. Half of the uploads continue in the next round.
            let options = WriterOptions::resume_at(size);
            let writer = driver.writer(&at(task, &name), options).await.unwrap();
            assert!(
                *writer.note() == note(seed, size),
                "{name} of task {task} has the note of other data than its {size} bytes"
            );
            if random.below(2) == 0 {
                writer.suspend().await.unwrap();
                uploads.insert(name, (seed, size));
            } else {
                let dest = at(task, "resumed");
                writer.commit_to(&dest, Precondition::IfAbsent).await.unwrap();
                let bytes = driver.get_bytes(&dest, 1 << 30).await.unwrap();
                assert!(bytes == content(seed, 0..size), "{name} of task {task} is another");
                driver.delete(&dest, Precondition::None).await.unwrap();
            }
        }
        told.acknowledged[task] = State { files, uploads };
    }
    let counted = match driver.get_content(&Path::parse(COUNTER).unwrap(), 99).await {
        Ok(content) => String::from_utf8(content.into_bytes().to_vec()).unwrap().parse().unwrap(),
        Err(error) if error.is_not_found() => 0,
        Err(error) => panic!("{error:?}"),
    };
    // One put of each task may have been done and not reported.
    let may_be = told.counted..=told.counted + TASKS as u64;
    assert!(may_be.contains(&counted), "{counted} is not in {may_be:?}");
    told.counted = counted;
    leftovers_go(root, &driver).await;
    driver.shutdown().await.unwrap();
}

/// Asserts that leftovers in the reserved directories are removed, except for uploads in progress.
async fn leftovers_go(root: &FsPath, driver: &Filesystem) {
    let in_progress: Vec<_> = driver.uploads_all(&Path::root()).try_collect().await.unwrap();
    let reserved = root.join("~storage-driver");
    let names = |name: &str| std::fs::read_dir(reserved.join(name)).unwrap().count();
    // A thread empties the trash in the background, and reports nothing.
    let empty = async {
        while names("trash") > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), empty).await.expect("it is emptied");
    assert_eq!(names("staging"), 0);
    assert_eq!(names("uploads"), in_progress.len() * 2);
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let rounds: u64 = env::var("CRASH_ROUNDS").map_or(25, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let mut random = Random(rounds);
    let mut told = Told {
        acknowledged: vec![State::default(); TASKS],
        under_way: vec![None; TASKS],
        counted: 0,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut lines_heard = 0;
    for round in 0..rounds {
        let mut child = start(&root, round);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let enough = 1 + random.below(600);
        let mut heard = 0;
        while heard < enough {
            let line = lines.next().expect("the child writes until it is killed").unwrap();
            heard += u64::from(line.starts_with("begin") || line.starts_with("done"));
            told.hear(&line);
        }
        child.kill().unwrap();
        // The reports from before its end.
        for line in lines.map_while(std::result::Result::ok) {
            told.hear(&line);
        }
        child.wait().unwrap();
        lines_heard += heard;
        runtime.block_on(check(&root, &mut told, &mut random));
    }
    let files: usize = told.acknowledged.iter().map(|state| state.files.len()).sum();
    assert!(lines_heard > rounds && (rounds < 5 || files > 0));
}
