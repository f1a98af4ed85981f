//! [`Lineage`]: which states a path had before the one that is there.
//!
//! A path lives from the first record after an absence to its deletion. A record knows the first state of its life and
//! the latest states before it. A tombstone knows the latest states before it too, so where tombstones stay, no state is
//! forgotten by a deletion. So a writer that lost a response finds out later whether its write took effect, also if
//! others have replaced or deleted what it wrote.

use serde::{Deserialize, Serialize};

use crate::envelope::{Envelope, Kind, Sealed, tombstone_with};

/// How many states before it a record remembers. With 8, sixteen writers of one file sometimes made so many changes
/// between the response to another writer and its look at the file.
const REMEMBERED: usize = 32;
/// How many a tombstone remembers, which has a fixed length.
const REMEMBERED_BY_A_TOMBSTONE: usize = 8;

/// The states before one state of a path, by their nonces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lineage {
    /// The first state of this life; `None` for a state that begins one.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub(crate) life: Option<String>,
    /// The latest states, the last of them last.
    #[serde(rename = "h", default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<String>,
    /// A create that may still be under way must not find the path absent: the end of this life leaves a tombstone.
    #[serde(rename = "w", default, skip_serializing_if = "std::ops::Not::not")]
    fenced: bool,
}

impl Lineage {
    /// What an object says about its lineage. A header that cannot be read says nothing.
    pub(crate) fn of(envelope: &Envelope) -> Self {
        match envelope.kind {
            Kind::Record => {
                let said: Self = envelope.header().unwrap_or_default();
                Self { life: said.life.or_else(|| Some(envelope.nonce.clone())), ..said }
            }
            Kind::Tombstone => {
                let said: Self = envelope.header().unwrap_or_default();
                Self { life: None, fenced: true, ..said }
            }
            Kind::Journal | Kind::Owner | Kind::Lease => Self::default(),
        }
    }

    /// The lineage of the state that replaces the one with `nonce`, whose own lineage is `self`.
    pub(crate) fn followed_by(&self, nonce: &str) -> Self {
        let all = self.history.iter().cloned().chain([nonce.to_owned()]);
        let count = self.history.len() + 1;
        let history = all.skip(count.saturating_sub(REMEMBERED)).collect();
        Self { life: self.life.clone(), history, fenced: self.fenced }
    }

    /// The same, with the promise that the end of this life leaves a tombstone.
    pub(crate) fn fenced(self) -> Self {
        Self { fenced: true, ..self }
    }

    /// Whether the end of this life has to leave a tombstone.
    pub(crate) fn is_fenced(&self) -> bool {
        self.fenced
    }

    /// Whether the state with `nonce` was there before. Others may be forgotten.
    pub(crate) fn contains(&self, nonce: &str) -> bool {
        self.life.as_deref() == Some(nonce) || self.remembers(nonce)
    }

    /// Whether the state with `nonce` is one of the latest, so that all states after it are known.
    pub(crate) fn remembers(&self, nonce: &str) -> bool {
        self.history.iter().any(|state| state == nonce)
    }

    /// A tombstone in the place of a state, whose successors would have this lineage.
    pub(crate) fn tombstone(self) -> Sealed {
        let forgotten = self.history.len().saturating_sub(REMEMBERED_BY_A_TOMBSTONE);
        let history = self.history.into_iter().skip(forgotten).collect();
        tombstone_with(&Self { life: None, history, fenced: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{envelope::TOMBSTONE_LENGTH, nonce};

    #[test]
    fn the_first_state_of_a_life_is_remembered_and_of_the_others_the_latest() {
        let mut lineage = Lineage { life: Some("0".to_owned()), ..Lineage::default() };
        for nonce in 0..50 {
            lineage = lineage.followed_by(&nonce.to_string());
        }
        let remembered: Vec<bool> = (0..50).map(|n| lineage.contains(&n.to_string())).collect();
        let expected: Vec<bool> = (0..50).map(|n| n == 0 || n >= 18).collect();
        assert_eq!(remembered, expected);
        assert!(!lineage.remembers("0") && lineage.remembers("18"));
    }

    #[test]
    fn a_tombstone_has_its_length_and_remembers_the_latest_states() {
        let mut lineage = Lineage { life: Some(nonce::fresh()), ..Lineage::default() };
        let states: Vec<String> = (0..20).map(|_| nonce::fresh()).collect();
        for state in &states {
            let sealed = lineage.clone().tombstone();
            assert_eq!(sealed.bytes.content_length(), TOMBSTONE_LENGTH);
            lineage = lineage.followed_by(state);
        }
        let envelope = Envelope::open(&lineage.tombstone().bytes.into()).unwrap().unwrap();
        let read = Lineage::of(&envelope);
        let remembered: Vec<bool> = states.iter().map(|state| read.remembers(state)).collect();
        assert_eq!(remembered, (0..20).map(|n| n >= 12).collect::<Vec<_>>());
        assert!(read.is_fenced());
    }
}
