//! [`Scenario`]: who does what, and the bounds within which all interleavings are explored.

use crate::{
    protocol::Op,
    rules::{Rule, Rules},
    run::{Deletes, Settings},
    store::{OpId, Path},
};

/// How long an operation or a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pauses {
    /// As long as it likes: a process may sleep for longer than the grace, and a request may arrive after it.
    Unbounded,
    /// Less than the grace. An open upload may still wait for its next operation for longer.
    BelowGrace,
}

/// Actors with their scripts, and bounds.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What was done before, long ago.
    pub before: Vec<Op>,
    /// The operations of each actor, one after the other.
    pub scripts: Vec<Vec<Op>>,
    /// How the server deletes.
    pub deletes: Deletes,
    pub(crate) rules: Rules,
    /// How many requests lose their response.
    pub faults: u8,
    /// How many actors crash.
    pub crashes: u8,
    /// How often a grace passes.
    pub graces: u8,
    /// How long operations and requests may take.
    pub pauses: Pauses,
    /// Whether the leftovers of each state are swept and looked at.
    pub leftovers: bool,
    /// Whether each operation has to find out whether it took effect.
    pub certain: bool,
}

impl Scenario {
    /// The scripts of some actors, without faults.
    pub fn new(deletes: Deletes, scripts: &[&[Op]]) -> Self {
        Self {
            before: Vec::new(),
            scripts: scripts.iter().map(|script| script.to_vec()).collect(),
            deletes,
            rules: Rules::all(),
            faults: 0,
            crashes: 0,
            graces: 0,
            pauses: Pauses::BelowGrace,
            leftovers: true,
            certain: false,
        }
    }

    /// Asks for [`Claim::Certain`](crate::Claim::Certain).
    #[must_use]
    pub fn certain(mut self) -> Self {
        self.certain = true;
        self
    }

    /// Sets what was done before.
    #[must_use]
    pub fn after(mut self, before: &[Op]) -> Self {
        self.before = before.to_vec();
        self
    }

    /// Leaves out a step of the protocol.
    #[must_use]
    pub fn without(mut self, rule: Rule) -> Self {
        self.rules = self.rules.without(rule);
        self
    }

    /// Sets how many requests lose their response, and how many actors crash.
    #[must_use]
    pub fn faults(mut self, faults: u8, crashes: u8) -> Self {
        (self.faults, self.crashes) = (faults, crashes);
        self
    }

    /// Sets how often a grace passes, and how long operations and requests may take.
    #[must_use]
    pub fn graces(mut self, graces: u8, pauses: Pauses) -> Self {
        (self.graces, self.pauses) = (graces, pauses);
        self
    }

    pub(crate) fn settings(&self) -> Settings {
        let sweeps = self.leftovers || self.scripts.iter().flatten().any(|op| op.is_sweep());
        Settings { deletes: self.deletes, rules: self.rules, sweeps }
    }

    /// The upload that an operation writes to.
    pub(crate) fn writes(&self, op: OpId) -> Option<Path> {
        match self.op(op.actor, op.place)? {
            Op::Write | Op::Sync | Op::Commit(..) => {
                let before = (0..op.place).rev().filter_map(|place| self.op(op.actor, place));
                before.filter_map(Op::opens).next()
            }
            _ => None,
        }
    }

    /// The operation of an actor, whose number begins at 1.
    pub(crate) fn op(&self, actor: u8, place: u8) -> Option<Op> {
        let script = self.scripts.get(usize::from(actor).checked_sub(1)?)?;
        script.get(usize::from(place)).copied()
    }
}
