//! The list of all behaviours: the one place that states name, clauses, condition and size.
//!
//! A line is `name: [clauses] condition size;`, in the group of the module that holds the function.
//!
//! - `if append && copy` asks it only of drivers that claim both; `if clock` only where the fixture
//!   can set the driver's clock;
//! - `unless append || copy` only of drivers that claim neither;
//! - `@full` leaves it out of the default run.
//!
//! The registry and the tests of a backend are both made from it, by macros that get the whole list
//! as their input. Each part of the list adds its groups and passes them to the next part.

mod every_call;
mod files;
mod operations;
mod uploads;

/// Hands the list to a macro. Not for use outside of this crate.
#[doc(hidden)]
#[macro_export]
macro_rules! __behaviours {
    ($callback:path) => {
        $crate::__behaviours_files! { $callback, {} }
    };
}
