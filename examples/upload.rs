//! Streams content into the in-memory driver, loses the writer half way, resumes the upload, commits
//! it, reads it back, and compares checksums.
//!
//! ```text
//! cargo run --release --example upload                                   # 1 GiB, generated
//! cargo run --release --example upload -- --size 5GiB --chunk 32KiB
//! cargo run --release --example upload -- Cargo.lock --interrupt-at 10kB
//! cat Cargo.lock | cargo run --release --example upload -- -
//! ```
//!
//! Start with `upload` and `read_back`. The rest is the command line, the source and the report.

use std::{
    fs,
    io::{self, Write},
    pin::Pin,
    process::ExitCode,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use futures::TryStreamExt;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use inmemory::InMemory;
use lexopt::prelude::*;
use sha2::{Digest, Sha256};
use storage_driver::{Path, ReadRange, StorageDriver, StorageDriverExt, WriterOptions};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

const HELP: &str = "\
Usage: upload [FILE|-] [--size SIZE] [--chunk SIZE] [--interrupt-at SIZE]

  FILE                 the content; `-` is standard input [generated content]
  --size SIZE          length of the generated content [1GiB]
  --chunk SIZE         bytes in one write, 1 to 16MiB [32KiB]
  --interrupt-at SIZE  offset at which to lose the writer and resume [half of --size]
";

/// Uploads `source` to `path` and returns the checksum of what it sent.
async fn upload(
    driver: &dyn StorageDriver,
    path: &Path,
    mut source: Source,
    options: &Options,
) -> Result<Sent> {
    let bar = progress_bar("uploading", options.size);
    let (mut size, mut sha256, mut in_driver) = (0, Sha256::new(), Duration::ZERO);
    let mut interrupt_at = options.interrupt_at;
    let mut writer = driver.create(path).await?;
    loop {
        // The chunk before the interruption ends exactly there.
        let limit = interrupt_at.map_or(options.chunk, |at| options.chunk.min(at - size));
        let chunk = read_chunk(&mut source, limit).await.context("cannot read the content")?;
        let length = chunk.len() as u64;
        sha256.update(&chunk);

        let start = Instant::now();
        writer.write_bytes(chunk).await?; // takes the buffer over: no copy
        in_driver += start.elapsed();

        size += length;
        bar.inc(length);
        if interrupt_at == Some(size) {
            drop(writer); // as when a connection breaks
            writer = driver.writer(path, WriterOptions::resume_at(size)).await?;
            interrupt_at = None;
        } else if length < limit {
            break; // the end of the source
        }
    }
    if let Some(at) = interrupt_at {
        bail!("the content ends at {size}, before --interrupt-at {at}");
    }
    // Until here, nothing is visible at the path. From here on, all of it is.
    writer.commit().await?;
    bar.finish_and_clear();
    Ok(Sent { size, sha256: sha256.finalize(), in_driver })
}

/// Reads the file at `path` and returns its checksum.
async fn read_back(driver: &dyn StorageDriver, path: &Path) -> Result<Sum> {
    let mut reader = driver.reader(path, ReadRange::Full).await?;
    let bar = progress_bar("reading back", Some(reader.remaining()));
    let mut sha256 = Sha256::new();
    while let Some(data) = reader.try_next().await? {
        sha256.update(&data);
        bar.inc(data.len() as u64);
    }
    bar.finish_and_clear();
    Ok(sha256.finalize())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    let _ = writeln!(io::stderr(), "upload: {error:#}");
    ExitCode::FAILURE
}

async fn run() -> Result<()> {
    let Some(options) = Options::parse(lexopt::Parser::from_env())? else {
        return say(HELP.trim_end());
    };
    // Content that does not fit is refused with an error instead of exhausting the machine.
    let capacity = proc_kib("/proc/meminfo", "MemAvailable:").unwrap_or(u64::MAX / 1024) * 1024;
    let driver = InMemory::builder().capacity(capacity / 10 * 9).build();
    let path = Path::parse("/uploads/example")?;

    let source = options.open().await?;
    let start = Instant::now();
    let sent = upload(&driver, &path, source, &options).await?;
    let (bytes, took) = (HumanBytes(sent.size), start.elapsed().as_secs_f64());
    if let Some(at) = options.interrupt_at {
        say(&format!("resumed at   {at} bytes"))?;
    }
    say(&format!("uploaded     {bytes} ({} bytes) in {took:.2} s", sent.size))?;
    say(&format!("in writes    {:.3} s of it", sent.in_driver.as_secs_f64()))?;

    let start = Instant::now();
    let read = read_back(&driver, &path).await?;
    say(&format!("read back    {bytes} in {:.2} s", start.elapsed().as_secs_f64()))?;
    ensure!(read == sent.sha256, "the content read back differs from the content sent");
    let hex: String = read.iter().map(|byte| format!("{byte:02x}")).collect();
    say(&format!("sha256       {hex}, sent and read"))?;
    say(&format!("memory held  {} by the driver", HumanBytes(driver.usage().held())))?;
    if let Some(kib) = proc_kib("/proc/self/status", "VmHWM:") {
        say(&format!("peak memory  {} of the process", HumanBytes(kib * 1024)))?;
    }
    Ok(())
}

/// What [`upload`] sent, and the time spent in the driver's writes.
struct Sent {
    size: u64,
    sha256: Sum,
    in_driver: Duration,
}

type Source = Pin<Box<dyn AsyncRead>>;
type Sum = sha2::digest::Output<Sha256>;

/// Reads up to `limit` bytes into a buffer of their own; fewer only at the end of the source.
async fn read_chunk(source: &mut Source, limit: u64) -> io::Result<Bytes> {
    let mut chunk = Vec::with_capacity(limit as usize);
    source.take(limit).read_to_end(&mut chunk).await?;
    Ok(chunk.into())
}

/// Pseudo-random content without an end.
struct Generated(fastrand::Rng);

impl AsyncRead for Generated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = buffer.remaining();
        self.0.fill(buffer.initialize_unfilled());
        buffer.advance(length);
        Poll::Ready(Ok(()))
    }
}

