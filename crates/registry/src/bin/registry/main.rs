//! The program `registry`: serves a registry, collects its garbage, checks its store, and prints its settings.

mod check;
mod cli;
mod failure;
mod file;
mod gc;
mod listen;
mod log;
mod serve;
mod settings;
mod signals;
mod storage;
mod text;
mod values;
mod warnings;

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use storage_driver_registry::ErrorChain;

use crate::{cli::Command, failure::Failure, settings::Settings};

fn main() -> ExitCode {
    let command = match Command::parse(env::args_os()) {
        Ok(command) => command,
        Err(error) => error.exit(),
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "registry: {}", ErrorChain(&failure));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(sources) => {
            let settings = sources.settings()?;
            let warnings = warnings::of(&settings);
            let settings = settings.effective()?;
            log::start(&settings);
            warn(&warnings);
            block_on(serve::serve(settings))
        }
        Command::Gc { dry_run, sources } => {
            let settings = sources.settings()?;
            let warnings = warnings::of_gc(&settings);
            let settings = settings.effective()?;
            log::start(&settings);
            warn(&warnings);
            block_on(gc::gc(settings, dry_run))
        }
        Command::Check(sources) => {
            let settings = sources.settings()?;
            let warnings = warnings::of_check();
            let settings = settings.effective()?;
            log::start(&settings);
            warn(&warnings);
            block_on(check::check(settings))
        }
        Command::Config(sources) => {
            let settings = sources.settings()?;
            settings.clone().effective()?;
            for warning in warnings::of(&settings) {
                let _ = writeln!(io::stderr(), "registry: warning: {warning}");
            }
            // They contain names of files with secrets, but no secrets.
            let settings = settings.or(Settings::defaults());
            let _ = write!(io::stdout(), "{}", toml::to_string(&settings)?);
            Ok(())
        }
    }
}

fn warn(warnings: &[String]) {
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
}

fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    // Without waiting for disk operations of requests that have ended.
    runtime.shutdown_background();
    result
}
