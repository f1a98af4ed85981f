//! [`Failure`]: why the program ends early, in one line, and its exit code.

use std::{error::Error, fmt, iter};

/// Why the program ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for what cannot be done.
    Usage(String),
    /// It was tried and failed.
    Run(String),
    /// Ctrl-C ended it.
    Interrupted(&'static str),
    /// Nobody reads standard output any more.
    Closed,
}

impl Failure {
    /// The exit code after Ctrl-C: what a shell says of a program that it has killed.
    pub(crate) const INTERRUPTED: u8 = 130;

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    pub(crate) fn run(text: impl Into<String>) -> Self {
        Self::Run(text.into())
    }

    pub(crate) fn interrupted(text: &'static str) -> Self {
        Self::Interrupted(text)
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Run(_) => 1,
            Self::Usage(_) => 2,
            Self::Interrupted(_) => Self::INTERRUPTED,
        }
    }
}

impl fmt::Display for Failure {
    /// One line, whatever is in the name of a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Usage(text) | Self::Run(text) => text.as_str(),
            Self::Interrupted(text) => text,
            Self::Closed => "standard output is closed",
        };
        f.write_str(&text.replace(char::is_control, " "))
    }
}

impl From<storage_driver::Error> for Failure {
    /// The error and its causes: its own text leaves them to `source()`.
    fn from(error: storage_driver::Error) -> Self {
        let chain = iter::successors(Some(&error as &dyn Error), |&error| error.source());
        Self::Run(chain.map(ToString::to_string).collect::<Vec<_>>().join(": "))
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Run(error.to_string())
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(format!("{error}; --help tells more"))
    }
}
