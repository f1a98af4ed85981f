//! The contract, clause by clause, on the server in process.

mod fixture;

use storage_driver_bucket::{
    Builder,
    double::{Double, Ways},
};
use storage_driver_conformance::Fixture;

async fn fresh(ways: Ways) -> Fixture {
    fixture::fixture(Builder::double(&Double::new(ways))).await
}

storage_driver_conformance::suite!(|| async { fresh(Ways::default()).await });

/// So that no behaviour vanishes unnoticed, from the suite or from what the driver claims.
#[test]
fn this_many_behaviours_are_asked_of_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let plan = storage_driver_conformance::plan(&runtime.block_on(fresh(Ways::default())));
    assert_eq!((plan.quick(), plan.full()), (578, 4));
}

/// The same on servers with other ways: without conditional deletions, with another order of keys.
mod ways {
    use super::*;

    fn run(ways: Ways) {
        run_some(ways, |_| true);
    }

    fn run_some(ways: Ways, is_wanted: impl Fn(&str) -> bool) {
        let factory = move || {
            let ways = ways.clone();
            async move { fresh(ways).await }
        };
        let report = storage_driver_conformance::run(factory, |behaviour| {
            behaviour.size == storage_driver_conformance::Size::Quick && is_wanted(behaviour.name)
        });
        assert!(report.is_success(), "{report}");
    }

    /// A writer that loses a race gets a 500 there, which says nothing of its outcome. It finds that out, also if the file
    /// was deleted since.
    #[test]
    fn of_ceph() {
        run(Ways::ceph());
    }

    /// The losers of a race get a 409, as they may on AWS. Only races are different there.
    #[test]
    fn of_a_server_that_sends_409_to_losers() {
        let mut ways = Ways::default();
        ways.losers_get_409 = true;
        let races = ["concurrency::", "linearizability::", "conditions::", "fencing::"];
        run_some(ways, |name| races.iter().any(|group| name.starts_with(group)));
    }

    #[test]
    fn of_seaweedfs() {
        run(Ways::seaweedfs());
    }
}
