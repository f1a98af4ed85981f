//! [`Store`]: the driver that is written to, and what can be told of it at the end.

use std::{path::PathBuf, sync::Arc};

use drivers::{Location, Root};
use inmemory::InMemory;
use storage_driver::{Path, StorageDriver};

use crate::{failure::Failure, memory, output::say, progress::rate, size::Size, stop::Stop};

/// The driver that is written to.
pub(crate) struct Store {
    pub(crate) driver: Arc<dyn StorageDriver>,
    kind: Kind,
}

/// What is special about a store.
enum Kind {
    InMemory(InMemory),
    Files(Root),
    Other,
}

impl Store {
    pub(crate) async fn open(location: &Location) -> Result<Self, Failure> {
        // Any driver is opened by its location; this one is asked for its use of memory too.
        if let Location::InMemory { capacity } = location {
            let builder = InMemory::builder();
            let driver = match capacity {
                Some(capacity) => builder.capacity(*capacity).build(),
                None => builder.build(),
            };
            return Ok(Self { driver: Arc::new(driver.clone()), kind: Kind::InMemory(driver) });
        }
        let kind = match location {
            Location::File { root, .. } => Kind::Files(root.clone()),
            _ => Kind::Other,
        };
        Ok(Self { driver: location.open().await?, kind })
    }

    /// Whether an upload that is kept is there for another process.
    pub(crate) fn is_durable(&self) -> bool {
        self.driver.capabilities().durable
    }

    /// What to do at Ctrl-C: a store that ends with the process has nothing to keep.
    pub(crate) fn stop(&self) -> Stop {
        if self.is_durable() { Stop::on_ctrl_c() } else { Stop::never() }
    }

    /// Tells where the files are, and what they took: `bytes` in writes of so many seconds.
    pub(crate) fn tell<'a>(
        &self,
        files: impl Iterator<Item = (&'a Path, u64)>,
        bytes: u64,
        in_driver: f64,
    ) -> Result<(), Failure> {
        match &self.kind {
            Kind::InMemory(driver) => {
                let usage = driver.usage();
                let (held, index) = (Size(usage.held()), Size(usage.index));
                say(format!("memory held  {held}, {index} of it names and indexes"))?;
            }
            Kind::Files(root) => {
                for (path, size) in files {
                    let (file, shown) = (file(root, path), Size(size));
                    say(format!("stored at    {}, {shown} ({size} bytes)", file.display()))?;
                }
            }
            Kind::Other => {}
        }
        if let Some(peak) = memory::peak() {
            say(format!("peak memory  {}, the whole process", Size(peak)))?;
        }
        if bytes > 0 {
            let told = if self.is_durable() {
                rate(bytes, in_driver)
            } else {
                let ratio = in_driver / memory::seconds_to_copy(bytes);
                format!("{ratio:.2} × memcpy into fresh memory")
            };
            say(format!("in writes    {in_driver:.3} s of the upload, {told}"))?;
        }
        Ok(())
    }
}

/// The file in which the content at `path` is kept.
fn file(root: &Root, path: &Path) -> PathBuf {
    root.as_path().join(path.as_str().trim_start_matches('/'))
}
