//! [`Report`]: the result of a run of the suite.

use std::fmt;

/// The result of a [run](crate::run).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// The names of the behaviours that the driver passed.
    pub passed: Vec<&'static str>,
    /// The behaviours that it failed.
    pub failed: Vec<Failure>,
    /// The behaviours that do not apply to it.
    pub left_out: Vec<LeftOut>,
}

/// A behaviour that the driver failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The behaviour's name.
    pub name: &'static str,
    /// What happened instead, with the clauses that it tests.
    pub message: String,
}

/// A behaviour that does not apply to the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// The behaviour's name.
    pub name: &'static str,
    /// Why it does not apply.
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
