//! [`Figures`]: the result of one measurement.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The time limit in seconds, of a measurement that exceeded it.
pub(crate) const LATE: &str = "late";

/// Numbers by name, and for the plots series of numbers by name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Single numbers. Those that are no numbers are left out.
    pub numbers: BTreeMap<String, f64>,
    /// Series of numbers.
    pub series: BTreeMap<String, Vec<f64>>,
}

impl Figures {
    /// Adds a number.
    #[must_use]
    pub fn with(mut self, name: &str, number: f64) -> Self {
        if number.is_finite() {
            self.numbers.insert(name.to_owned(), number);
        }
        self
    }

    /// Adds a series.
    #[must_use]
    pub fn with_series(mut self, name: &str, series: Vec<f64>) -> Self {
        self.series.insert(name.to_owned(), series);
        self
    }
}
