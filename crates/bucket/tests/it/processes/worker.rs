//! A process that works on a shared store: this test program, run again.
//!
//! It reads one command a line, and writes one line for each, which begins with `> `.

use std::{
    collections::HashMap,
    io::{BufRead, Write},
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use object_store::aws::AmazonS3Builder;
use storage_driver::{
    Error, Precondition, Result, StorageDriver, SweepOptions, Writer, WriterOptions,
};
use storage_driver_bucket::{Bucket, Builder, double::Double};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::listener::Listener;
use crate::support::{bytes, path};

const ENDPOINT: &str = "BUCKET_WORKER_ENDPOINT";
/// How far the clock of the process is ahead of this machine's, in seconds.
const AHEAD: &str = "BUCKET_WORKER_AHEAD";

/// Another process.
pub(super) struct Worker {
    child: Arc<Mutex<Child>>,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    pub(super) listener: Listener,
}

impl Worker {
    pub(super) async fn start(server: &Double) -> Self {
        Self::start_ahead(server, 0).await
    }

    /// Starts a process whose clock is ahead by so many seconds.
    pub(super) async fn start_ahead(server: &Double, seconds: i64) -> Self {
        let listener = Listener::start(server).await;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["processes::worker::runs_commands", "--exact", "--ignored", "--nocapture"])
            .env(ENDPOINT, listener.endpoint())
            .env(AHEAD, seconds.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let child = Arc::new(Mutex::new(child));
        let killed = Arc::clone(&child);
        listener.set_kill(move || killed.lock().unwrap().start_kill().unwrap());
        let lines = BufReader::new(stdout).lines();
        let mut worker = Self { child, stdin, lines, listener };
        assert_eq!(worker.result().await.as_deref(), Some("open"));
        worker
    }

    /// Sends a command.
    pub(super) async fn send(&mut self, command: &str) {
        self.stdin.write_all(format!("{command}\n").as_bytes()).await.unwrap();
    }

    /// Waits for the result of the command before. `None` if the process has ended.
    pub(super) async fn result(&mut self) -> Option<String> {
        loop {
            let line = self.lines.next_line().await.unwrap()?;
            // The test harness writes lines of its own.
            if let Some((_, result)) = line.split_once("> ") {
                return Some(result.to_owned());
            }
        }
    }

    /// Sends a command and waits for its result.
    pub(super) async fn ask(&mut self, command: &str) -> String {
        self.send(command).await;
        self.result().await.expect("the process has ended")
    }

    /// Waits for the end of a process that was killed.
    pub(super) async fn ended(self) {
        let child = Arc::clone(&self.child);
        drop(self.stdin);
        loop {
            if child.lock().unwrap().try_wait().unwrap().is_some() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// The other side.
struct Commands {
    store: Bucket,
    writers: HashMap<String, Writer>,
}

impl Commands {
    async fn run(&mut self, words: &[&str]) -> Result<String> {
        match words {
            ["create", at] => self.open(at, WriterOptions::create()).await,
            ["resume", at] => self.open(at, WriterOptions::resume()).await,
            ["write", at, seed, length] => {
                let content = bytes(number(seed)? as u8, number(length)?);
                self.writer(at)?.write_bytes(content).await.map(|()| "written".to_owned())
            }
            ["sync", at] => self.writer(at)?.sync().await.map(|()| "kept".to_owned()),
            ["commit", at, to, condition] => {
                let condition = match *condition {
                    "absent" => Precondition::IfAbsent,
                    _ => Precondition::None,
                };
                let writer = self.writers.remove(*at).ok_or_else(unknown)?;
                let metadata = writer.commit_to(&path(to), condition).await?;
                Ok(format!("committed {}", metadata.size))
            }
            ["put", at, seed, length] => {
                let content = bytes(number(seed)? as u8, number(length)?).into();
                self.store.put_content(&path(at), content, Precondition::None).await?;
                Ok("put".to_owned())
            }
            ["sweep"] => {
                let report = self.store.sweep(SweepOptions::new().deep()).await?;
                Ok(format!("swept {}", report.objects))
            }
            _ => Err(unknown()),
        }
    }

    async fn open(&mut self, at: &str, options: WriterOptions) -> Result<String> {
        let writer = self.store.writer(&path(at), options).await?;
        let size = writer.size();
        self.writers.insert(at.to_owned(), writer);
        Ok(format!("opened {size}"))
    }

    fn writer(&mut self, at: &str) -> Result<&mut Writer> {
        self.writers.get_mut(at).ok_or_else(unknown)
    }
}

fn number(text: &str) -> Result<usize> {
    text.parse().map_err(Error::other)
}

fn unknown() -> Error {
    Error::other("an unknown command")
}

async fn open_store(endpoint: &str) -> Bucket {
    let s3 = AmazonS3Builder::new()
        .with_bucket_name("memory")
        .with_region("memory")
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_access_key_id("memory")
        .with_secret_access_key("memory");
    let ahead = std::env::var(AHEAD).ok().and_then(|text| text.parse::<i64>().ok());
    let ahead = ahead.unwrap_or_default();
    let clock = move || {
        let by = Duration::from_secs(ahead.unsigned_abs());
        if ahead < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
    };
    Builder::s3(s3).clock(clock).open().await.unwrap()
}

#[test]
#[ignore = "other tests run it as a process"]
fn runs_commands() {
    let Ok(endpoint) = std::env::var(ENDPOINT) else { return };
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build().unwrap();
    let store = runtime.block_on(open_store(&endpoint));
    let mut commands = Commands { store, writers: HashMap::new() };
    // Past the capture of the test harness.
    let mut out = std::io::stdout();
    writeln!(out, "\n> open").unwrap();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let result = match runtime.block_on(commands.run(&words)) {
            Ok(text) => text,
            Err(error) => format!("{:?}", error.kind()),
        };
        writeln!(out, "> {result}").unwrap();
    }
}
