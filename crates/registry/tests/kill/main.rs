//! Kills the program at a random moment while clients push, and starts it again on the same directory.
//! Acknowledged content is there, byte for byte, and a client that repeats its push succeeds.
//!
//! `KILL_ROUNDS` is the number of rounds. `KILL_SEED` repeats the moments and the content of a run.

#[path = "../clients/support/mod.rs"]
mod support;

mod pushed;
mod pusher;
mod resumed;

use std::{
    env,
    path::Path,
    process::Child,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use pushed::Pushed;
use pusher::push_until_the_registry_is_gone;
use support::{
    curl::Curl,
    fixture::{Fixture, LARGE, SMALL},
    layout::{Layout, assert_same_image},
    program::Program,
    random::Random,
    served::Served,
};

const ROUNDS: u64 = 5;
/// The limit keeps a long run from filling the disk.
const ROUNDS_A_DIRECTORY: u64 = 16;
/// The number of clients that push blobs and manifests, in addition to those that push images.
const PUSHERS: u64 = 4;

const PUSH: [&str; 3] = ["--insecure-policy", "copy", "--dest-tls-verify=false"];
const PULL: [&str; 3] = ["--insecure-policy", "copy", "--src-tls-verify=false"];

#[test]
fn acknowledged_content_survives_a_kill_and_repeated_pushes_succeed() {
    let (Some(curl), Some(skopeo)) = (Curl::find(), Program::find("skopeo")) else { return };
    let Some(fixture) = Fixture::shared() else { return };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number("KILL_SEED").unwrap_or(now.subsec_nanos().into());
    // Printed if the test fails.
    eprintln!("KILL_SEED={seed}");
    let mut clients = Clients { curl, skopeo, images: &fixture.layout, random: Random::new(seed) };
    let rounds = number("KILL_ROUNDS").unwrap_or(ROUNDS);
    for first in (0..rounds).step_by(ROUNDS_A_DIRECTORY as usize) {
        let root = tempfile::tempdir().unwrap();
        let span = clients.time_to_push(root.path());
        let mut pushed = Pushed::default();
        for round in first..rounds.min(first + ROUNDS_A_DIRECTORY) {
            pushed.extend(clients.round(root.path(), round, span));
        }
        pushed.check(&Curl::new(&clients.curl, &Served::on(root.path())));
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

struct Clients<'a> {
    curl: Program,
    skopeo: Program,
    images: &'a Layout,
    random: Random,
}

impl Clients<'_> {
    /// How long it takes to push the large image without other clients.
    fn time_to_push(&self, root: &Path) -> Duration {
        let served = Served::on(root);
        let begin = Instant::now();
        self.push_again(&served, "undisturbed", LARGE);
        begin.elapsed()
    }

    /// Kills the registry during pushes, restarts it and checks its content.
    fn round(&mut self, root: &Path, round: u64, span: Duration) -> Pushed {
        let mut served = Served::on(root);
        let images =
            [(LARGE, format!("large/round{round}")), (SMALL, format!("small/round{round}"))];
        let copies: Vec<Child> = images
            .iter()
            .map(|(tag, repository)| self.copy(&served, repository, tag).spawn().unwrap())
            .collect();
        let (done, acknowledged) = mpsc::channel();
        let pushers: Vec<_> = (0..PUSHERS)
            .map(|n| {
                let (curl, random) = (Curl::new(&self.curl, &served), self.random.split());
                let (repository, done) = (format!("blobs/round{round}/{n}"), done.clone());
                thread::spawn(move || {
                    push_until_the_registry_is_gone(&curl, random, &repository, &done)
                })
            })
            .collect();
        drop(done);
        // Only acknowledged content can be lost.
        acknowledged.recv().expect("a client pushed an image");
        // The large image takes longer while other clients push.
        let moment = Duration::from_micros(self.random.below(3 * span.as_micros() as u64));
        let moment = Instant::now() + moment;
        while let Some(left) = moment.checked_duration_since(Instant::now()) {
            let more = acknowledged.recv_timeout(left);
            assert_ne!(more, Err(RecvTimeoutError::Disconnected), "clients ended before the kill");
        }
        served.kill();

        let mut pushed = Pushed::default();
        for pusher in pushers {
            pushed.extend(pusher.join().unwrap());
        }
        let served = Served::on(root);
        pushed.check(&Curl::new(&self.curl, &served));
        for (copy, (tag, repository)) in copies.into_iter().zip(&images) {
            if copy.wait_with_output().unwrap().status.success() {
                self.pull(&served, repository, tag);
            }
            self.push_again(&served, repository, tag);
            self.pull(&served, repository, tag);
        }
        pushed
    }

    fn copy(&self, served: &Served, repository: &str, tag: &str) -> std::process::Command {
        let mut command = self.skopeo.command();
        let image = served.docker(&format!("{repository}:{tag}"));
        command.args(PUSH).args([self.images.oci(tag), image]);
        command
    }

    #[track_caller]
    fn push_again(&self, served: &Served, repository: &str, tag: &str) {
        support::program::run(&mut self.copy(served, repository, tag));
    }

    #[track_caller]
    fn pull(&self, served: &Served, repository: &str, tag: &str) {
        let folder = tempfile::tempdir().unwrap();
        let pulled = Layout::at(folder.path().join("pulled"));
        let image = served.docker(&format!("{repository}:{tag}"));
        self.skopeo.run(&[&PULL[..], &[&image, &pulled.oci(tag)]].concat());
        assert_same_image(&pulled, self.images, tag);
    }
}
