//! A model of the protocol of `storage-driver-bucket`, which the checker `stateright` explores exhaustively within
//! bounds.
//!
//! A [`Scenario`] gives each actor a script of operations ([`Op`]). The checker tries every order of their requests,
//! with lost responses, late requests, crashes and pauses, and reports the steps to a state in which a [`Claim`] does
//! not hold.
//!
//! ```
//! use bucket_model::{Claim, Condition::Always, Deletes, Op::*, Rule, Scenario};
//!
//! // Two processes have the upload at `u` open. The first commits it.
//! let scripts: &[&[_]] = &[&[Resume('u'), Commit('d', Always)], &[Resume('u')]];
//! let scenario = Scenario::new(Deletes::Conditional, scripts).after(&[Create('u'), Write, Sync]);
//! assert!(scenario.explore().counterexample.is_none());
//!
//! let broken = scenario.without(Rule::FenceSwap).find();
//! assert_eq!(broken.counterexample.unwrap().claim, Claim::Fenced);
//! ```
//!
//! # What a step is
//!
//! Each request to the store is one atomic step. A request whose response is lost goes to a set of late requests: it
//! takes effect at any later moment, or never. That covers "it took effect, and the response was lost", "it had no
//! effect", and "it arrives after its sender was told that it failed". The same happens to the request of an actor
//! that crashes. Requests that the engine repeats may also arrive twice.
//!
//! The programs are written like the code, in modules of the same names. Each function says which one of the code it
//! stands for:
//!
//! | module of `protocol` | code |
//! |---|---|
//! | `objects` | `objects/decide.rs`, `objects/publish.rs`, `lineage.rs` |
//! | `namespace` | `namespace.rs`, `namespace/change.rs`, `namespace/remove.rs`, `namespace/hold.rs` |
//! | `owner` | `owner.rs` |
//! | `uploads` | `uploads.rs`: the settling of commits that were cut off, cancellation |
//! | `opening` | `opening.rs`, `recent.rs`: create, resume, append |
//! | `upload` | `upload.rs`, `extents.rs`: write, sync, commit |
//! | `sweep` | `sweep.rs`, `sweep/owners.rs`, `sweep/leftovers.rs` |
//!
//! A nonce is also the ETag. It is not random: it consists of the operation that made it and a number.
//!
//! # Bounds
//!
//! - Two to four actors with one to four operations each, on two uploads and two files.
//! - In the tests that always run at most one lost response and one crash; in the ignored ones at most two of each.
//! - A decisive write is tried twice, in the code six times. A third attempt repeats the steps of the second.
//! - At most two graces pass. With [`Pauses::BelowGrace`] an operation and a request take less than a grace; an open
//!   upload may wait for longer. The code takes care of that by renewing holds and by the age that a signature may
//!   have.
//! - No operation sends more than 60 requests, which is a claim as well: [`Claim::Ends`].
//!
//! # What is not modelled
//!
//! - Content: an extent is there or not. Multipart uploads, the tail in the journal, notes, the joining of small
//!   extents.
//! - Reads by clients, listings of more than one page, and reads that fail. A failed read ends an operation as a crash
//!   does.
//! - `touch`, `copy`, `rename` with a condition, objects of other programs, deletion of directories.
//! - A server that deletes conditionally and does not say that there was nothing to delete.
//! - The renewal of holds, leases, the age of uploads, the forgetting of old states in a lineage.
//!
//! # Running it
//!
//! `cargo test -p bucket-model` explores all scenarios within the smaller bounds. The larger ones take minutes:
//! `cargo test --release -p bucket-model --test it -- --ignored --nocapture`. Both print the states that they saw.
//! A test of `broken` leaves one [`Rule`] out and expects a counterexample.

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
pub use rules::Rule;
pub use run::Deletes;
pub use scenario::{Pauses, Scenario};
pub use store::Path;
