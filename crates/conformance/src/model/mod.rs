//! The model test: random sequences of all operations, done to the driver and to [`Reference`], which must return the
//! same.
//!
//! A sequence uses few paths, so that its operations interact, with several writers and readers open at once: fenced
//! writers are used, dropped writers are resumed, readers keep their snapshots, preconditions have current and stale
//! versions. The kinds and paths of errors, sizes, contents and listings are compared. Versions are compared by whether
//! they change, and times are not compared. If a guarantee is not claimed, its weaker wording is allowed.
//!
//! A sequence with faults fails some operations before they reach the driver, loses the responses of others, and drops
//! some half way. Their outcome is then unknown: the driver must be in the state of the model after the operation or
//! before it.
//!
//! # Reading and replaying a failure
//!
//! The message has the shortest failing sequence that was found, one operation a line, and the first operation whose
//! result differs, with both results. Sequences are made from a fixed seed, so that the behaviour's test fails in the
//! same way when it runs again. Environment variables change that:
//!
//! - `CONFORMANCE_SEED=7`: other sequences; the message names the seed that failed.
//! - `CONFORMANCE_CASES=5000`: the number of sequences.
//!
//! A sequence that found a bug should become a test of the backend, written with the driver's methods.
//!
//! [`Reference`]: crate::reference::Reference

mod compare;
mod op;
mod pair;
mod side;

use std::{fmt::Write, panic::AssertUnwindSafe, sync::Arc};

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use proptest::{
    strategy::{BoxedStrategy, Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, RngSeed, TestRunner},
};
use storage_driver::StorageDriver;
use tokio::{
    runtime::Handle,
    task::spawn_blocking,
    time::{Duration, Instant},
};

use self::{compare::Difference, op::Sequence, pair::Pair};
use crate::{Subject, runner::text, tasks::AT_ONCE_WHEN_SLOW};

/// The default seed.
const SEED: u64 = 0x5707_a6e0;

const QUICK: (u32, usize) = (400, 80);
const LONG: (u32, usize) = (20_000, 200);

/// The bounds of the search for a shorter failing sequence: plays, and time.
const SHRINKING: (usize, Duration) = (4000, Duration::from_secs(20));

/// Random sequences of up to so many operations.
type Sequences = fn(usize) -> BoxedStrategy<Sequence>;

pub(crate) async fn sequences_return_what_the_model_returns(subject: Subject) {
    check(subject, QUICK, op::sequences, Pair::new).await;
}

pub(crate) async fn operations_with_faults_take_effect_once_or_never(subject: Subject) {
    check(subject, QUICK, op::with_faults, Pair::with_faults).await;
}

pub(crate) async fn long_sequences_return_what_the_model_returns(subject: Subject) {
    check(subject, LONG, op::sequences, Pair::new).await;
}

pub(crate) async fn long_sequences_with_faults_take_effect_once_or_never(subject: Subject) {
    check(subject, LONG, op::with_faults, Pair::with_faults).await;
}

/// Does the same random sequences of operations to two drivers, and compares their results, as the model test of the
/// suite does with [`Reference`](crate::reference::Reference).
///
/// `cases` is the number of sequences, and `length` the maximum of operations in one. `model` must claim everything that
/// `subject` claims. If the subject does not claim a guarantee, its weaker wording is allowed.
///
/// ```
/// # use storage_driver_conformance::{Subject, reference::Reference};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let (subject, model) = (|| async { Reference::new() }, || async { Reference::new() });
/// storage_driver_conformance::same_answers(Subject::new(subject), Subject::new(model), 10, 20).await;
/// # });
/// ```
///
/// # Panics
///
/// With the shortest sequence that was found to have different results.
pub async fn same_answers(subject: Subject, model: Subject, cases: u32, length: usize) {
    play((subject, Pairing::Against(model)), (cases, length), op::sequences).await;
}

/// The model of a fresh driver.
enum Pairing {
    Reference(fn(Arc<dyn StorageDriver>) -> Pair),
    Against(Subject),
}

