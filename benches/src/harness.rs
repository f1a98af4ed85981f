//! How measurements are made and shown, whatever is measured.

pub(crate) mod allocator;
mod child;
pub(crate) mod clock;
pub(crate) mod count;
mod figures;
mod measurements;
mod mount;
pub(crate) mod oci;
mod place;
pub(crate) mod process;
mod random;
pub(crate) mod runtime;
pub(crate) mod script;
mod source;
pub mod table;
mod who;

pub(crate) use self::figures::LATE;
pub use self::{
    child::{Measure, run_if_child},
    figures::Figures,
    measurements::Measurements,
    place::{Place, Places},
    random::Random,
    source::Source,
    who::Who,
};

/// 1,024 bytes.
pub const KIB: u64 = 1 << 10;
/// 1,024 KiB.
pub const MIB: u64 = 1 << 20;
/// 1,024 MiB.
pub const GIB: u64 = 1 << 30;
