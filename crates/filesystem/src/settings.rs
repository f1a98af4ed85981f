//! [`Settings`]: the settings that a driver was opened with.

use crate::Durability;

/// The settings that a driver was opened with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) durability: Durability,
    pub(crate) file_mode: u32,
    pub(crate) dir_mode: u32,
    pub(crate) read_only: bool,
}
