//! 9.2 Linearizability: small histories of real threads, each checked by exhaustive search.
//!
//! A few threads do a few operations each on the same paths, and note on a common counter when they
//! called and when they were answered. A history is right if there is an order of its operations in
//! which each is answered as it was by a sequential store (the [`spec`]), and which nowhere turns
//! around two of which one was answered before the other was called. The search for that order is
//! Wing and Gong's.
//!
//! Which operations are done comes from a seed; when they meet is up to the machine. So a failure
//! prints the whole history: who called what, when, and what was answered. Read it for the first
//! answer that no order explains. `CONFORMANCE_SEED` and `CONFORMANCE_ROUNDS` say which and how many
//! rounds are played, for those who hunt one that is rare.

mod history;
mod spec;

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use storage_driver::{
    Error, Metadata, Path, Precondition, Stat, StorageDriver, StorageDriverExt, Version, Writer,
};
use tokio::{runtime::Handle, task::spawn_blocking};

use self::{
    history::{Event, History},
    spec::{Call, Outcome, When},
};
use crate::{Subject, check::path};

const SEED: u64 = 0x11_7ea2;
const ROUNDS: u64 = 2000;
/// A quick behaviour ends after so long, however many rounds that was.
const TIME: Duration = Duration::from_secs(4);

pub(crate) async fn operations_on_one_path_take_effect_at_one_moment(subject: Subject) {
    check(subject, |dice, capabilities| {
        let at = "/d/a";
        let when = dice.when(capabilities.conditional_put);
        match dice.roll(10) {
            0..=2 => Call::Put { at, when },
            3 | 4 => Call::Get { at },
            5 => Call::Stat { at },
            6 => {
                Call::Delete { at, when: if when == When::IfAbsent { When::Always } else { when } }
            }
            7 if capabilities.touch => Call::Touch { at },
            _ => Call::CommitTo { at, when: dice.when(capabilities.conditional_commit) },
        }
    })
    .await;
}

pub(crate) async fn operations_on_several_paths_take_effect_at_one_moment(subject: Subject) {
    check(subject, |dice, capabilities| {
        let files = ["/d/a", "/d/b", "/e", "/f/a", "/d"];
        let (at, to) = (files[dice.roll(5)], files[dice.roll(4)]);
        let when = dice.when(capabilities.conditional_put);
        match dice.roll(14) {
            0..=2 => Call::Put { at, when },
            3 => Call::Get { at },
            4 => Call::Stat { at },
            5 => {
                Call::Delete { at, when: if when == When::IfAbsent { When::Always } else { when } }
            }
            6 if capabilities.rename_file => Call::Rename { from: at, to, when },
            7 if capabilities.copy => Call::Copy { from: at, to, when },
            8 | 9 if capabilities.rename_dir => {
                let (from, to) = if dice.roll(2) == 0 { ("/d", "/f") } else { ("/f", "/d") };
                Call::RenameDir { from, to }
            }
            10 => Call::CommitTo { at, when: dice.when(capabilities.conditional_commit) },
            _ => Call::List { at: ["/d", "/f", ""][dice.roll(3)] },
        }
    })
    .await;
}

/// Numbers from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn when(&mut self, conditional: bool) -> When {
        match self.roll(5) {
            0 if conditional => When::IfAbsent,
            1 | 2 if conditional => When::IfSeen,
            _ => When::Always,
        }
    }
}

type Choose = fn(&mut Dice, &storage_driver::Capabilities) -> Call;

