//! [`Command`]: the command line.

use std::{env, ffi::OsString, path::PathBuf};

use clap::{
    Args, CommandFactory, FromArgMatches, Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};
use storage_driver_url::ParseLocationError;

use crate::{failure::Failure, file, settings::Settings};

/// A registry for container images and other OCI artifacts
#[derive(Debug, Parser)]
#[command(name = "registry", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The subcommand.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the registry until SIGTERM or SIGINT; SIGHUP reads the certificate and the passwords again
    #[command(after_help = SOURCES)]
    Serve(Sources),
    /// Delete unused content and abandoned uploads of a store; one on files must not be served meanwhile
    #[command(after_help = SOURCES)]
    Gc {
        /// Report what would be deleted, and delete nothing; also of a store that is being served
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        sources: Sources,
    },
    /// Open a store, say what it can do, and change nothing in it but scratch objects; the exit code is 0 if it can be used
    #[command(after_help = SOURCES)]
    Check(Sources),
    /// Print the effective settings, in the format of the file of settings
    #[command(after_help = SOURCES)]
    Config(Sources),
}

const SOURCES: &str = "\
The value of a setting is that of its flag, of its environment variable unless that is empty, of its line in the \
file (named like the flag, without the leading dashes), or its default, in this order. Times are written as 30s, 5m \
or 7days, sizes as 4096, 32KiB or 5GiB.";

/// The subcommands that have some of the settings, and which.
const OF_SOME: [(&str, &[&str]); 2] = [
    (
        "gc",
        &[
            "storage",
            "gc_grace",
            "gc_untagged",
            "gc_deep",
            "node",
            "upload_ttl",
            "log_format",
            "log",
        ],
    ),
    ("check", &["storage", "read_only", "log_format", "log"]),
];

/// The sources of settings.
#[derive(Debug, Args)]
pub(crate) struct Sources {
    /// File of settings, in TOML
    #[arg(long, env = "REGISTRY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    given: Settings,
}

impl Sources {
    /// The settings of all sources.
    ///
    /// # Errors
    ///
    /// Those of [`file::read`].
    pub(crate) fn settings(self) -> Result<Settings, Failure> {
        let file = self.config.as_deref().map(file::read).transpose()?;
        Ok(self.given.or(file.unwrap_or_default()))
    }
}

impl Command {
    /// Reads the command line.
    ///
    /// # Errors
    ///
    /// Those of clap, help and version included.
    pub(crate) fn parse(
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let mut command = command();
        let mut matches = command.try_get_matches_from_mut(arguments).map_err(without_secret)?;
        if let Some((name, given)) = matches.subcommand()
            && let Some((_, own)) = OF_SOME.iter().find(|(some, _)| *some == name)
        {
            let foreign =
                all_but(own).find(|it| given.value_source(it) == Some(ValueSource::CommandLine));
            if let Some(foreign) = foreign {
                let flag = foreign.replace('_', "-");
                let message = format!("`--{flag}` is not a setting of {name}\n");
                return Err(command.error(ErrorKind::UnknownArgument, message));
            }
        }
        Ok(Cli::from_arg_matches_mut(&mut matches)?.command)
    }
}

/// The error without the value that it is about, if that has a secret in it.
fn without_secret(mut error: clap::Error) -> clap::Error {
    let cause = std::error::Error::source(&error);
    let cause = cause.and_then(|cause| cause.downcast_ref::<ParseLocationError>());
    if matches!(cause, Some(ParseLocationError::Credentials { .. })) {
        error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
    }
    error
}

/// The command line. The subcommands with some of the settings hide the others, but accept them, because the environment
/// may set them.
fn command() -> clap::Command {
    let quiet = |command: clap::Command| {
        command.mut_args(|arg| {
            let arg = arg.hide_env_values(true);
            let is_empty = arg.get_env().and_then(env::var_os).is_some_and(|it| it.is_empty());
            if is_empty { arg.env(None::<&str>) } else { arg }
        })
    };
    let all = Cli::command().mut_subcommand("serve", quiet).mut_subcommand("config", quiet);
    OF_SOME.iter().fold(all, |command, (name, own)| {
        let hidden: Vec<_> = all_but(own).collect();
        command.mut_subcommand(name, |command| {
            quiet(command).mut_args(|arg| {
                let hide = hidden.iter().any(|name| name == arg.get_id().as_str());
                arg.hide(hide)
            })
        })
    })
}

/// The names of all settings except these.
fn all_but(own: &'static [&'static str]) -> impl Iterator<Item = String> {
    let all = Settings::augment_args(clap::Command::new("settings"));
    let names: Vec<_> = all.get_arguments().map(|arg| arg.get_id().to_string()).collect();
    names.into_iter().filter(|name| !own.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn help_names_the_variable_and_the_default_of_every_setting() {
        let defaults = toml::Table::try_from(Settings::defaults()).unwrap();
        let all = Settings::augment_args(clap::Command::new("settings"));
        for arg in all.get_arguments() {
            let name = arg.get_long().unwrap();
            let variable = format!("REGISTRY_{}", name.replace('-', "_").to_uppercase());
            assert_eq!(arg.get_env().unwrap(), &*variable);
            let help = arg.get_help().unwrap().to_string();
            let stated =
                help.split_once("[default: ").map(|(_, stated)| stated.trim_end_matches(']'));
            let default = defaults.get(name).map(|value| match value {
                toml::Value::String(text) => text.clone(),
                value => value.to_string(),
            });
            assert_eq!(stated, default.as_deref(), "{name}");
        }
    }

    #[test]
    fn every_setting_of_a_subcommand_exists() {
        let all = Settings::augment_args(clap::Command::new("settings"));
        let known = |name: &&str| all.get_arguments().any(|arg| arg.get_id() == *name);
        assert!(OF_SOME.iter().flat_map(|(_, own)| *own).all(known));
    }

    #[test]
    fn credentials_in_a_url_are_not_repeated() {
        let storage = "--storage=s3://user:hidden@bucket";
        let error = Command::parse(["registry", "serve", storage]).unwrap_err();
        assert!(error.to_string().contains("credentials in a URL"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hidden"), "{error}");
    }

    #[test]
    fn gc_refuses_flags_of_serve() {
        let parse = |flag| Command::parse(["registry", "gc", flag]);
        assert!(parse("--gc-untagged").is_ok());
        assert_eq!(parse("--web-ui").unwrap_err().kind(), ErrorKind::UnknownArgument);
    }

    #[test]
    fn check_refuses_flags_of_gc() {
        let error = Command::parse(["registry", "check", "--gc-grace=1s"]).unwrap_err();
        assert!(error.to_string().contains("`--gc-grace` is not a setting of check"), "{error}");
    }
}
