//! The conformance suite on a server: behaviours in parallel, each on stores of its own in one bucket.

use std::{
    env,
    io::{self, Write},
    process,
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use storage_driver_conformance::{Fixture, Report, Size};

use crate::{
    fixture::fixture,
    server::{Access, Server},
    store::builder,
};

/// Runs the suite on `server`, `jobs` behaviours at once. It is asked `count` of them and shows all except some.
pub(crate) fn run(server: &'static Server, jobs: usize, count: usize, except: &[&str]) {
    let Some(access) = server.access() else { return };
    let start = Instant::now();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let plan = storage_driver_conformance::plan(&runtime.block_on(fresh(access)));
    let asked = plan.asked.iter().filter(|behaviour| behaviour.size == Size::Quick);
    let names: Vec<&str> = asked.map(|behaviour| behaviour.name).collect();
    assert_eq!(names.len(), count);

    let selection = env::var("BUCKET_BEHAVIOURS").unwrap_or_default();
    let mut queue: Vec<&str> =
        names.into_iter().filter(|name| is_selected(name, &selection)).collect();
    // The long ones first.
    queue.sort_by_key(|name| name.starts_with("model::") || name.starts_with("linearizability::"));
    let except: Vec<&str> = except.iter().copied().filter(|name| queue.contains(name)).collect();
    let mut report = parallel(access, jobs, Mutex::new(queue));
    let (name, time) = (server.name, start.elapsed().as_secs());
    say(&format!("{name}: {} passed in {time} s", report.passed.len()));
    let (expected, failed): (Vec<_>, Vec<_>) =
        report.failed.into_iter().partition(|failure| except.contains(&failure.name));
    report.failed = failed;
    assert!(report.is_success(), "{name}: {report}");
    // Few random sequences do not always meet what a server does not show.
    let mut certain = except.iter().filter(|name| !name.starts_with("model::"));
    let shown = certain.find(|name| expected.iter().all(|failure| failure.name != **name));
    assert_eq!(shown, None, "{name} shows it by now");
}

/// Whether a behaviour's name contains a part of the selection, or it has none, and contains none that follows a `!`.
fn is_selected(name: &str, selection: &str) -> bool {
    let parts = selection.split(',').filter(|part| !part.is_empty());
    let (without, with): (Vec<_>, Vec<_>) = parts.partition(|part| part.starts_with('!'));
    (with.is_empty() || with.iter().any(|part| name.contains(part)))
        && !without.iter().any(|part| name.contains(&part[1..]))
}

fn parallel(access: &'static Access, jobs: usize, queue: Mutex<Vec<&'static str>>) -> Report {
    let report = Mutex::new(Report::default());
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let Some(name) = queue.lock().unwrap().pop() else { return };
                    let one = storage_driver_conformance::run(
                        move || fresh(access),
                        |behaviour| behaviour.name == name,
                    );
                    let mut report = report.lock().unwrap();
                    for failure in &one.failed {
                        let message = failure.message.lines().next().unwrap_or_default();
                        say(&format!("FAILED {name} {message}"));
                    }
                    report.passed.extend(one.passed);
                    report.failed.extend(one.failed);
                }
            });
        }
    });
    report.into_inner().unwrap()
}

/// An empty store: its prefix was never used.
async fn fresh(access: &Access) -> Fixture {
    static STORES: AtomicU64 = AtomicU64::new(0);
    static RUN: LazyLock<String> = LazyLock::new(|| {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        format!("{}-{}", start.as_secs(), process::id())
    });
    let number = STORES.fetch_add(1, Ordering::Relaxed);
    // All prefixes have one length, because the longest path depends on it.
    fixture(builder(access, &[]).prefix(format!("{}/{number:06}", *RUN))).await
}

/// A line past the capture of the harness, which the caller sees at once.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
