//! The table of goals: what is measured, beside what, and what is to be reached.

mod format;
mod goal;
mod options;
mod print;
mod row;
mod rows;
mod scale;

pub use self::{
    format::{Unit, count, size},
    goal::{Against, Goal, Verdict},
    options::{Options, run},
    print::{Column, print},
    row::Row,
    rows::rows,
    scale::Scale,
};
