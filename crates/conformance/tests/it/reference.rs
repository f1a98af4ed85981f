//! The suite on the reference: a driver that claims everything, one that claims nothing, one with short paths, and one
//! whose calls wait.

use storage_driver::{Capabilities, StorageDriver};
use storage_driver_conformance::{Fixture, layers::Yielding, reference::Reference};

/// `driver`, which is a layer on `store`, with the clock of `store`.
fn with_clock(store: Reference, driver: impl StorageDriver + 'static) -> Fixture {
    Fixture::from(driver).with_clock(move |time| store.set_time(time))
}

fn claiming(capabilities: Capabilities) -> Fixture {
    let store = Reference::claiming(capabilities);
    with_clock(store.clone(), store)
}

storage_driver_conformance::suite!(|| async {
    let store = Reference::new();
    with_clock(store.clone(), store)
});

mod claims_nothing {
    use super::*;

    storage_driver_conformance::suite!(|| async { claiming(Capabilities::none()) });
}

/// Its longest paths are shorter than the longest valid path.
mod holds_short_paths {
    use super::*;

    storage_driver_conformance::suite!(|| async {
        let capabilities = Capabilities {
            append: true,
            copy: true,
            rename_dir: true,
            rename_file: true,
            rejects_conflicts: true,
            max_path_bytes: 300,
            ..Capabilities::none()
        };
        claiming(capabilities)
    });
}

mod yields {
    use super::*;

    storage_driver_conformance::suite!(|| async {
        let store = Reference::new();
        with_clock(store.clone(), Yielding::new(store))
    });
}
