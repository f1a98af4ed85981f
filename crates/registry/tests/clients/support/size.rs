//! How large the large image is.

const DEFAULT_MIB: u64 = 128;

/// How many bytes of files the large image has: `REGISTRY_CLIENT_IMAGE_MIB`, or 128 MiB. It is about
/// half of that when compressed.
pub(crate) fn image_size() -> u64 {
    let mib = match std::env::var("REGISTRY_CLIENT_IMAGE_MIB") {
        Ok(mib) => mib.parse().expect("REGISTRY_CLIENT_IMAGE_MIB is a number of mebibytes"),
        Err(_) => DEFAULT_MIB,
    };
    mib << 20
}
