//! Drivers and sessions that the tests put behind the public types.

pub(crate) mod map;
pub(crate) mod recorder;
pub(crate) mod session;
