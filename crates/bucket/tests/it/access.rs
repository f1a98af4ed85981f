//! A store that refuses every request: the error says what has to be corrected.

use std::error::Error as _;

use storage_driver::{ErrorKind, StorageDriver};
use storage_driver_bucket::{
    AccessCause, AccessError, Builder,
    double::{Double, Ways},
};

use crate::support::{open, path, server};

fn cause(error: &storage_driver::Error) -> AccessCause {
    error.source().unwrap().downcast_ref::<AccessError>().unwrap().cause()
}

/// What opening fails with on a server that refuses every request in this way.
async fn refusal(status: u16, code: &'static str) -> (ErrorKind, AccessCause) {
    let mut ways = Ways::default();
    ways.refuses = Some((status, code));
    let error = Builder::double(&Double::new(ways)).open().await.unwrap_err();
    (error.kind(), cause(&error))
}

/// A test per response.
macro_rules! refused {
    ($($name:ident: $status:literal $code:literal => $kind:ident, $cause:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let refused = refusal($status, $code).await;
            assert_eq!(refused, (ErrorKind::$kind, AccessCause::$cause));
        }
    )*};
}

refused! {
    a_missing_bucket_is_named: 404 "NoSuchBucket" => Unavailable, NoBucket;
    a_missing_container_is_named: 404 "ContainerNotFound" => Unavailable, NoBucket;
    a_wrong_region_is_named: 400 "AuthorizationHeaderMalformed" => Unavailable, WrongRegion;
    a_bucket_that_is_elsewhere_has_a_wrong_region: 301 "PermanentRedirect" => Unavailable, WrongRegion;
    an_unknown_key_is_named: 403 "InvalidAccessKeyId" => PermissionDenied, UnknownKey;
    a_wrong_secret_is_named: 403 "SignatureDoesNotMatch" => PermissionDenied, WrongSecret;
    a_missing_right_is_named: 403 "AccessDenied" => PermissionDenied, NoPermission;
    an_expired_token_is_named: 400 "ExpiredToken" => PermissionDenied, ExpiredToken;
    clocks_that_differ_are_named: 403 "RequestTimeTooSkewed" => PermissionDenied, ClockSkew;
}

#[tokio::test]
async fn a_bucket_that_is_gone_is_no_missing_file() {
    let server = server();
    let store = open(&server).await;
    server.set_ways(|ways| ways.refuses = Some((404, "NoSuchBucket")));
    let error = store.stat(&path("/a")).await.unwrap_err();
    assert_eq!((error.kind(), cause(&error)), (ErrorKind::Unavailable, AccessCause::NoBucket));
    let error = store.delete(&path("/a"), Default::default()).await.unwrap_err();
    assert_eq!(cause(&error), AccessCause::NoBucket);
}

#[tokio::test]
async fn the_credentials_are_not_shown() {
    use object_store::azure::MicrosoftAzureBuilder;

    let store = open(&server()).await;
    let text = format!("{store:?}");
    assert!(!text.contains("secret") && !text.contains("credential"), "{text}");
    let azure = MicrosoftAzureBuilder::new().with_account("hidden").with_access_key("aGlkZGVu");
    let text = format!("{:?}", Builder::azure(azure));
    assert!(!text.contains("hidden") && !text.contains("aGlkZGVu"), "{text}");
}
