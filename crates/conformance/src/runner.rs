//! Running behaviours: each on a runtime of its own, under a deadline.

use std::{any::Any, io::Write, time::Duration};

use storage_driver::Capabilities;
use tokio::{runtime, time::timeout};

use crate::{Behaviour, Failure, Fixture, LeftOut, Report, Size, Subject, behaviours, plan};

const WORKERS: usize = 2;

impl Size {
    /// When a behaviour is taken to hang. Generous, for slow machines and backends.
    fn deadline(self) -> Duration {
        match self {
            Self::Quick => Duration::from_secs(120),
            Self::Full => Duration::from_secs(3600),
        }
    }
}

/// Runs the behaviours that `select` wants on the drivers that `factory` makes, one after the other.
///
/// It blocks, and has to be called outside of a runtime. The messages of the panics that it catches
/// still go to standard error.
///
/// ```
/// # use conformance::reference::Reference;
/// let report = conformance::run(
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
    let capabilities = capabilities(&Subject::new(factory.clone()));
    let mut report = Report::default();
    for behaviour in behaviours().iter().filter(|behaviour| select(behaviour)) {
        let name = behaviour.name;
        if let Err(why) = (behaviour.applies)(&capabilities) {
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
    match (behaviour.applies)(&capabilities(&subject)) {
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
    let plan = plan(&capabilities(&subject));
    // Not by `println!`, which the test harness keeps to itself when a test passes.
    let written = writeln!(std::io::stderr(), "\nconformance: {plan}");
    written.expect("standard error takes the summary");
}

fn capabilities(subject: &Subject) -> Capabilities {
    runtime().block_on(subject.driver()).capabilities()
}

/// Runs one behaviour; what it panicked with is the error.
fn check(behaviour: &Behaviour, subject: &Subject) -> Result<(), String> {
    let runtime = runtime();
    let deadline = behaviour.size.deadline();
    // On a worker, so that one that blocks its thread meets the deadline too.
    let task = runtime.spawn((behaviour.run)(subject.clone()));
    let result = runtime.block_on(async { timeout(deadline, task).await });
    runtime.shutdown_background();
    let message = match result {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => match error.try_into_panic() {
            Ok(panic) => text(panic.as_ref()),
            Err(error) => error.to_string(),
        },
        Err(_) => format!("did not end within {} seconds", deadline.as_secs()),
    };
    Err(format!("(clause {}): {message}", behaviour.clauses.join(", ")))
}

fn runtime() -> runtime::Runtime {
    runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .expect("the machine lets us start a runtime")
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panicked with a value that is no text")
        .to_owned()
}
