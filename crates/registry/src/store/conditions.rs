//! [`Conditions`]: the preconditions of a request on the current content.

use super::error::{Error, Result};
use crate::digest::Digest;

/// The preconditions of a request, on the digest of the content that it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Conditions {
    /// The content has to be one of these.
    pub(crate) matching: Option<Selector>,
    /// The content must be none of these.
    pub(crate) not_matching: Option<Selector>,
}

/// No conditions.
pub(super) static UNCONDITIONAL: Conditions = Conditions { matching: None, not_matching: None };

/// Which content a condition is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selector {
    /// Any content, if there is some.
    Any,
    OneOf(Vec<Digest>),
}

impl Selector {
    fn selects(&self, current: Option<&Digest>) -> bool {
        match (self, current) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::OneOf(digests), Some(current)) => digests.contains(current),
        }
    }
}

impl Conditions {
    pub(crate) fn is_none(&self) -> bool {
        self.matching.is_none() && self.not_matching.is_none()
    }

    /// Evaluates them for a request that changes a resource whose content is `current`.
    ///
    /// # Errors
    ///
    /// [`Error::PreconditionFailed`] if one does not hold.
    pub(crate) fn check(&self, current: Option<&Digest>) -> Result<()> {
        self.check_matching(current)?;
        match self.none_matches(current) {
            true => Ok(()),
            false => Err(Error::PreconditionFailed),
        }
    }

    /// Evaluates them for a request that reads a resource. Returns whether the client already has its
    /// content.
    ///
    /// # Errors
    ///
    /// [`Error::PreconditionFailed`] if the content is not one that has to match.
    pub(crate) fn is_not_modified(&self, current: &Digest) -> Result<bool> {
        self.check_matching(Some(current))?;
        Ok(!self.none_matches(Some(current)))
    }

    fn check_matching(&self, current: Option<&Digest>) -> Result<()> {
        match &self.matching {
            Some(selector) if !selector.selects(current) => Err(Error::PreconditionFailed),
            _ => Ok(()),
        }
    }

    fn none_matches(&self, current: Option<&Digest>) -> bool {
        self.not_matching.as_ref().is_none_or(|selector| !selector.selects(current))
    }
}
