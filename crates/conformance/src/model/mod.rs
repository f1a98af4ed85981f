//! The model test: random sequences of all operations, done to the driver and to [`Reference`],
//! which have to answer the same.
//!
//! A sequence works on few paths, so that its operations meet, with several writers and readers
//! open at once: fenced writers are used on, dropped ones resumed, readers hold their snapshots,
//! preconditions are of current and of stale versions. Kinds of errors with what they say, sizes,
//! contents, listings are compared; versions by where they change and where they do not; times are
//! not. Where a guarantee is not claimed, its weaker wording is allowed.
//!
//! [`meddled`] does the same with some operations failed before they reach the driver, some failed
//! after, their answers lost, and some dropped half way. Nobody knows then what became of them, and
//! the driver has to be where the model is with the operation done, or without it.
//!
//! # Reading and replaying a failure
//!
//! A failure is the shortest sequence that could be found, one operation a line, and which of them
//! was answered differently: what the driver answered, and what it should have. Everything up to
//! there agreed. Sequences are made from a seed, the same at every run, so that running the
//! behaviour's test again fails in the same way. Environment variables change that:
//!
//! - `CONFORMANCE_SEED=7`: other sequences; the message names the seed that failed.
//! - `CONFORMANCE_CASES=5000`: how many.
//!
//! A sequence that found something is worth keeping as a test of its own in the backend, written
//! with the driver's own methods.
//!
//! [`Reference`]: crate::reference::Reference

mod compare;
mod op;
mod pair;
mod side;

use std::{fmt::Write, sync::Arc};

use proptest::{
    strategy::BoxedStrategy,
    test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner},
};
use storage_driver::StorageDriver;
use tokio::{runtime::Handle, task::spawn_blocking};

use self::{op::Sequence, pair::Pair};
use crate::Subject;

/// The seed unless one is set.
const SEED: u64 = 0x5707_a6e0;

const QUICK: (u32, usize) = (400, 80);
const LONG: (u32, usize) = (20_000, 200);

pub(crate) async fn sequences_are_answered_as_by_the_model(subject: Subject) {
    let (cases, length) = QUICK;
    check(subject, cases, move || op::sequences(length), Pair::new).await;
}

pub(crate) async fn meddled_operations_take_effect_once_or_never(subject: Subject) {
    let (cases, length) = QUICK;
    check(subject, cases, move || op::meddled(length), Pair::meddled).await;
}

pub(crate) async fn long_sequences_are_answered_as_by_the_model(subject: Subject) {
    let (cases, length) = LONG;
    check(subject, cases, move || op::sequences(length), Pair::new).await;
}

pub(crate) async fn long_meddled_sequences_take_effect_once_or_never(subject: Subject) {
    let (cases, length) = LONG;
    check(subject, cases, move || op::meddled(length), Pair::meddled).await;
}

/// Does the same random sequences of operations to two drivers, and compares what they answer, as
/// the model test of the suite does with [`Reference`](crate::reference::Reference).
///
/// `model` has to claim all that `subject` claims. Where the subject does not claim a guarantee, its
/// weaker wording is allowed.
///
/// ```
/// # use conformance::{Subject, reference::Reference};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let (subject, model) = (|| async { Reference::new() }, || async { Reference::new() });
/// conformance::same_answers(Subject::new(subject), Subject::new(model), 10, 20).await;
/// # });
/// ```
///
/// # Panics
///
/// With the shortest sequence that was found to be answered differently.
pub async fn same_answers(subject: Subject, model: Subject, cases: u32, length: usize) {
    let pairing = Pairing::Beside(model);
    play(subject, cases, move || op::sequences(length), pairing).await;
}

/// How a fresh driver gets its model.
enum Pairing {
    Alone(fn(Arc<dyn StorageDriver>) -> Pair),
    Beside(Subject),
}

impl Pairing {
    async fn pair(&self, driver: Arc<dyn StorageDriver>) -> Pair {
        match self {
            Self::Alone(pair) => pair(driver),
            Self::Beside(model) => Pair::beside(driver, model.driver().await),
        }
    }
}

async fn check(
    subject: Subject,
    cases: u32,
    sequences: impl FnOnce() -> BoxedStrategy<Sequence> + Send + 'static,
    pair: fn(Arc<dyn StorageDriver>) -> Pair,
) {
    play(subject, cases, sequences, Pairing::Alone(pair)).await;
}

/// Plays `cases` sequences, each on a fresh driver.
async fn play(
    subject: Subject,
    cases: u32,
    sequences: impl FnOnce() -> BoxedStrategy<Sequence> + Send + 'static,
    pairing: Pairing,
) {
    let seed = variable("CONFORMANCE_SEED").unwrap_or(SEED);
    let cases = variable("CONFORMANCE_CASES").map_or(cases, |cases| cases as u32);
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 4000,
        max_shrink_time: 20_000,
        ..Config::default()
    };
    // The runner of the cases blocks its thread.
    let runtime = Handle::current();
    let run = move || {
        TestRunner::new(config).run(&sequences(), |ops| {
            let played = runtime
                .block_on(async { pairing.pair(subject.driver().await).await.play(&ops).await });
            played.map_err(TestCaseError::fail)
        })
    };
    match spawn_blocking(run).await.expect("the runner catches panics") {
        Ok(()) => {}
        Err(TestError::Fail(reason, ops)) => {
            panic!("{}", report(seed, &reason.to_string(), &ops));
        }
        Err(TestError::Abort(reason)) => panic!("no sequences could be made: {reason}"),
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn report(seed: u64, reason: &str, ops: &Sequence) -> String {
    let mut text = format!("{reason}\nthe sequence (CONFORMANCE_SEED={seed}):");
    for (number, (op, meddling)) in ops.iter().enumerate() {
        let _ = write!(text, "\n  {number:3}. {op:?}");
        if let Some(meddling) = meddling {
            let _ = write!(text, " but {meddling:?}");
        }
    }
    text
}
