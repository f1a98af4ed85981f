//! Runs, plans and reports; slow drivers and drivers that hang.

use std::{thread, time::Duration};

use futures::{StreamExt, stream};
use storage_driver::{Capabilities, Path, Precondition, StorageDriver, StorageDriverExt};
use storage_driver_conformance::{
    Behaviour, Fixture, Size, Subject, behaviours, layers::Delayed, plan, reference::Reference,
};
use tokio::{runtime::Builder, time::Instant};

/// The time of a call of a typical object store.
const SLOW: Duration = Duration::from_millis(30);
/// The maximum time of the quick size on a driver that slow.
const QUICK_SIZE: Duration = Duration::from_secs(15 * 60);
/// The maximum by a virtual clock, which leaves the rest of [`QUICK_SIZE`] to the machine.
const QUICK_SIZE_IN_CALLS: Duration = Duration::from_secs(12 * 60);

fn slow(delay: Duration) -> Fixture {
    let store = Reference::new();
    let driver = Delayed::new(store.clone(), delay);
    Fixture::from(driver).with_clock(move |time| store.set_time(time))
}

fn is_quick(behaviour: &Behaviour) -> bool {
    behaviour.size == Size::Quick
}

fn nothing_claimed() -> Reference {
    Reference::claiming(Capabilities::none())
}

#[test]
fn a_sound_driver_passes() {
    let report = storage_driver_conformance::run(
        || async { Reference::new() },
        |b| b.name.starts_with("listing::"),
    );
    assert!(report.is_success(), "{report}");
    assert!(report.passed.contains(&"listing::list_sorts_by_name"));
    assert!(report.to_string().ends_with("passed, 0 failed, 0 left out"), "{report}");
}

#[test]
fn a_failure_has_the_name_the_clauses_and_the_reason() {
    let not_empty = || async {
        let driver = Reference::new();
        driver.put(&Path::parse("/left/behind").unwrap(), "x").await.unwrap();
        driver
    };
    let name = "listing::list_of_an_empty_root_is_empty";
    let report = storage_driver_conformance::run(not_empty, |behaviour| behaviour.name == name);
    assert!(report.has_failed(name) && !report.is_success());
    let text = report.to_string();
    assert!(text.starts_with("0 passed, 1 failed, 0 left out"), "{text}");
    assert!(text.contains(name) && text.contains("(clause 6.2)"), "{text}");
    assert!(text.contains("/left"), "{text}");
}

#[test]
fn what_is_not_claimed_is_left_out_with_the_reason() {
    let report = storage_driver_conformance::run(
        || async { nothing_claimed() },
        |b| b.name.starts_with("copying::"),
    );
    assert!(report.is_success(), "{report}");
    assert_eq!(report.passed.len(), 2);
    let left_out = report.left_out.iter().find(|l| l.name == "copying::copy_replaces_a_file");
    assert_eq!(left_out.unwrap().why, "`copy` is not claimed");
}

#[test]
fn a_plan_has_every_behaviour_once() {
    for capabilities in [Capabilities::none(), Reference::new().capabilities()] {
        let plan = plan(&capabilities);
        assert_eq!(plan.asked.len() + plan.left_out.len(), behaviours().len());
        assert_eq!(plan.quick() + plan.full(), plan.asked.len());
        let full = plan.asked.iter().filter(|behaviour| behaviour.size == Size::Full);
        assert_eq!(plan.full(), full.count());
    }
}

#[test]
fn each_operation_has_a_behaviour_also_if_it_is_not_claimed() {
    let none = plan(&Capabilities::none());
    let asked = |name: &str| none.asked.iter().any(|behaviour| behaviour.name == name);
    for name in [
        "appending::append_that_is_not_claimed_is_unsupported",
        "capabilities::a_redirect_that_is_not_claimed_is_unsupported",
        "committing::a_conditional_commit_that_is_not_claimed_is_unsupported",
        "copying::copy_that_is_not_claimed_is_unsupported",
        "copying::touch_that_is_not_claimed_is_unsupported",
        "deleting::a_conditional_put_or_delete_that_is_not_claimed_is_unsupported",
        "directories::rename_dir_that_is_not_claimed_is_unsupported",
        "keeping::a_drop_keeps_a_beginning_no_shorter_than_the_last_sync",
        "namespace::a_version_that_returns_means_the_same_content",
        "namespace::stat_prefers_the_file_to_the_directory",
        "renaming::rename_that_is_not_claimed_is_unsupported",
    ] {
        assert!(asked(name), "{name}");
    }
}

#[test]
fn a_plan_prints_its_counts_and_reasons() {
    let text = plan(&Capabilities::none()).to_string();
    assert!(text.contains("left out: copying::copy_replaces_a_file: `copy` is not claimed"));
    let plan = plan(&Capabilities::none());
    let counts = format!("{} behaviours, {} more at full size", plan.quick(), plan.full());
    assert!(text.starts_with(&counts), "{text}");
}

