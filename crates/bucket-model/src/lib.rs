//! A model of the protocol of the object-store driver.

mod check;
mod claims;
mod model;
mod protocol;
mod rules;
mod run;
mod scenario;
mod store;

pub use check::{Checked, Counterexample};
pub use claims::Claim;
pub use model::{Action, BucketModel, State};
pub use protocol::{Condition, Op};
pub use rules::{Rule, Rules};
pub use run::Deletes;
pub use scenario::{Pauses, Scenario};
pub use store::Path;
