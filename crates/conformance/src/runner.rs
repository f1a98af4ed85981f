//! Running behaviours: each on a separate runtime, watched for calls that do not end.

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

/// Factor of the call time-out in a behaviour of the full size.
const FULL_SIZE: u32 = 10;

/// Runs the behaviours that `select` returns `true` for, one after the other, on drivers that `factory` makes.
///
/// It blocks, and must be called outside of a runtime. Panics of behaviours are caught; their messages are still
/// printed to standard error.
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
/// If the driver fails the behaviour.
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
    // Not by `println!`, whose output the test harness hides when a test passes.
    let written = writeln!(std::io::stderr(), "\nconformance: {plan}");
    written.expect("standard error takes the summary");
}

fn conditions(subject: &Subject) -> Conditions {
    (&runtime().block_on(subject.fixture())).into()
}

/// Runs one behaviour; the message of its panic is the error.
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
    // This thread waits outside of the runtime, so that it also notices a driver that blocks every worker.
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
        .expect("the system can start a runtime")
}

/// The message of a panic.
pub(crate) fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panicked without a message")
        .to_owned()
}
