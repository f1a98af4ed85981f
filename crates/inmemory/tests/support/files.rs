//! Files as a registry names them, for the tests that count costs.

use futures::FutureExt;
use storage_driver::Path;

/// The path of a blob. Neighbours are far from each other in the order of paths.
pub(crate) fn path(number: usize) -> Path {
    let digest = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Path::parse(format!("/blobs/sha256/{:02x}/{digest:064x}/data", number % 256)).unwrap()
}

/// The result of an operation that does not wait.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("it does not wait")
}
