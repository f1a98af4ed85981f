//! Running behaviours: each on a runtime of its own, watched for calls that do not end.

use std::{
    any::Any,
    io::Write,
    sync::mpsc::{RecvTimeoutError, channel},
};

use tokio::{runtime, time::Instant};

use crate::{
    Behaviour, Conditions, Failure, Fixture, LeftOut, Report, Size, Subject, behaviours, plan,
};

const WORKERS: usize = 2;

/// How much longer a call may take in a behaviour of the full size.
const FULL_SIZE: u32 = 10;

/// Runs the behaviours that `select` wants on the drivers that `factory` makes, one after the other.
///
/// It blocks, and has to be called outside of a runtime. The messages of the panics that it catches
/// still go to standard error.
///
/// ```
/// # use storage_driver_conformance::reference::Reference;
/// let report = storage_driver_conformance::run(
///     || async { Reference::new() },
///     |behaviour| behaviour.name.starts_with("reading::"),
/// );
/// assert!(report.is_success(), "{report}");
/// ```
pub fn run<F, M>(factory: F, select: impl Fn(&Behaviour) -> bool) -> Report
where
    F: Fn() -> M + Clone + Send + Sync + 'static,
    M: Future<Output: Into<Fixture>> + Send + 'static,
{
    let conditions = conditions(&Subject::new(factory.clone()));
    let mut report = Report::default();
    for behaviour in behaviours().iter().filter(|behaviour| select(behaviour)) {
        let name = behaviour.name;
        if let Err(why) = (behaviour.applies)(&conditions) {
            report.left_out.push(LeftOut { name, why });
            continue;
        }
        match check(behaviour, &Subject::new(factory.clone())) {
            Ok(()) => report.passed.push(name),
            Err(message) => report.failed.push(Failure { name, message }),
        }
    }
    report
}

/// The body of a test that [`suite!`](crate::suite) makes.
///
/// # Panics
///
/// If the driver does not show the behaviour.
#[expect(clippy::print_stdout, reason = "the output of a test")]
pub fn test(subject: Subject, name: &str) {
    let behaviour = behaviours()
        .iter()
        .find(|behaviour| behaviour.name == name)
        .unwrap_or_else(|| panic!("no behaviour is called {name}"));
    match (behaviour.applies)(&conditions(&subject)) {
        Err(why) => println!("left out: {why}"),
        Ok(()) => {
            if let Err(message) = check(behaviour, &subject) {
                panic!("{name} {message}");
            }
        }
    }
}

/// The body of the `summary` that [`suite!`](crate::suite) makes.
pub fn summary(subject: Subject) {
    let plan = plan(conditions(&subject));
    // Not by `println!`, which the test harness keeps to itself when a test passes.
    let written = writeln!(std::io::stderr(), "\nconformance: {plan}");
    written.expect("standard error takes the summary");
}

fn conditions(subject: &Subject) -> Conditions {
    (&runtime().block_on(subject.fixture())).into()
}

/// Runs one behaviour; what it panicked with is the error.
fn check(behaviour: &Behaviour, subject: &Subject) -> Result<(), String> {
    run_watched(behaviour, subject)
        .map_err(|message| format!("(clause {}): {message}", behaviour.clauses.join(", ")))
}

fn run_watched(behaviour: &Behaviour, subject: &Subject) -> Result<(), String> {
    let runtime = runtime();
    let task = runtime.spawn((behaviour.run)(subject.clone()));
    let (send, ended) = channel();
    runtime.spawn(async move { send.send(task.await) });
    let limit = match behaviour.size {
        Size::Quick => subject.time_for_a_call(),
        Size::Full => subject.time_for_a_call().saturating_mul(FULL_SIZE),
    };
    let mut left = limit;
    // This thread waits without the runtime, so that a driver which blocks every worker is found too.
    let result = loop {
        match ended.recv_timeout(left) {
            Ok(result) => break Ok(result),
            Err(RecvTimeoutError::Timeout) => match subject.watch().check(Instant::now(), limit) {
                Ok(time) => left = time,
                Err(stall) => break Err(stall.to_string()),
            },
            Err(RecvTimeoutError::Disconnected) => break Err("the runtime ended".to_owned()),
        }
    };
    runtime.shutdown_background();
    result?.map_err(|error| match error.try_into_panic() {
        Ok(panic) => text(panic.as_ref()),
        Err(error) => error.to_string(),
    })
}

fn runtime() -> runtime::Runtime {
    runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .expect("the machine lets us start a runtime")
}

/// What a panic says.
pub(crate) fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panicked with a value that is no text")
        .to_owned()
}
