//! Malformed requests among valid ones: no response is a 5xx, no handler panics, nothing is partly visible, and
//! nothing is left after everything is deleted.
//!
//! `MALFORMED_REQUESTS=100000 cargo test -p storage-driver-registry --test it malformed` sends more of them.
//! `MALFORMED_SEED` selects another sequence.

mod fuzz;
mod random;
mod router;
mod wire;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}
