//! Random interleavings: two or three processes share a store, and a scheduler decides which of their requests and
//! responses arrives next, late, twice or never. Some processes are killed.
//!
//! Each history has to be explained by an order in which a sequential store gives the same results; afterwards, all
//! that was acknowledged is there, and after deletions the sweeper leaves nothing.
//!
//! A run is repeatable: its seed decides about the operations, the schedule and the names. A failure prints the
//! seed and the shortest operations that were found to fail.
//!
//! - `INTERLEAVINGS=100000`: how many seeds each test tries.
//! - `INTERLEAVING_SEED=7`: only this one.

mod network;
mod process;
mod spec;

use std::{fmt::Write, time::Duration};

use storage_driver::{Path, Precondition, StorageDriver, SweepOptions};
use storage_driver_bucket::{
    Builder,
    double::{Double, Ways, seed_nonces},
};

use self::{
    network::{Network, Weights},
    process::{Process, Recorder, Step, Want},
    spec::Op,
};
use crate::support::{files, leftovers, open, path};

const FILES: [&str; 2] = ["/x", "/y"];
const UPLOADS: [&str; 2] = ["/u", "/v"];
const HOUR: Duration = Duration::from_secs(3600);
/// The time from one event to the next. A request that waits for some hundred events is far from its deadline.
const TICK: Duration = Duration::from_millis(10);
/// So many ticks without an event are a hang. Pauses of the driver are shorter.
const PATIENCE: usize = 6000;

/// Which interleavings are tried.
#[derive(Debug, Clone)]
struct Family {
    ways: fn() -> Ways,
    weights: Weights,
    /// Whether files and uploads are deleted.
    deletes: bool,
    kills: bool,
}

/// Requests and responses arrive in any order.
const DELAYS: Weights =
    Weights { responds_late: 40, is_lost: 0, loses_response: 0, arrives_twice: 0, is_given_up: 0 };

/// Some do not arrive, some twice, some when the client has given them up.
const LOSSES: Weights =
    Weights { responds_late: 25, is_lost: 4, loses_response: 8, arrives_twice: 4, is_given_up: 4 };

/// What is done in one interleaving.
#[derive(Debug, Clone)]
struct Scenario {
    seed: u64,
    scripts: Vec<Vec<Step>>,
    /// The process that is killed, and after how many events.
    kill: Option<(usize, usize)>,
}

impl Scenario {
    fn of(family: &Family, seed: u64) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed);
        let processes = dice.usize(2..4);
        let scripts = (0..processes).map(|_| {
            let length = dice.usize(2..7);
            (0..length).map(|_| step(&mut dice, family)).collect()
        });
        let scripts = scripts.collect();
        let killed = family.kills && dice.usize(..3) == 0;
        let kill = killed.then(|| (dice.usize(..processes), dice.usize(..50)));
        Self { seed, scripts, kill }
    }
}

fn step(dice: &mut fastrand::Rng, family: &Family) -> Step {
    let want = match dice.usize(..5) {
        0 => Want::IfAbsent,
        1 => Want::IfSeen,
        _ => Want::Always,
    };
    // Mostly the same paths, so that operations meet.
    let file = FILES[usize::from(dice.usize(..4) == 0)];
    let upload = UPLOADS[usize::from(dice.usize(..5) == 0)];
    match dice.usize(..22) {
        0..=2 => Step::Put(file, want),
        3 | 4 => Step::Get(file),
        5..=7 => Step::Resume(upload),
        8 | 9 => Step::Create(upload),
        10..=12 => Step::Write(upload),
        13..=16 => Step::Commit(upload, file, want),
        17 => Step::Look(upload),
        18 => Step::Sweep,
        19 if family.deletes => Step::Cancel(upload),
        20 if family.deletes => Step::CancelWriter(upload),
        21 if family.deletes => Step::Delete(file, want),
        _ => Step::Get(file),
    }
}

/// Plays a scenario. The error says what is wrong, and how it came about.
fn play(family: &Family, scenario: &Scenario) -> Result<(), String> {
    seed_nonces(scenario.seed);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    let server = Double::new((family.ways)());
    let network = Network::new(&server);
    let recorder = Recorder::default();
    let result = runtime.block_on(run(family, scenario, &server, &network, &recorder));
    result.map_err(|reason| {
        let mut text = format!("{reason}\n");
        for op in recorder.ops() {
            let _ = writeln!(text, "  {}", line(&op));
        }
        for event in network.trace() {
            let _ = writeln!(text, "    {event}");
        }
        text
    })
}

fn line(op: &Op) -> String {
    let ended = if op.ended == u64::MAX { "-".to_owned() } else { op.ended.to_string() };
    format!("{}..{ended} process {}: {:?} -> {:?}", op.begun, op.process, op.call, op.outcome)
}

async fn run(
    family: &Family,
    scenario: &Scenario,
    server: &Double,
    network: &Network,
    recorder: &Recorder,
) -> Result<(), String> {
    // Otherwise it would matter to a sweep when a second begins.
    server.stop_clock();
    // Without conditional deletions the sweeper has nothing to do but with owners, which do not need the grace.
    let grace = if open(server).await.deletes_conditionally() { HOUR } else { Duration::ZERO };
    let sweep = SweepOptions::new().deep().grace(grace);
    let mut first = Process::new(open(server).await, 99, recorder.clone(), sweep.clone());
    let old = [
        Step::Create("/u"),
        Step::Write("/u"),
        Step::Commit("/u", "/x", Want::Always),
        Step::Create("/u"),
        Step::Write("/u"),
    ];
    for step in old {
        first.take(step).await;
    }
    drop(first);
    server.advance(2 * HOUR);

    let mut tasks = Vec::new();
    for (number, script) in scenario.scripts.iter().enumerate() {
        let connection = network.connection(number);
        let store = Builder::double(server).connector(connection).open().await.unwrap();
        let process = Process::new(store, number, recorder.clone(), sweep.clone());
        tasks.push((process, script.clone()));
    }
    network.set_scheduled(true);
    let tasks: Vec<_> = tasks
        .into_iter()
        .map(|(mut process, script)| {
            tokio::spawn(async move {
                for step in script {
                    process.take(step).await;
                }
            })
        })
        .collect();
    schedule(family, scenario, network, &tasks).await?;
    for task in tasks {
        // Killed, or an assertion has failed.
        if let Err(error) = task.await
            && error.is_panic()
        {
            return Err(recorder.panic_text(error));
        }
    }
    network.set_scheduled(false);
    finish(server, recorder, sweep).await
}

