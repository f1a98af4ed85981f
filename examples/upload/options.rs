//! [`Options`]: the command line, checked before anything is done.

use std::{ffi::OsString, fs, path::PathBuf};

use drivers::{ByteSize, Location};
use lexopt::{Parser, prelude::*};

use crate::{failure::Failure, memory, size::Size, source::Input};

pub(crate) const HELP: &str = "\
Streams a blob into a store, in memory or on files, and reads it back with a
checksum.

Usage: upload [FILE|-] [OPTIONS]

  FILE                 upload this file; `-` is standard input
                       (without it: a generated stream)

Options:
  --to URL             the store: inmemory: or file:///absolute/directory
                       [inmemory:]
  --resume             go on with what an earlier run of the same source has left
                       in the store, ended by Ctrl-C or killed; where it has left
                       nothing, start anew (without it: discard what it left)
  --sync-every SIZE    bytes after which a store on files keeps what it has, for
                       a run that is killed to be resumed from there [64MiB]
  --size SIZE          length of the generated stream [1GiB]
  --chunk SIZE         bytes handed over in one write, up to 16MiB [32KiB]
  --capacity SIZE      memory that the store may hold, if it is in memory
                       [nine tenths of what is available, where that is known]
  --parallel N         upload the same source to N paths at once, up to 256 [1]
  --interrupt-at SIZE  drop the writer after so many bytes, resume with a new one
  -h, --help           print this

A SIZE is a number of bytes, or one with a unit: KiB, MiB, GiB, TiB (powers of
1,024), kB, MB, GB, TB (of 1,000).

Exit code: 0, or 1 if the upload failed, or 2 if it could not be tried, or 130
after Ctrl-C.
";

const MAX_CHUNK: u64 = 16 << 20;
const MAX_PARALLEL: usize = 256;
const SYNC_EVERY: u64 = 64 << 20;

/// What the program is asked for.
pub(crate) enum Command {
    Help,
    Upload(Options),
}

/// An upload that can be tried.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) input: Input,
    /// Bytes in one write.
    pub(crate) chunk: usize,
    pub(crate) to: Location,
    /// Whether to go on with what an earlier run left.
    pub(crate) resume: bool,
    /// Bytes after which a durable store is asked to keep what it has.
    pub(crate) sync_every: u64,
    pub(crate) parallel: usize,
    /// Where to drop the writer, in bytes from the beginning.
    pub(crate) interrupt_at: Option<u64>,
}

