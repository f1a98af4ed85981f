//! Digests and manifests, as clients of a registry write them.

use bytes::Bytes;
use serde_json::json;

/// The type of [`image`].
pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A SHA-256 as text.
pub(crate) fn digest(sha256: &[u8]) -> String {
    let digits: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// The manifest of an image with this configuration and these layers, each with its digest and its size in bytes.
pub(crate) fn image<'a>(
    config: (&str, u64),
    layers: impl IntoIterator<Item = (&'a str, u64)>,
) -> Bytes {
    let described = |kind: &str, (digest, size): (&str, u64)| json!({ "mediaType": kind, "digest": digest, "size": size });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": described(CONFIG, config),
        "layers": layers.into_iter().map(|layer| described(LAYER, layer)).collect::<Vec<_>>(),
    });
    manifest.to_string().into()
}
