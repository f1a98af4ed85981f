//! [`Player`]: the operations of one thread in a history.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use storage_driver::{
    Error, Metadata, Path, Precondition, Stat, StorageDriver, StorageDriverExt, Version, Writer,
};

use super::event::{Call, Event, Outcome, When};
use crate::check::path;

/// One of the concurrent threads.
pub(super) struct Player {
    driver: Arc<dyn StorageDriver>,
    base: Path,
    thread: usize,
    /// The last version that it received.
    seen: Option<Version>,
    /// For its commits, the last first.
    uploads: Vec<Writer>,
}

impl Player {
    pub(super) fn new(driver: Arc<dyn StorageDriver>, base: Path, thread: usize) -> Self {
        Self { driver, base, thread, seen: None, uploads: Vec::new() }
    }

    fn at(&self, relative: &str) -> Path {
        path(&format!("{}{relative}", self.base))
    }

    /// The content of the `number`th call of this thread, which no other call stores.
    fn content(&self, number: usize) -> u32 {
        (self.thread * 100 + number) as u32
    }

    /// Opens and writes the uploads that `calls` commit.
    pub(super) async fn prepare(&mut self, calls: &[Call]) {
        for (number, call) in calls.iter().enumerate().rev() {
            if let Call::CommitTo { .. } = call {
                let at = self.at(&format!("/uploads/{}-{number}", self.thread));
                let mut writer = self.driver.create(&at).await.unwrap();
                writer.write_bytes(bytes_of(self.content(number))).await.unwrap();
                self.uploads.push(writer);
            }
        }
    }

    /// Makes the calls, and records the times of each call and its return.
    pub(super) async fn play(mut self, calls: Vec<Call>, clock: Arc<AtomicU64>) -> Vec<Event> {
        let mut events = Vec::new();
        for (number, call) in calls.into_iter().enumerate() {
            let content = self.content(number);
            let condition = self.condition(&call);
            let called = clock.fetch_add(1, Ordering::SeqCst);
            let outcome = self.call(&call, content, condition.clone()).await;
            let returned = clock.fetch_add(1, Ordering::SeqCst);
            if let Outcome::File { version, .. } = &outcome {
                self.seen = Some(version.clone());
            }
            let thread = self.thread;
            events.push(Event { thread, call, content, condition, called, returned, outcome });
        }
        events
    }

    fn condition(&self, call: &Call) -> Precondition {
        match (call.when(), &self.seen) {
            (When::IfAbsent, _) => Precondition::IfAbsent,
            (When::IfSeen, Some(version)) => Precondition::IfVersion(version.clone()),
            _ => Precondition::None,
        }
    }

    async fn call(&mut self, call: &Call, content: u32, condition: Precondition) -> Outcome {
        let driver = &self.driver;
        let stored = |result: Result<Metadata, Error>| match result {
            Ok(file) => Outcome::File { version: file.version, content: None },
            Err(error) => Outcome::Failed(error.kind()),
        };
        let done = |result: Result<(), Error>| match result {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed(error.kind()),
        };
        match *call {
            Call::Put { at, .. } => {
                let bytes = bytes_of(content).into();
                stored(driver.put_content(&self.at(at), bytes, condition).await)
            }
            Call::CommitTo { at, .. } => {
                let writer = self.uploads.pop().expect("an upload was opened for each commit");
                stored(writer.commit_to(&self.at(at), condition).await)
            }
            Call::Touch { at, .. } => stored(driver.touch(&self.at(at), condition).await),
            Call::Rename { from, to, .. } => {
                stored(driver.rename(&self.at(from), &self.at(to), condition).await)
            }
            Call::Copy { from, to, .. } => {
                stored(driver.copy(&self.at(from), &self.at(to), condition).await)
            }
            Call::RenameDir { from, to } => {
                done(driver.rename_dir(&self.at(from), &self.at(to)).await)
            }
            Call::Delete { at, .. } => done(driver.delete(&self.at(at), condition).await),
            Call::DeleteDir { at } => done(driver.delete_dir(&self.at(at)).await),
            Call::Get { at } => match driver.get_content(&self.at(at), 1 << 20).await {
                Ok(file) => {
                    let version = file.metadata().version.clone();
                    Outcome::File { version, content: Some(number_of(&file.into_bytes())) }
                }
                Err(error) => Outcome::Failed(error.kind()),
            },
            Call::Stat { at } => match driver.stat(&self.at(at)).await {
                Ok(Stat::File(file)) => Outcome::File { version: file.version, content: None },
                Ok(Stat::Directory(_)) => Outcome::Directory,
                Err(error) => Outcome::Failed(error.kind()),
            },
            Call::List { at } => match driver.list(&self.at(at), Default::default()).await {
                Ok(page) => Outcome::Entries(
                    page.items
                        .iter()
                        .map(|entry| {
                            let version = entry.metadata().map(|file| file.version.clone());
                            (entry.name().to_owned(), entry.is_dir(), version)
                        })
                        .collect(),
                ),
                Err(error) => Outcome::Failed(error.kind()),
            },
        }
    }
}

/// Content that identifies the call that stored it, long enough to be torn.
pub(super) fn bytes_of(number: u32) -> Bytes {
    number.to_le_bytes().repeat(64).into()
}

fn number_of(bytes: &[u8]) -> u32 {
    let word = |word: &[u8]| word.try_into().map(u32::from_le_bytes).ok();
    let mut words = bytes.chunks(4).map(word);
    let first = words.next().flatten().expect("content has a number");
    assert!(bytes.len() == 256 && words.all(|it| it == Some(first)), "torn content: {bytes:?}");
    first
}
