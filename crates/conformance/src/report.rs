//! [`Report`]: what a run of the suite found.

use std::fmt;

/// What a [run](crate::run) found.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// The names of the behaviours that the driver shows.
    pub passed: Vec<&'static str>,
    /// What it does otherwise.
    pub failed: Vec<Failure>,
    /// What was not asked of it.
    pub left_out: Vec<LeftOut>,
}

/// A behaviour that the driver does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The behaviour's name.
    pub name: &'static str,
    /// What happened instead, with the clauses that it is about.
    pub message: String,
}

/// A behaviour that is not asked of the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// The behaviour's name.
    pub name: &'static str,
    /// Why not: which capability is claimed, or is not.
    pub why: &'static str,
}

impl Report {
    /// Whether nothing failed.
    pub fn is_success(&self) -> bool {
        self.failed.is_empty()
    }

    /// Whether the behaviour of this name failed.
    pub fn has_failed(&self, name: &str) -> bool {
        self.failed.iter().any(|failure| failure.name == name)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (passed, failed, left_out) =
            (self.passed.len(), self.failed.len(), self.left_out.len());
        write!(f, "{passed} passed, {failed} failed, {left_out} left out")?;
        self.left_out.iter().try_for_each(|left_out| write!(f, "\n  left out: {left_out}"))?;
        self.failed.iter().try_for_each(|failure| write!(f, "\n  FAILED {failure}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.message)
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.why)
    }
}
