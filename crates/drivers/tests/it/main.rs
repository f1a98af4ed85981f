//! Locations: their texts, their values, and the drivers that they open.

mod byte_size;
mod location;
mod open;
