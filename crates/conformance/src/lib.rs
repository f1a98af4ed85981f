#![doc = include_str!("../README.md")]
//!
//! # Clause 5.2
//!
//! A method that ends a writer consumes it, so that this does not compile:
//!
//! ```compile_fail,E0382
//! # async fn example(mut writer: storage_driver::Writer) -> storage_driver::Result<()> {
//! writer.commit().await?;
//! writer.write_bytes("more").await
//! # }
//! ```
//!
//! ```compile_fail,E0382
//! # async fn example(writer: storage_driver::Writer) -> storage_driver::Result<()> {
//! writer.cancel().await?;
//! writer.commit().await.map(drop)
//! # }
//! ```
//!
//! ```compile_fail,E0382
//! # async fn example(mut writer: storage_driver::Writer) -> storage_driver::Result<()> {
//! writer.suspend().await?;
//! writer.sync().await
//! # }
//! ```
//!
//! ```compile_fail,E0382
//! # use storage_driver::{Path, Precondition, Result, Writer};
//! # async fn example(writer: Writer, dest: Path) -> Result<()> {
//! writer.commit_to(&dest, Precondition::None).await?;
//! writer.cancel().await
//! # }
//! ```

mod behaviour;
mod behaviours;
mod cancel_safety;
mod check;
mod dice;
mod full;
pub mod layers;
mod linearizability;
mod list;
mod model;
mod pattern;
mod plan;
pub mod reference;
mod report;
mod runner;
mod subject;
mod suite;
mod tasks;
mod watch;

pub use behaviour::{Behaviour, Size, behaviours};
pub use model::same_answers;
pub use pattern::{Mismatch, Pattern};
pub use plan::{Conditions, Plan, plan};
pub use report::{Failure, LeftOut, Report};
pub use runner::run;
#[doc(hidden)]
pub use runner::{summary, test};
pub use subject::{Fixture, Subject};