pub(crate) fn parse(mut args: Parser) -> Result<Command, Failure> {
    let (mut file, mut size, mut chunk) = (None, None, 32 << 10);
    let (mut capacity, mut parallel, mut interrupt_at) = (None, 1, None);
    let (mut to, mut resume, mut sync_every) = (Location::InMemory { capacity: None }, false, None);
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long("to") => to = parse_location(&args.value()?.string()?)?,
            Long("resume") => resume = true,
            Long("sync-every") => sync_every = Some(parse_size("--sync-every", args.value()?)?),
            Long("size") => size = Some(parse_size("--size", args.value()?)?),
            Long("chunk") => chunk = parse_size("--chunk", args.value()?)?,
            Long("capacity") => capacity = Some(parse_size("--capacity", args.value()?)?),
            Long("parallel") => parallel = parse_parallel(args.value()?)?,
            Long("interrupt-at") => {
                interrupt_at = Some(parse_size("--interrupt-at", args.value()?)?);
            }
            Value(value) if file.is_none() => file = Some(value),
            Value(value) => {
                return Err(Failure::usage(format!("one file at a time; {value:?} is another")));
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if !(1..=MAX_CHUNK).contains(&chunk) {
        let max = Size(MAX_CHUNK);
        return Err(Failure::usage(format!("--chunk {chunk}: give 1 byte to {max}")));
    }
    let input = match (file, size) {
        (None, size) => Input::Generated { size: size.unwrap_or(1 << 30) },
        (Some(_), Some(_)) => {
            return Err(Failure::usage("--size is for the generated stream, and a file was given"));
        }
        (Some(file), None) if file == "-" => Input::Stdin,
        (Some(file), None) => look_at(file.into())?,
    };
    let to = fit(to, capacity, resume, sync_every.is_some())?;
    let (chunk, sync_every) = (chunk as usize, sync_every.unwrap_or(SYNC_EVERY));
    let options = Options { input, chunk, to, resume, sync_every, parallel, interrupt_at };
    Ok(Command::Upload(check(options)?))
}

/// Checks what is asked of a store against what kind of store it is, and gives it its capacity.
fn fit(
    to: Location,
    capacity: Option<u64>,
    resume: bool,
    sync_every: bool,
) -> Result<Location, Failure> {
    match to {
        Location::InMemory { .. } if resume => Err(Failure::usage(
            "--resume: what is in memory ends with its run; --to file:///DIRECTORY outlives it",
        )),
        Location::InMemory { .. } if sync_every => {
            Err(Failure::usage("--sync-every: a store in memory has nothing to sync to"))
        }
        Location::InMemory { capacity: Some(_) } if capacity.is_some() => {
            Err(Failure::usage("--capacity is given by --to already"))
        }
        Location::InMemory { capacity: given } => {
            Ok(Location::InMemory { capacity: given.or(capacity) })
        }
        to if capacity.is_some() => {
            Err(Failure::usage(format!("--capacity is for a store in memory, not for {to}")))
        }
        to => Ok(to),
    }
}

/// Checks what one option says against the others.
fn check(mut options: Options) -> Result<Options, Failure> {
    let size = options.input.size();
    if size.is_none() && options.parallel > 1 {
        return Err(Failure::usage("--parallel needs a source that can be read more than once"));
    }
    let past_the_end = |at: &u64| size.is_some_and(|size| *at > size);
    if let Some(at) = options.interrupt_at.filter(past_the_end) {
        let size = size.unwrap_or_default();
        return Err(Failure::usage(format!("--interrupt-at {at}: past the end, at {size}")));
    }
    if let Location::InMemory { capacity } = &mut options.to {
        let whose = match capacity {
            Some(_) => "its capacity",
            None => "nine tenths of the memory available",
        };
        *capacity = capacity.or_else(default_capacity);
        let needed = size.unwrap_or_default().saturating_mul(options.parallel as u64);
        if let Some(capacity) = capacity.filter(|capacity| needed > *capacity) {
            let (needed, capacity) = (Size(needed), Size(capacity));
            return Err(Failure::usage(format!("{needed} do not fit in {capacity} ({whose})")));
        }
    }
    Ok(options)
}

/// Without a limit a stream with no end would take the machine down with it.
fn default_capacity() -> Option<u64> {
    memory::available().map(|available| available / 10 * 9)
}

fn look_at(path: PathBuf) -> Result<Input, Failure> {
    let metadata = fs::metadata(&path)
        .map_err(|error| Failure::usage(format!("cannot read {path:?}: {error}")))?;
    if metadata.is_dir() {
        return Err(Failure::usage(format!("cannot read {path:?}: it is a directory")));
    }
    // Devices, pipes and the files of /proc do not tell how much is in them.
    let size = Some(metadata.len()).filter(|size| metadata.is_file() && *size > 0);
    Ok(Input::File { path, size })
}

fn parse_size(option: &str, value: OsString) -> Result<u64, Failure> {
    let text = value.to_string_lossy();
    let size: Result<ByteSize, _> = text.parse();
    size.map(|size| size.0).map_err(|why| Failure::usage(format!("{option} {text}: {why}")))
}

fn parse_location(text: &str) -> Result<Location, Failure> {
    text.parse().map_err(|why| Failure::usage(format!("--to {text}: {why}")))
}

fn parse_parallel(value: OsString) -> Result<usize, Failure> {
    let text = value.to_string_lossy();
    let number = text.parse().ok().filter(|number| (1..=MAX_PARALLEL).contains(number));
    number.ok_or_else(|| {
        Failure::usage(format!("--parallel {text}: give a number from 1 to {MAX_PARALLEL}"))
    })
}
