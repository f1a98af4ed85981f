//! [`Image`]: what is pushed.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::harness::{KIB, MIB, Random, oci};

/// The sizes of the layers of a typical image in bytes, those of its base first.
pub(super) const LAYERS: [u64; 5] = [30 * MIB, 20 * MIB, 8 * MIB, 2 * MIB, 20 * KIB];
/// So many of them belong to the base.
pub(super) const BASE: usize = 3;
/// The size of the configuration, in bytes.
const CONFIG: u64 = 6 * KIB;
/// What differs between blobs; the rest is the same.
const HEAD: usize = 64;

/// Some content, and its digest.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    pub(super) content: Bytes,
    pub(super) digest: String,
}

impl From<Bytes> for Blob {
    fn from(content: Bytes) -> Self {
        let digest = oci::digest(&Sha256::digest(&content));
        Self { content, digest }
    }
}

impl Blob {
    fn draw(random: &mut Random, size: u64) -> Self {
        let mut content = random.bytes(HEAD);
        content.resize(size as usize, 7);
        Self::from(Bytes::from(content))
    }

    /// Its digest and its size in bytes, as a manifest has them.
    fn described(&self) -> (&str, u64) {
        (&self.digest, self.content.len() as u64)
    }
}

/// An image with one tag.
#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) tag: String,
    pub(super) layers: Vec<Blob>,
    pub(super) config: Blob,
    pub(super) manifest: Blob,
}

impl Image {
    /// An image of layers of these sizes, of which none is in another image.
    pub(super) fn draw(random: &mut Random, layers: &[u64]) -> Self {
        let layers = layers.iter().map(|&size| Blob::draw(random, size)).collect();
        Self::of(random, layers)
    }

    /// Another image on the same base.
    pub(super) fn next(&self, random: &mut Random) -> Self {
        let layer = |(number, layer): (usize, &Blob)| match number < BASE {
            true => layer.clone(),
            false => Blob::draw(random, layer.content.len() as u64),
        };
        let layers = self.layers.iter().enumerate().map(layer).collect();
        Self::of(random, layers)
    }

    fn of(random: &mut Random, layers: Vec<Blob>) -> Self {
        let config = Blob::draw(random, CONFIG);
        let described = layers.iter().map(Blob::described);
        let manifest = Blob::from(oci::image(config.described(), described));
        Self { tag: format!("t{:016x}", random.number()), layers, config, manifest }
    }

    /// Layers and configuration.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.layers.iter().chain([&self.config])
    }
}
