//! The plots: how operations grow, what is resident, how long small reads take.

mod growth;
mod latency;
mod memory;
mod style;

use std::{error::Error, path::Path};

use crate::{
    harness::{GIB, MIB, Measurements, Who},
    memory::Job,
};

/// How large what is plotted is.
#[derive(Debug, Clone)]
pub struct Extent {
    /// The size of the upload whose memory is drawn.
    pub upload: u64,
    /// The size, together, of the uploads during the small reads.
    pub load: u64,
    /// The largest population of the store and the naive map, and that of all, as powers of ten.
    pub population: (u32, u32),
}

impl Extent {
    /// What stands in `docs/`.
    pub fn full() -> Self {
        Self { upload: 5 * GIB, load: 2 * GIB, population: (7, 6) }
    }

    /// To see that all works.
    pub fn quick() -> Self {
        Self { upload: 256 * MIB, load: 512 * MIB, population: (5, 5) }
    }
}

/// One plot: its name, and how it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plot {
    /// Time an operation by how many objects there are.
    Growth,
    /// What is resident during an upload and after it.
    Memory,
    /// The latency of small reads during uploads.
    Latency,
}

impl Plot {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Growth, Self::Memory, Self::Latency];

    /// The name of its file, without its ending.
    pub fn name(self) -> &'static str {
        match self {
            Self::Growth => "growth",
            Self::Memory => "memory",
            Self::Latency => "latency",
        }
    }

    /// What must be measured for it.
    pub fn wanted(self, extent: &Extent) -> Vec<(Job, Who)> {
        match self {
            Self::Growth => growth::wanted(extent),
            Self::Memory => everyone(&memory::job(extent)),
            Self::Latency => everyone(&latency::job(extent)),
        }
    }

    /// Draws it into `dir`.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn draw(
        self,
        dir: &Path,
        extent: &Extent,
        measured: &Measurements,
    ) -> Result<(), Box<dyn Error>> {
        let file = dir.join(self.name()).with_extension("svg");
        match self {
            Self::Growth => growth::draw(&file, extent, measured),
            Self::Memory => memory::draw(&file, extent, measured),
            Self::Latency => latency::draw(&file, extent, measured),
        }
    }
}

fn everyone(job: &Job) -> Vec<(Job, Who)> {
    style::SUBJECTS.map(|who| (job.clone(), who)).to_vec()
}
