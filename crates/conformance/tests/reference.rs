//! The suite, run on the reference: what it asks is possible, of a driver that claims everything,
//! of one that claims nothing, and of one whose every call waits.

use conformance::{layers::Yielding, reference::Reference};
use storage_driver::Capabilities;

conformance::suite!(|| async { Reference::new() });

mod claims_nothing {
    use super::*;

    conformance::suite!(|| async { Reference::claiming(Capabilities::none()) });
}

/// The longest paths that it holds are shorter than those that can be made.
mod holds_short_paths {
    use super::*;

    conformance::suite!(|| async {
        let capabilities = Capabilities {
            append: true,
            copy: true,
            rename_dir: true,
            rename_file: true,
            sees_conflicts: true,
            max_path_bytes: 300,
            ..Capabilities::none()
        };
        Reference::claiming(capabilities)
    });
}

mod yields {
    use super::*;

    conformance::suite!(|| async { Yielding::new(Reference::new()) });
}
