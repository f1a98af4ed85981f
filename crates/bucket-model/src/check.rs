//! Running the checker, and telling what it found.

use std::fmt;

use stateright::{Checker, HasDiscoveries, Model};

use crate::{
    claims::Claim,
    model::{Action, BucketModel, State},
    scenario::Scenario,
};

/// What the checker found.
#[derive(Debug)]
pub struct Checked {
    /// How many different states it has seen.
    pub states: usize,
    /// The steps to a state in which a claim does not hold.
    pub counterexample: Option<Counterexample>,
}

/// The steps to a state in which a claim does not hold.
#[derive(Debug)]
pub struct Counterexample {
    /// The claim.
    pub claim: Claim,
    /// The steps, as text.
    pub steps: Vec<String>,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} does not hold after {} steps:", self.claim, self.steps.len())?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}

impl Scenario {
    /// Explores every state, depth first. Stops at the first counterexample.
    pub fn explore(&self) -> Checked {
        checked(self.checker().spawn_dfs().join())
    }

    /// Looks for the shortest counterexample, breadth first.
    pub fn find(&self) -> Checked {
        checked(self.checker().spawn_bfs().join())
    }

    fn checker(&self) -> stateright::CheckerBuilder<BucketModel> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let model = BucketModel::new(self.clone());
        model.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures)
    }
}

fn checked(checker: impl Checker<BucketModel>) -> Checked {
    let counterexample = checker.discoveries().into_values().next().map(|path| {
        let claim = checker.model().judge(path.last_state()).err();
        let steps = path.into_vec();
        let text = |(state, action): &(State, Option<Action>)| {
            action.map(|action| checker.model().describe(state, action))
        };
        Counterexample {
            claim: claim.unwrap_or(Claim::Sound),
            steps: steps.iter().filter_map(text).collect(),
        }
    });
    Checked { states: checker.unique_state_count(), counterexample }
}

impl BucketModel {
    /// A step in words.
    pub(crate) fn describe(&self, state: &State, action: Action) -> String {
        let waits = |number: u8| {
            let actor = &state.actors[usize::from(number) - 1];
            let op = self.scenario.op(number, actor.place);
            match (op, &actor.waits) {
                (Some(op), Some(step)) => format!("actor {number}, {op:?}: {step:?}"),
                _ => format!("actor {number}"),
            }
        };
        match action {
            Action::Serve(number) => waits(number),
            Action::Lose(number) => format!("no response to {}", waits(number)),
            Action::Twice(number) => format!("twice: {}", waits(number)),
            Action::Crash(number) => format!("crash of {}", waits(number)),
            Action::Arrive(index) => {
                let request = state.late.iter().nth(usize::from(index));
                request.map_or(String::new(), |request| format!("late: {request:?}"))
            }
            Action::PassGrace => "a grace passes".to_owned(),
            Action::End => "all processes end, and sweeps follow".to_owned(),
        }
    }
}
