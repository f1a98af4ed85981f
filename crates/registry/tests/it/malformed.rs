//! Requests that make no sense, among such that do: never an answer of the 5xx, never a panic, nothing
//! half visible, and nothing left when all is deleted.
//!
//! `MALFORMED_REQUESTS=100000 cargo test -p storage-driver-registry --test it malformed` sends more of them than the usual
//! few thousand; `MALFORMED_SEED` begins elsewhere.

mod fuzz;
mod random;
mod router;
mod wire;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}
