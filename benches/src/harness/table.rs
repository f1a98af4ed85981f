//! The table of goals: measurements of ours, of limits and of peers, and the goal of each.

mod format;
mod goal;
mod options;
mod print;
mod row;

pub use self::{
    format::{Unit, count, size},
    goal::{Against, Goal, Verdict},
    options::{Options, run},
    print::{Column, print},
    row::Row,
};
