//! What the suite says of a run: what passed, what failed, what was left out and why.

use conformance::{Size, Subject, behaviours, plan, reference::Reference};
use storage_driver::{Capabilities, Path, Precondition, StorageDriver, StorageDriverExt};

fn nothing_claimed() -> Reference {
    Reference::claiming(Capabilities::none())
}

#[test]
fn a_sound_driver_passes() {
    let report =
        conformance::run(|| async { Reference::new() }, |b| b.name.starts_with("listing::"));
    assert!(report.is_success(), "{report}");
    assert!(report.passed.contains(&"listing::list_sorts_by_name"));
    assert!(report.to_string().ends_with("passed, 0 failed, 0 left out"), "{report}");
}

#[test]
fn a_failure_has_the_name_the_clauses_and_the_reason() {
    let not_empty = || async {
        let driver = Reference::new();
        driver.put(&Path::new("/left/behind").unwrap(), "x").await.unwrap();
        driver
    };
    let name = "listing::list_of_an_empty_root_is_empty";
    let report = conformance::run(not_empty, |behaviour| behaviour.name == name);
    assert!(report.has_failed(name) && !report.is_success());
    let text = report.to_string();
    assert!(text.starts_with("0 passed, 1 failed, 0 left out"), "{text}");
    assert!(text.contains(name) && text.contains("(clause 6.2)"), "{text}");
    assert!(text.contains("/left"), "{text}");
}

#[test]
fn what_is_not_claimed_is_left_out_with_the_reason() {
    let report =
        conformance::run(|| async { nothing_claimed() }, |b| b.name.starts_with("copying::"));
    assert!(report.is_success(), "{report}");
    assert_eq!(report.passed.len(), 2);
    let left_out = report.left_out.iter().find(|l| l.name == "copying::copy_replaces_a_file");
    assert_eq!(left_out.unwrap().why, "`copy` is not claimed");
}

#[test]
fn a_plan_divides_all_behaviours() {
    for capabilities in [Capabilities::none(), Reference::new().capabilities()] {
        let plan = plan(&capabilities);
        assert_eq!(plan.asked.len() + plan.left_out.len(), behaviours().len());
        assert_eq!(plan.quick() + plan.full(), plan.asked.len());
        let full = plan.asked.iter().filter(|behaviour| behaviour.size == Size::Full);
        assert_eq!(plan.full(), full.count());
    }
}

#[test]
fn each_operation_is_asked_for_claimed_or_not() {
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
    conformance::test(Subject::new(|| async { Reference::new() }), "nothing::like_it");
}

#[test]
#[should_panic(expected = "reading::a_reader_gives_all (clause 4.1)")]
fn a_test_of_a_broken_driver_fails_with_the_name() {
    let shut_down = || async {
        let driver = Reference::new();
        driver.shutdown().await.unwrap();
        driver
    };
    conformance::test(Subject::new(shut_down), "reading::a_reader_gives_all");
}

#[test]
fn what_a_fixture_keeps_outlives_the_driver_and_no_more() {
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
        async move { conformance::Fixture::new(Reference::new(), guard) }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (one, two) = (subject.driver().await, subject.driver().await);
        let at = Path::new("/a").unwrap();
        one.put(&at, "x").await.unwrap();
        assert!(!two.exists(&at).await.unwrap(), "each driver has a store of its own");
        one.delete(&at, Precondition::None).await.unwrap();
    });
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    drop(subject);
    assert_eq!(dropped.load(Ordering::SeqCst), 2);
}
