//! Faults at every request of an opening: it finds out the ways of the server, or fails and can be repeated.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use storage_driver_bucket::{
    Builder,
    double::{Double, Ways},
    http::{Connector, Fault, FaultPlan},
};

/// Opens a store with a fault at request `at`. Returns whether there was such a request.
async fn run(ways: &Ways, fault: Fault, at: u64) -> bool {
    let what = format!("{fault:?} at request {at}, {ways:?}");
    let server = Double::new(ways.clone());
    let expected = Builder::double(&server).open().await;
    let connector = Connector::new(server.clone());
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    connector.meter().set_faults(Some(FaultPlan::new(move |_, _| {
        match counted.fetch_add(1, Ordering::Relaxed) == at {
            true => fault,
            false => Fault::None,
        }
    })));
    let opened = Builder::double(&server).connector(connector).open().await;
    match (expected, opened) {
        (_, Err(error)) if error.is_retryable() => {}
        (Ok(expected), Ok(opened)) => {
            assert_eq!(opened.deletes_conditionally(), expected.deletes_conditionally(), "{what}");
        }
        (Err(expected), Err(error)) => {
            use std::error::Error;
            let cause = |error: &dyn Error| error.source().map(ToString::to_string);
            assert_eq!(cause(&error), cause(&expected), "{what}");
        }
        (Ok(_), Err(error)) => panic!("{what}: refused: {error:?}"),
        (Err(_), Ok(_)) => panic!("{what}: opened although it lies"),
    }
    sent.load(Ordering::Relaxed) > at
}

async fn exhaust(fault: Fault) {
    let liar = |change: fn(&mut Ways)| {
        let mut ways = Ways::default();
        change(&mut ways);
        ways
    };
    let all = [
        Ways::default(),
        Ways::ceph(),
        Ways::seaweedfs(),
        liar(|ways| ways.ignores_create = true),
        liar(|ways| ways.ignores_match = true),
        liar(|ways| ways.refuses_match = true),
    ];
    for ways in &all {
        let mut at = 0;
        while run(ways, fault, at).await {
            at += 1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_fails_before_it_has_an_effect_hides_no_lie() {
    exhaust(Fault::Before).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_fails_after_it_had_its_effect_hides_no_lie() {
    exhaust(Fault::After).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_arrives_twice_hides_no_lie() {
    exhaust(Fault::Twice).await;
}