#[test]
#[should_panic(expected = "no behaviour is called nothing::like_it")]
fn a_test_of_no_behaviour_fails() {
    storage_driver_conformance::test(
        Subject::new(|| async { Reference::new() }),
        "nothing::like_it",
    );
}

#[test]
#[should_panic(expected = "reading::a_reader_gives_all (clause 4.1)")]
fn a_test_of_a_broken_driver_fails_with_the_name() {
    let shut_down = || async {
        let driver = Reference::new();
        driver.shutdown().await.unwrap();
        driver
    };
    storage_driver_conformance::test(Subject::new(shut_down), "reading::a_reader_gives_all");
}

#[test]
fn the_guard_of_a_fixture_outlives_the_driver_only() {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    struct Guard(Arc<AtomicUsize>);

    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    let dropped = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&dropped);
    let subject = Subject::new(move || {
        let guard = Guard(Arc::clone(&count));
        async move { storage_driver_conformance::Fixture::new(Reference::new(), guard) }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (one, two) = (subject.driver().await, subject.driver().await);
        let at = Path::parse("/a").unwrap();
        one.put(&at, "x").await.unwrap();
        assert!(!two.exists(&at).await.unwrap(), "each driver has a separate store");
        one.delete(&at, Precondition::None).await.unwrap();
    });
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    drop(subject);
    assert_eq!(dropped.load(Ordering::SeqCst), 2);
}

/// Runs the quick size on drivers whose calls take `delay`, with up to `at_once` behaviours at a time. Returns the time
/// of each behaviour, the shortest first.
async fn quick_size(delay: Duration, at_once: usize) -> Vec<(Duration, &'static str)> {
    let behaviours = plan(&slow(delay)).asked.into_iter().filter(|behaviour| is_quick(behaviour));
    let timed = behaviours.map(|behaviour| async move {
        let begun = Instant::now();
        (behaviour.run)(Subject::new(move || async move { slow(delay) })).await;
        (begun.elapsed(), behaviour.name)
    });
    let mut times: Vec<_> = stream::iter(timed).buffer_unordered(at_once).collect().await;
    times.sort();
    times
}

/// The clock is virtual, so that this counts calls that follow each other, and not the speed of the machine.
#[tokio::test(start_paused = true)]
async fn a_driver_of_30_ms_a_call_passes_the_quick_size_within_15_minutes() {
    let begun = Instant::now();
    let times = quick_size(SLOW, 1).await;
    let taken = begun.elapsed();
    let longest = &times[times.len() - 20..];
    eprintln!("{taken:.0?}, of which {longest:#.1?}");
    assert!(taken < QUICK_SIZE_IN_CALLS, "{taken:?}");
}

#[test]
#[ignore = "prints the table of the README"]
fn the_time_of_the_quick_size_on_slow_drivers() {
    let measure = |delay, at_once| {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
        let taken = runtime.unwrap().block_on(async {
            let begun = Instant::now();
            quick_size(delay, at_once).await;
            begun.elapsed()
        });
        eprintln!("{delay:?} a call, {at_once} behaviours at a time: {taken:.0?}");
    };
    thread::scope(|scope| {
        for delay in [10, 30, 50].map(Duration::from_millis) {
            for at_once in [1, 8] {
                scope.spawn(move || measure(delay, at_once));
            }
        }
    });
}

/// The same in real time:
/// `cargo test -p storage-driver-conformance --test it sleeps_30_ms -- --ignored`.
#[test]
#[ignore = "sleeps for minutes"]
fn a_driver_that_sleeps_30_ms_a_call_passes_the_quick_size() {
    let begun = std::time::Instant::now();
    let report = storage_driver_conformance::run(|| async { slow(SLOW) }, is_quick);
    eprintln!("{:?}", begun.elapsed());
    assert!(report.is_success(), "{report}");
    assert!(begun.elapsed() < QUICK_SIZE, "{:?}", begun.elapsed());
}

#[test]
#[should_panic(expected = "`put_content` of /a did not end within 50ms")]
fn a_call_that_does_not_end_is_named() {
    let hangs = || async { Delayed::new(Reference::new(), Duration::from_secs(1 << 20)) };
    let subject = Subject::new(hangs).call_timeout(Duration::from_millis(50));
    storage_driver_conformance::test(subject, "namespace::a_file_of_no_bytes_is_a_file");
}

#[test]
fn a_plan_has_the_behaviours_about_times_if_the_clock_can_be_set() {
    let driver = Reference::new();
    let (without, with) = (plan(&driver.capabilities()), plan(&slow(SLOW)));
    assert!(with.quick() > without.quick());
    let left_out: Vec<_> = without.left_out.iter().filter(|it| it.why.contains("clock")).collect();
    assert_eq!(left_out.len(), with.quick() - without.quick());
    assert!(left_out.iter().all(|it| it.name.starts_with("times::")), "{left_out:?}");
}
