//! A store on a server.

use object_store::{
    ClientConfigKey,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
};
use storage_driver_bucket::Builder;

use crate::server::Access;

/// The servers speak plain HTTP, and each store would load the certificates of the system.
const NO_CERTIFICATES: ClientConfigKey = ClientConfigKey::NoSystemCertificates;

/// A builder for a store in the server's bucket; `changed` are other values of some variables.
pub(crate) fn builder(access: &Access, changed: &[(&str, &str)]) -> Builder {
    let known = |(name, _): &(&str, &str)| name.starts_with("AWS_") || name.starts_with("AZURE_");
    let variables = access.variables().filter(known).chain(changed.iter().copied());
    let variables = variables.map(|(name, value)| (name.to_lowercase(), value));
    if access.variables().any(|(name, _)| name.starts_with("AZURE_")) {
        let azure = variables.fold(MicrosoftAzureBuilder::new(), |builder, (name, value)| {
            builder.with_config(name.parse().unwrap(), value)
        });
        return Builder::azure(azure.with_config(AzureConfigKey::Client(NO_CERTIFICATES), "true"));
    }
    let s3 = variables.fold(AmazonS3Builder::new(), |builder, (name, value)| {
        builder.with_config(name.parse().unwrap(), value)
    });
    Builder::s3(s3.with_config(AmazonS3ConfigKey::Client(NO_CERTIFICATES), "true"))
}
