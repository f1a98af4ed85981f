//! Opening with a mistake in the configuration: the error says which it is.

use std::error::Error as _;

use storage_driver_bucket::{AccessCause, AccessError};

use crate::{server::Server, store::builder};

/// Opening with another value of a variable fails for this cause.
pub(crate) fn fails(server: &'static Server, variable: &str, value: &str, cause: AccessCause) {
    let Some(access) = server.access() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error = runtime.block_on(builder(access, &[(variable, value)]).open()).unwrap_err();
    let source = error.source().unwrap();
    let found = source.downcast_ref::<AccessError>().unwrap_or_else(|| panic!("{error}: {source}"));
    assert_eq!(found.cause(), cause, "{found}");
}

/// Opens a store there, and finds that a deletion can be conditional: on Azure by a signed URL.
pub(crate) fn deletes_conditionally(server: &'static Server) {
    let Some(access) = server.access() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(builder(access, &[]).prefix("opening").open()).unwrap();
    assert!(store.deletes_conditionally());
}
