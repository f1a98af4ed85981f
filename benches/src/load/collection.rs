//! [`Collection`]: what a collection of garbage sends, for each image that is kept and for each that was deleted.

use std::time::Duration;

use storage_driver_registry::{GcOptions, Redirect};

use super::{
    actions::{Lab, Node},
    bill::Count,
    image::Image,
};
use crate::harness::{KIB, Random};

/// Layers of the same kind as those of a typical image: all but the last are too large for a record of the driver.
const LAYERS: [u64; 5] = [1200 * KIB, 1200 * KIB, 1200 * KIB, 1200 * KIB, 20 * KIB];
const FEW: usize = 50;
const MANY: usize = 250;
const HOUR: Duration = Duration::from_secs(60 * 60);

/// What the requests of a collection grow with.
#[derive(Debug)]
pub(super) struct Collection {
    pub(super) of_an_image: Count,
    pub(super) of_a_repository: Count,
    /// The collection that deletes its blobs, and the next one, which removes their data.
    pub(super) of_a_deleted_image: Count,
}

impl Collection {
    pub(super) async fn count(random: &mut Random) -> Self {
        let few = Filled::with(random, FEW, |_| 0).await.collect().await;
        let many = Filled::with(random, MANY, |_| 0).await.collect().await;
        let apart = Filled::with(random, FEW, |number| number).await.collect().await;
        let (more, others) = ((MANY - FEW) as f64, (FEW - 1) as f64);
        let of_an_image = (many - few) / more;
        let filled = Filled::with(random, MANY, |_| 0).await;
        filled.delete(FEW).await;
        let with_deleted = filled.collect().await + filled.collect().await;
        // What is left, twice.
        let left = (many - of_an_image * FEW as f64) * 2.0;
        Self {
            of_an_image,
            of_a_repository: (apart - few) / others,
            of_a_deleted_image: (with_deleted - left) / FEW as f64,
        }
    }
}

/// A registry with images.
struct Filled {
    lab: Lab,
    node: Node,
    images: Vec<(String, Image)>,
}

impl Filled {
    async fn with(random: &mut Random, images: usize, repository: impl Fn(usize) -> usize) -> Self {
        let lab = Lab::new();
        let node = lab.node(Redirect::Never).await;
        let images = (0..images).map(|number| {
            (format!("repository{}", repository(number)), Image::draw(random, &LAYERS))
        });
        let images: Vec<(String, Image)> = images.collect();
        for (repository, image) in &images {
            node.push(repository, image).await;
        }
        Self { lab, node, images }
    }

    async fn delete(&self, count: usize) {
        for (repository, image) in &self.images[..count] {
            self.node.delete(repository, image).await;
        }
    }

    /// A collection a day later.
    async fn collect(&self) -> Count {
        self.lab.recorder.server.advance(25 * HOUR);
        self.node.registry.collect(&GcOptions::default()).await.expect("the server does not fail");
        Count::of(&self.lab.recorder.take())
    }
}