async fn schedule(
    family: &Family,
    scenario: &Scenario,
    network: &Network,
    tasks: &[tokio::task::JoinHandle<()>],
) -> Result<(), String> {
    let mut dice = fastrand::Rng::with_seed(scenario.seed ^ 0x5eed);
    let (mut events, mut idle) = (0, 0);
    loop {
        tokio::time::sleep(TICK).await;
        if let Some((process, after)) = scenario.kill
            && events == after
        {
            network.kill(process);
            tasks[process].abort();
        }
        match network.step(&mut dice, &family.weights).await {
            true => (events, idle) = (events + 1, 0),
            false if tasks.iter().all(tokio::task::JoinHandle::is_finished) => return Ok(()),
            false => idle += 1,
        }
        if idle == PATIENCE {
            return Err("an operation hangs".to_owned());
        }
    }
}

/// Another process finds all that was acknowledged, and the sweeper leaves nothing else.
async fn finish(server: &Double, recorder: &Recorder, sweep: SweepOptions) -> Result<(), String> {
    let mut last = Process::new(open(server).await, 100, recorder.clone(), sweep);
    for upload in UPLOADS {
        last.take(Step::Look(upload)).await;
    }
    for file in FILES {
        last.take(Step::Get(file)).await;
    }
    let everything = SweepOptions::new().deep().grace(Duration::ZERO);
    last.store().sweep(everything.clone()).await.map_err(|error| format!("sweep: {error:?}"))?;
    for (upload, to) in UPLOADS.into_iter().zip(["/ends/u", "/ends/v"]) {
        last.take(Step::Resume(upload)).await;
        last.take(Step::Commit(upload, to, Want::Always)).await;
    }
    for file in FILES.into_iter().chain(["/ends/u", "/ends/v"]) {
        last.take(Step::Get(file)).await;
    }
    if !spec::is_explained(&recorder.ops()) {
        return Err("no order of the operations explains their results".to_owned());
    }
    let store = last.into_store();
    for name in files(&store).await.keys() {
        store.delete(&path(name), Precondition::None).await.unwrap();
    }
    store.cancel_uploads(&Path::root(), Duration::ZERO).await.unwrap();
    for _ in 0..2 {
        store.sweep(everything.clone()).await.unwrap();
    }
    let left = leftovers(server);
    match left.is_empty() {
        true => Ok(()),
        false => Err(format!("left behind: {left:?}")),
    }
}

/// The shortest scenario that was found to fail, and why it does.
fn shrunk(family: &Family, mut scenario: Scenario, mut reason: String) -> (Scenario, String) {
    let mut again = true;
    while again {
        again = false;
        for process in 0..scenario.scripts.len() {
            for step in (0..scenario.scripts[process].len()).rev() {
                let mut shorter = scenario.clone();
                shorter.scripts[process].remove(step);
                if let Err(other) = play(family, &shorter) {
                    (scenario, reason, again) = (shorter, other, true);
                }
            }
        }
        let without_kill = Scenario { kill: None, ..scenario.clone() };
        if scenario.kill.is_some()
            && let Err(other) = play(family, &without_kill)
        {
            (scenario, reason, again) = (without_kill, other, true);
        }
    }
    (scenario, reason)
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Tries many seeds.
fn explore(family: &Family) {
    let seeds = match variable("INTERLEAVING_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("INTERLEAVINGS").unwrap_or(250),
    };
    for seed in seeds {
        let scenario = Scenario::of(family, seed);
        if let Err(reason) = play(family, &scenario) {
            let (shortest, reason) = shrunk(family, scenario, reason);
            panic!("INTERLEAVING_SEED={seed}\n{shortest:#?}\n{reason}");
        }
    }
}

#[test]
fn delays_with_conditional_deletions() {
    explore(&Family { ways: Ways::default, weights: DELAYS, deletes: true, kills: true });
}

#[test]
fn delays_with_tombstones() {
    explore(&Family { ways: Ways::ceph, weights: DELAYS, deletes: true, kills: true });
}

/// Without deletions: there a request that was given up can take effect after one.
#[test]
fn losses_with_conditional_deletions() {
    explore(&Family { ways: Ways::default, weights: LOSSES, deletes: false, kills: true });
}

#[test]
fn losses_with_tombstones() {
    explore(&Family { ways: Ways::ceph, weights: LOSSES, deletes: true, kills: true });
}

#[test]
fn a_run_is_repeatable() {
    let family = Family { ways: Ways::ceph, weights: LOSSES, deletes: true, kills: true };
    let trace = |seed| {
        seed_nonces(seed);
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build().unwrap();
        let server = Double::new(Ways::ceph());
        let network = Network::new(&server);
        let scenario = Scenario::of(&family, seed);
        let recorder = Recorder::default();
        let run = run(&family, &scenario, &server, &network, &recorder);
        runtime.block_on(run).unwrap();
        network.trace()
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}