struct Options {
    /// `None`: generated content.
    file: Option<std::path::PathBuf>,
    /// The size of the content, where it is known.
    size: Option<u64>,
    chunk: u64,
    interrupt_at: Option<u64>,
}

impl Options {
    /// Parses the command line; `None` if it asks for help.
    fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>> {
        let mut options = Self { file: None, size: None, chunk: 32 << 10, interrupt_at: None };
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("size") => options.size = Some(size(&mut arguments)?),
                Long("chunk") => options.chunk = size(&mut arguments)?,
                Long("interrupt-at") => options.interrupt_at = Some(size(&mut arguments)?),
                Long("help") | Short('h') => return Ok(None),
                Value(file) if options.file.is_none() => options.file = Some(file.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        ensure!((1..=16 << 20).contains(&options.chunk), "--chunk must be 1 to 16MiB");
        if options.file.is_none() {
            let size = *options.size.get_or_insert(1 << 30);
            options.interrupt_at.get_or_insert(size / 2);
        } else if options.size.is_some() {
            bail!("--size is for generated content");
        }
        Ok(Some(options))
    }

    async fn open(&self) -> Result<Source> {
        Ok(match (&self.file, self.size) {
            (None, size) => {
                let generated = Generated(fastrand::Rng::with_seed(0));
                Box::pin(generated.take(size.unwrap_or(0)))
            }
            (Some(file), _) if file.as_os_str() == "-" => Box::pin(tokio::io::stdin()),
            (Some(file), _) => {
                let opened = tokio::fs::File::open(file).await;
                Box::pin(opened.with_context(|| format!("cannot open {}", file.display()))?)
            }
        })
    }
}

/// The value of an option that is a number of bytes, with or without a unit.
fn size(arguments: &mut lexopt::Parser) -> Result<u64> {
    Ok(arguments.value()?.parse_with(|text| parse_size::parse_size(text))?)
}

/// A bar on standard error, where that is a terminal.
fn progress_bar(stage: &'static str, size: Option<u64>) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg} {wide_bar} {binary_bytes} {binary_bytes_per_sec}");
    let bar = ProgressBar::no_length().with_message(stage);
    size.inspect(|size| bar.set_length(*size));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Prints a line. A reader that closed the pipe is an error, not a panic.
fn say(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("cannot write to standard output")
}

/// A field of a file whose lines are `Name:   1234 kB`. Linux has them; elsewhere there is none.
fn proc_kib(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}
