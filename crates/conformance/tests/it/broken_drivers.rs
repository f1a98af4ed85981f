//! Broken drivers: each violates one clause, and each must fail the behaviours of that clause.
//!
//! A broken driver is the reference except for one method. Its test names the behaviours that must fail on it,
//! and checks that a sound driver that is made in the same way shows them.

mod appending;
mod breakage;
mod claims_nothing;
mod committing;
mod conditions;
mod content;
mod deleting;
mod directories;
mod errors;
mod listing;
mod moving;
mod notes;
mod reading;
mod sweeping;
mod uploads;
mod writer;
mod writing;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
};

use storage_driver_conformance::{Fixture, Report, Size, Subject, behaviours, run};

use self::{breakage::*, claims_nothing::ClaimsNothing};

writes_with! {
    /// A driver that is made as the broken ones are, and has no fault.
    Sound, |_, _| SoundWriter
}

broken! {
    /// 9.3: a call blocks its thread, for ever.
    BlocksItsThread {
        async fn put_content(&self, _: &Path, _: Payload, _: Precondition) -> Result<Metadata> {
            loop {
                std::thread::park();
            }
        }
    }
}

fn run_on<D>(select: impl Fn(&str) -> bool) -> Report
where
    D: Layer<Inner = Reference> + Default + 'static,
{
    let fresh = || async {
        let driver = D::default();
        let store = driver.inner().clone();
        Fixture::from(driver).with_clock(move |time| store.set_time(time))
    };
    run(fresh, |behaviour| behaviour.size == Size::Quick && select(behaviour.name))
}

/// Whether the sound driver shows the behaviour. Each is run once, whatever the number of broken drivers that
/// fail it.
fn sound_shows(name: &'static str) -> bool {
    static SHOWN: Mutex<BTreeMap<&str, Arc<OnceLock<bool>>>> = Mutex::new(BTreeMap::new());
    let shown = Arc::clone(SHOWN.lock().unwrap().entry(name).or_default());
    *shown.get_or_init(|| run_on::<Sound>(|it| it == name).passed == [name])
}

/// Checks that the broken driver fails each of these behaviours, and that the sound driver shows them.
#[track_caller]
fn fails<D>(names: &[&'static str])
where
    D: Layer<Inner = Reference> + Default + 'static,
{
    for name in names {
        assert!(behaviours().iter().any(|it| it.name == *name), "no behaviour is called {name}");
        assert!(sound_shows(name), "the sound driver does not show {name}");
    }
    let report = run_on::<D>(|it| names.contains(&it));
    for name in names {
        assert!(report.has_failed(name), "the broken driver passes {name}: {report}");
    }
}

/// Prints the behaviours that the broken driver fails, of the whole suite, and checks that there are some.
fn fails_some<D>()
where
    D: Layer<Inner = Reference> + Default + 'static,
{
    let report = run_on::<D>(|_| true);
    let failed: Vec<_> = report.failed.iter().map(|it| it.name).collect();
    eprintln!("{:?}: {failed:#?}", D::default());
    assert!(!failed.is_empty(), "{:?} passes", D::default());
}

#[test]
#[should_panic(expected = "did not end within 50ms")]
fn a_driver_that_blocks_every_thread_is_found_out() {
    let subject = Subject::new(|| async { BlocksItsThread::default() })
        .call_timeout(Duration::from_millis(50));
    storage_driver_conformance::test(subject, "concurrency::of_many_if_absent_puts_one_succeeds");
}

#[test]
fn a_driver_that_claims_nothing_passes() {
    let report = run_on::<ClaimsNothing>(|_| true);
    assert!(report.is_success(), "{report}");
    assert!(report.left_out.len() > 20 && report.passed.len() > 200, "{report}");
}