async fn check(subject: Subject, choose: Choose) {
    let driver = subject.driver().await;
    let seed = variable("CONFORMANCE_SEED");
    let rounds = variable("CONFORMANCE_ROUNDS");
    let began = Instant::now();
    let mut dice = Dice(seed.unwrap_or(SEED));
    for round in 0..rounds.unwrap_or(ROUNDS) {
        if rounds.is_none() && began.elapsed() > TIME {
            break;
        }
        let history = play(&driver, round, &mut dice, choose).await;
        assert!(history.is_linearizable(), "no order explains round {round}:\n{history}");
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays one round, below a directory of its own.
async fn play(
    driver: &Arc<dyn StorageDriver>,
    round: u64,
    dice: &mut Dice,
    choose: Choose,
) -> History {
    let capabilities = driver.capabilities();
    let base = path(&format!("/round-{round}"));
    let threads = 2 + dice.roll(3);
    let (clock, start) = (Arc::new(AtomicU64::new(0)), Arc::new(Barrier::new(threads)));
    let mut running = Vec::new();
    for thread in 0..threads {
        let calls: Vec<_> = (0..3 + dice.roll(3)).map(|_| choose(dice, &capabilities)).collect();
        let mut player = Player {
            driver: Arc::clone(driver),
            base: base.clone(),
            thread,
            seen: None,
            uploads: Vec::new(),
        };
        player.prepare(&calls).await;
        let (clock, start, runtime) = (Arc::clone(&clock), Arc::clone(&start), Handle::current());
        running.push(spawn_blocking(move || {
            start.wait();
            runtime.block_on(player.play(calls, &clock))
        }));
    }
    let mut events = Vec::new();
    for thread in running {
        events.extend(thread.await.expect("no operation panics"));
    }
    match driver.delete(&base, Precondition::None).await {
        Err(error) if !error.is_not_found() => panic!("{base} should be deletable: {error:?}"),
        _ => History::new(events, capabilities.sees_conflicts),
    }
}

/// One of the threads.
struct Player {
    driver: Arc<dyn StorageDriver>,
    base: Path,
    thread: usize,
    /// The version that it was told last.
    seen: Option<Version>,
    /// For the commits to come.
    uploads: Vec<Writer>,
}

impl Player {
    fn at(&self, relative: &str) -> Path {
        path(&format!("{}{relative}", self.base))
    }

    /// What the `number`th call of this thread stores: no other stores the same.
    fn content(&self, number: usize) -> u32 {
        (self.thread * 100 + number) as u32
    }

    async fn prepare(&mut self, calls: &[Call]) {
        for (number, call) in calls.iter().enumerate().rev() {
            if let Call::CommitTo { .. } = call {
                let at = self.at(&format!("/uploads/{}-{number}", self.thread));
                let mut writer = self.driver.create(&at).await.unwrap();
                writer.write(bytes_of(self.content(number))).await.unwrap();
                self.uploads.push(writer);
            }
        }
    }

    async fn play(mut self, calls: Vec<Call>, clock: &AtomicU64) -> Vec<Event> {
        let mut events = Vec::new();
        for (number, call) in calls.into_iter().enumerate() {
            let content = self.content(number);
            let condition = self.condition(&call);
            let called = clock.fetch_add(1, Ordering::SeqCst);
            let outcome = self.call(&call, content, condition.clone()).await;
            let answered = clock.fetch_add(1, Ordering::SeqCst);
            if let Outcome::File { version, .. } = &outcome {
                self.seen = Some(version.clone());
            }
            let thread = self.thread;
            events.push(Event { thread, call, content, condition, called, answered, outcome });
        }
        events
    }

    fn condition(&self, call: &Call) -> Precondition {
        match (call.when(), &self.seen) {
            (When::IfAbsent, _) => Precondition::IfAbsent,
            (When::IfSeen, Some(version)) => Precondition::IfVersion(version.clone()),
            _ => Precondition::None,
        }
    }

    async fn call(&mut self, call: &Call, content: u32, condition: Precondition) -> Outcome {
        let driver = &self.driver;
        let stored = |result: Result<Metadata, Error>| match result {
            Ok(file) => Outcome::File { version: file.version, content: None },
            Err(error) => Outcome::Failed(error.kind()),
        };
        let done = |result: Result<(), Error>| match result {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed(error.kind()),
        };
        match *call {
            Call::Put { at, .. } => {
                let bytes = bytes_of(content).into();
                stored(driver.put_content(&self.at(at), bytes, condition).await)
            }
            Call::CommitTo { at, .. } => {
                let writer = self.uploads.pop().expect("one was opened for each commit");
                stored(writer.commit_to(&self.at(at), condition).await)
            }
            Call::Touch { at } => stored(driver.touch(&self.at(at)).await),
            Call::Rename { from, to, .. } => {
                stored(driver.rename(&self.at(from), &self.at(to), condition).await)
            }
            Call::Copy { from, to, .. } => {
                stored(driver.copy(&self.at(from), &self.at(to), condition).await)
            }
            Call::RenameDir { from, to } => {
                done(driver.rename_dir(&self.at(from), &self.at(to)).await)
            }
            Call::Delete { at, .. } => done(driver.delete(&self.at(at), condition).await),
            Call::Get { at } => match driver.get_content(&self.at(at), 1 << 20).await {
                Ok(file) => {
                    let version = file.metadata().version.clone();
                    Outcome::File { version, content: Some(number_of(&file.into_bytes())) }
                }
                Err(error) => Outcome::Failed(error.kind()),
            },
            Call::Stat { at } => match driver.stat(&self.at(at)).await {
                Ok(Stat::File(file)) => Outcome::File { version: file.version, content: None },
                Ok(Stat::Directory(_)) => Outcome::Directory,
                Err(error) => Outcome::Failed(error.kind()),
            },
            Call::List { at } => match driver.list(&self.at(at), Default::default()).await {
                Ok(page) => Outcome::Entries(
                    page.items
                        .iter()
                        .map(|entry| {
                            let version = entry.metadata().map(|file| file.version.clone());
                            (entry.name().to_owned(), entry.is_dir(), version)
                        })
                        .collect(),
                ),
                Err(error) => Outcome::Failed(error.kind()),
            },
        }
    }
}

/// Content that says which call stored it, long enough to be torn.
fn bytes_of(number: u32) -> Bytes {
    number.to_le_bytes().repeat(64).into()
}

fn number_of(bytes: &[u8]) -> u32 {
    let word = |word: &[u8]| word.try_into().map(u32::from_le_bytes).ok();
    let mut words = bytes.chunks(4).map(word);
    let first = words.next().flatten().expect("content has a number");
    assert!(bytes.len() == 256 && words.all(|it| it == Some(first)), "torn content: {bytes:?}");
    first
}
