//! [`Goal`]: what is to be reached, and whether it is.

use super::Unit;

/// What is to be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// At most so many times the best limit.
    OfLimit(f64),
    /// At most so much.
    AtMost(f64),
    /// At least so much.
    AtLeast(f64),
    /// At least so much, or as much as the limit.
    AtLeastOrLimit(f64),
    /// At most so many times the best, which is the least, of the peers.
    OfPeer(f64),
    /// Less than the best, which is the least, of the peers.
    BelowPeer,
    /// At least so many times the best, which is the most, of the peers.
    AbovePeer(f64),
    /// At most so much, or at most so many times `object_store`.
    AtMostOrOfStore(f64, f64),
    /// None: it is shown.
    Shown,
}

/// Whether it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Pass,
    /// It is not.
    Short,
    /// There is nothing to be reached.
    None,
    /// Something was not measured.
    Missing,
}

impl Verdict {
    /// As it stands in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Short => "short",
            Self::None => "",
            Self::Missing => "?",
        }
    }
}

/// What ours is held against.
#[derive(Debug, Clone, Default)]
pub struct Against {
    /// The best limit.
    pub limit: Option<f64>,
    /// The peers' least.
    pub least: Option<f64>,
    /// The peers' most.
    pub most: Option<f64>,
    /// That of `object_store`.
    pub store: Option<f64>,
}

impl Goal {
    /// What ours is a multiple of, in this goal.
    pub fn reference(self, against: &Against) -> Option<f64> {
        match self {
            Self::OfLimit(_) | Self::AtLeastOrLimit(_) => against.limit,
            Self::OfPeer(_) | Self::BelowPeer => against.least,
            Self::AbovePeer(_) => against.most,
            Self::AtMostOrOfStore(..) => against.store,
            Self::AtMost(_) | Self::AtLeast(_) | Self::Shown => against.limit.or(against.least),
        }
    }

    /// Holds `ours` against it.
    pub fn verdict(self, ours: Option<f64>, against: &Against) -> Verdict {
        let reference = self.reference(against);
        let met = ours.and_then(|ours| {
            let times = |factor: f64| reference.map(|of| ours <= factor * of);
            match self {
                Self::OfLimit(factor) | Self::OfPeer(factor) => times(factor),
                Self::BelowPeer => reference.map(|of| ours < of),
                Self::AbovePeer(factor) => reference.map(|of| ours >= factor * of),
                Self::AtMost(bound) => Some(ours <= bound),
                Self::AtLeast(bound) => Some(ours >= bound),
                Self::AtLeastOrLimit(bound) => {
                    Some(ours >= bound || reference.is_some_and(|of| ours >= of))
                }
                Self::AtMostOrOfStore(bound, factor) => {
                    Some(ours <= bound || times(factor) == Some(true))
                }
                Self::Shown => None,
            }
        });
        match met {
            _ if self == Self::Shown => Verdict::None,
            None => Verdict::Missing,
            Some(true) => Verdict::Pass,
            Some(false) => Verdict::Short,
        }
    }

    /// In words.
    pub fn name(self, unit: Unit) -> String {
        match self {
            Self::OfLimit(factor) => format!("≤ {factor} × limit"),
            Self::AtMost(bound) => format!("≤ {}", unit.show(bound)),
            Self::AtLeast(bound) => format!("≥ {}", unit.show(bound)),
            Self::AtLeastOrLimit(bound) => format!("≥ {} or the limit", unit.show(bound)),
            Self::OfPeer(factor) => format!("≤ {factor} × best peer"),
            Self::BelowPeer => String::from("< best peer"),
            Self::AbovePeer(1.0) => String::from("≥ best peer"),
            Self::AbovePeer(factor) => format!("≥ {factor} × best peer"),
            Self::AtMostOrOfStore(bound, factor) => {
                format!("≤ {} or {factor} × object_store", unit.show(bound))
            }
            Self::Shown => String::new(),
        }
    }
}

#[test]
fn goals_are_held_against_what_they_name() {
    let against = Against { limit: Some(1.0), least: Some(4.0), most: Some(8.0), store: Some(6.0) };
    let verdict = |goal: Goal, ours| goal.verdict(Some(ours), &against);
    assert_eq!(verdict(Goal::OfLimit(1.05), 1.06), Verdict::Short);
    assert_eq!(verdict(Goal::OfPeer(0.5), 2.0), Verdict::Pass);
    assert_eq!(verdict(Goal::AbovePeer(1.2), 9.0), Verdict::Short);
    assert_eq!(verdict(Goal::AtMostOrOfStore(1.0, 1.3), 7.0), Verdict::Pass);
    assert_eq!(verdict(Goal::AtLeastOrLimit(3.0), 1.0), Verdict::Pass);
    assert_eq!(verdict(Goal::AtLeastOrLimit(3.0), 0.9), Verdict::Short);
    assert_eq!(Goal::OfPeer(0.5).verdict(None, &against), Verdict::Missing);
    assert_eq!(verdict(Goal::Shown, 1.0), Verdict::None);
}
