//! Layers over a driver that make its life harder: await points where it has none, and faults.
//!
//! They are drivers themselves, over any other, so that what stands above a driver (a registry, say)
//! can be tested with them too.

#[macro_use]
mod forward;
mod faulty;
mod yielding;

pub use faulty::{Call, Fault, Faulty};
pub use yielding::Yielding;
