//! 9.2 Linearizability: small histories of real threads, each checked by exhaustive search.
//!
//! A few threads make a few calls each on the same paths. A common counter gives the times of each call and its return.
//! A history is correct if its operations have an order in which a sequential store (the [`spec`]) returns the same
//! results, and in which no operation comes before another that returned before it was called. The search for that order
//! is Wing and Gong's.
//!
//! Every other round runs on real threads. The rest run on one thread, over [`Yielding`], in an order that the dice
//! choose: these find operations that are done in several steps with an await between them, and find them again in every
//! run. The calls of a slow driver overlap anyway, so its rounds run on one thread, several at a time. The operations come
//! from a seed, but the machine decides how threads interleave, so a failure prints the whole history: each call with its
//! times and its result. Look for the first result that no order allows. `CONFORMANCE_SEED` and `CONFORMANCE_ROUNDS` set
//! the seed and the number of rounds, to search for a rare failure.

mod event;
mod history;
mod player;
mod spec;
mod together;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use futures::{FutureExt, future::join_all};
use storage_driver::{Capabilities, StorageDriver, StorageDriverExt};
use tokio::time::Instant;

use self::{
    event::{Call, When},
    history::History,
    player::{Player, bytes_of},
    spec::Store,
};
use crate::{Subject, check::path, dice::Dice, layers::Yielding, tasks::AT_ONCE_WHEN_SLOW};

const SEED: u64 = 0x11_7ea2;
const ROUNDS: u64 = 10_000;
/// The first content that is stored before a round begins.
const FIRST: u32 = 9000;
/// A quick behaviour ends after this time, if it has played at least [`FEWEST`] rounds, or [`FEWEST_WHEN_SLOW`].
const TIME: Duration = Duration::from_secs(3);
/// On a busy machine, so that the result does not depend on its load.
const FEWEST: u64 = 256;
const FEWEST_WHEN_SLOW: u64 = 64;

pub(crate) async fn operations_on_one_path_take_effect_at_one_moment(subject: Subject) {
    check(subject, |dice, capabilities| {
        let at = "/d/a";
        let when = dice.when(capabilities.preconditions);
        match dice.roll(10) {
            0..=2 => Call::Put { at, when },
            3 | 4 => Call::Get { at },
            5 => Call::Stat { at },
            6 => Call::Delete { at, when },
            7 if capabilities.touch => Call::Touch { at, when },
            _ => Call::CommitTo { at, when: dice.when(capabilities.conditional_commit) },
        }
    })
    .await;
}

pub(crate) async fn operations_on_several_paths_take_effect_at_one_moment(subject: Subject) {
    check(subject, |dice, capabilities| {
        let files = ["/d/a", "/d/b", "/e", "/f/a", "/d"];
        let (at, to) = (files[dice.roll(5)], files[dice.roll(4)]);
        let when = dice.when(capabilities.preconditions);
        match dice.roll(14) {
            0..=2 => Call::Put { at, when },
            3 => Call::Get { at },
            4 => Call::Stat { at },
            5 => match dice.roll(2) {
                0 => Call::Delete { at, when },
                _ => Call::DeleteDir { at: ["/d", "/f", "/d/a"][dice.roll(3)] },
            },
            6 if capabilities.rename_file => Call::Rename { from: at, to, when },
            7 if capabilities.copy => Call::Copy { from: at, to, when },
            8 | 9 if capabilities.rename_dir => {
                let (from, to) = if dice.roll(2) == 0 { ("/d", "/f") } else { ("/f", "/d") };
                Call::RenameDir { from, to }
            }
            10 => Call::CommitTo { at, when: dice.when(capabilities.conditional_commit) },
            11 => Call::Get { at: files[dice.roll(2)] },
            _ => Call::List { at: ["/d", "/f", ""][dice.roll(3)] },
        }
    })
    .await;
}

impl Dice {
    fn when(&mut self, conditional: bool) -> When {
        match self.roll(5) {
            0 if conditional => When::IfAbsent,
            1 | 2 if conditional => When::IfSeen,
            _ => When::Always,
        }
    }
}

type Choose = fn(&mut Dice, &Capabilities) -> Call;

async fn check(subject: Subject, choose: Choose) {
    let driver = subject.driver().await;
    let seed = variable("CONFORMANCE_SEED");
    let rounds = variable("CONFORMANCE_ROUNDS");
    // Measures how long a call takes.
    drop(driver.exists(&path("/d")).await);
    let begun = Instant::now();
    let mut dice = Dice::new(seed.unwrap_or(SEED));
    let mut round = 0;
    while round < rounds.unwrap_or(ROUNDS) {
        let slow = subject.is_slow();
        let fewest = if slow { FEWEST_WHEN_SLOW } else { FEWEST };
        if rounds.is_none() && begun.elapsed() > TIME && round >= fewest {
            break;
        }
        let next = round + if slow { AT_ONCE_WHEN_SLOW as u64 } else { 1 };
        let played = (round..next).map(|round| {
            let way = match (slow, round.is_multiple_of(2)) {
                (true, _) => Way::Together,
                (false, true) => Way::Threads,
                (false, false) => Way::Turns,
            };
            play(&driver, (round, way), dice.another(), choose)
        });
        for (played, history) in (round..next).zip(join_all(played).await) {
            assert!(
                history.is_linearizable(),
                "no order has the results of round {played}:\n{history}"
            );
        }
        round = next;
    }
}

/// How the threads of a round are interleaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By the system: each part has a thread.
    Threads,
    /// By the dice, over a driver that yields.
    Turns,
    /// By the driver, which wakes them.
    Together,
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays one round, below its own directory.
async fn play(
    driver: &Arc<dyn StorageDriver>,
    (round, way): (u64, Way),
    mut dice: Dice,
    choose: Choose,
) -> History {
    let capabilities = driver.capabilities();
    let base = path(&format!("/round-{round}"));
    let mut before = Store::default();
    for (number, at) in ["/d/a", "/d/b"].into_iter().take(dice.roll(3)).enumerate() {
        let content = FIRST + number as u32;
        let at_base = path(&format!("{base}{at}"));
        let file = driver.put(&at_base, bytes_of(content)).await.unwrap();
        before.insert(at, content, file.version);
    }
    let played: Arc<dyn StorageDriver> = match way {
        Way::Turns => Arc::new(Yielding::new(Arc::clone(driver))),
        Way::Threads | Way::Together => Arc::clone(driver),
    };
    let clock = Arc::new(AtomicU64::new(0));
    let mut parts = Vec::new();
    for thread in 0..2 + dice.roll(3) {
        let calls: Vec<_> =
            (0..3 + dice.roll(3)).map(|_| choose(&mut dice, &capabilities)).collect();
        let mut player = Player::new(Arc::clone(&played), base.clone(), thread);
        player.prepare(&calls).await;
        parts.push(player.play(calls, Arc::clone(&clock)).boxed());
    }
    let events = match way {
        Way::Threads => together::on_threads(parts).await,
        Way::Turns => together::in_turns(parts, &mut dice).await,
        Way::Together => join_all(parts).await,
    };
    let events = events.concat();
    match driver.delete_dir(&base).await {
        Err(error) if !error.is_not_found() => panic!("{base} should be deletable: {error:?}"),
        _ => History::new(before, events, capabilities.rejects_conflicts),
    }
}
