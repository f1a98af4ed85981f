//! A store on a server.

use object_store::{aws::AmazonS3Builder, azure::MicrosoftAzureBuilder};
use storage_driver_bucket::Builder;

use crate::server::Access;

/// A builder for a store in the server's bucket; `changed` are other values of some variables.
pub(crate) fn builder(access: &Access, changed: &[(&str, &str)]) -> Builder {
    let variables = access.variables().chain(changed.iter().copied());
    let variables = variables.map(|(name, value)| (name.to_lowercase(), value));
    if access.variables().any(|(name, _)| name.starts_with("AZURE_")) {
        return Builder::azure(
            variables.fold(MicrosoftAzureBuilder::new(), |builder, (name, value)| {
                builder.with_config(name.parse().unwrap(), value)
            }),
        );
    }
    Builder::s3(variables.fold(AmazonS3Builder::new(), |builder, (name, value)| {
        builder.with_config(name.parse().unwrap(), value)
    }))
}
