//! What the in-memory driver promises beyond the contract.

#[path = "../support/store.rs"]
mod support;

mod adoption;
mod budget;
mod clock;
mod handles;
mod notes;
mod readers;
mod scenarios;
mod sharing;
mod uploads;
mod usage;