impl Pairing {
    async fn pair(&self, driver: Arc<dyn StorageDriver>) -> Pair {
        match self {
            Self::Reference(pair) => pair(driver),
            Self::Against(model) => Pair::against(driver, model.driver().await),
        }
    }
}

async fn check(
    subject: Subject,
    size: (u32, usize),
    sequences: Sequences,
    pair: fn(Arc<dyn StorageDriver>) -> Pair,
) {
    play((subject, Pairing::Reference(pair)), size, sequences).await;
}

/// Plays `cases` sequences of up to `length` operations, each on a fresh driver.
async fn play(pairs: (Subject, Pairing), (cases, length): (u32, usize), sequences: Sequences) {
    let seed = variable("CONFORMANCE_SEED").unwrap_or(SEED);
    let cases = variable("CONFORMANCE_CASES").unwrap_or(cases.into());
    let pairs = Arc::new(pairs);
    let case = |case| {
        let pairs = Arc::clone(&pairs);
        async move {
            let ops = tree(sequences(length), seed, case).current();
            play_one(&pairs, &ops).await.map_err(|reason| (case, reason, ops))
        }
    };
    // The first case measures how long a call takes.
    let mut played = if cases > 0 { case(0).await } else { Ok(()) };
    if played.is_ok() {
        let at_once = if pairs.0.is_slow() { AT_ONCE_WHEN_SLOW } else { 1 };
        played = stream::iter((1..cases).map(case)).buffered(at_once).try_collect().await;
    }
    if let Err((case, reason, ops)) = played {
        let runtime = Handle::current();
        // A tree of sequences stays on its thread.
        let shrinking = spawn_blocking(move || {
            let tree = tree(sequences(length), seed, case);
            shrunk(tree, (reason, ops), |ops| runtime.block_on(play_one(&pairs, ops)))
        });
        let (reason, ops) = shrinking.await.expect("panics of the driver are caught");
        panic!("{}", report(seed, &reason, &ops));
    }
}

/// Plays a sequence. A difference is the error, and so is a panic.
async fn play_one(
    (subject, pairing): &(Subject, Pairing),
    ops: &Sequence,
) -> Result<(), Difference> {
    let played = async { pairing.pair(subject.driver().await).await.play(ops).await };
    let played = AssertUnwindSafe(played).catch_unwind().await;
    played.unwrap_or_else(|panic| Err(format!("it panicked: {}", text(panic.as_ref()))))
}

/// The sequence of a case, with all simpler ones.
fn tree(
    sequences: BoxedStrategy<Sequence>,
    seed: u64,
    case: u64,
) -> impl ValueTree<Value = Sequence> {
    let rng_seed = RngSeed::Fixed(seed.wrapping_add(case.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    // ChaCha, the default, takes most of the time of an unoptimised test.
    let rng_algorithm = RngAlgorithm::XorShift;
    let config = Config { rng_seed, rng_algorithm, ..Config::default() };
    let mut runner = TestRunner::new(config);
    sequences.new_tree(&mut runner).expect("nothing is filtered out")
}

/// The simplest failing sequence that is found, and its difference.
fn shrunk(
    mut tree: impl ValueTree<Value = Sequence>,
    mut failure: (Difference, Sequence),
    play: impl Fn(&Sequence) -> Result<(), Difference>,
) -> (Difference, Sequence) {
    let (most, time) = SHRINKING;
    let begun = Instant::now();
    let mut simpler = tree.simplify();
    for _ in 0..most {
        if !simpler || begun.elapsed() > time {
            break;
        }
        let ops = tree.current();
        simpler = match play(&ops) {
            Err(reason) => {
                failure = (reason, ops);
                tree.simplify()
            }
            Ok(()) => tree.complicate(),
        };
    }
    failure
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn report(seed: u64, reason: &str, ops: &Sequence) -> String {
    let mut text = format!("{reason}\nthe sequence (CONFORMANCE_SEED={seed}):");
    for (number, (op, interference)) in ops.iter().enumerate() {
        let _ = write!(text, "\n  {number:3}. {op:?}");
        if let Some(interference) = interference {
            let _ = write!(text, " but {interference:?}");
        }
    }
    text
}
