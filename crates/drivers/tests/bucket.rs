//! Which URLs name a bucket, that none holds credentials, and what opening one fails with.

use storage_driver_url::{Location, ParseLocationError as Error};

fn parse(text: &str) -> Result<Location, Error> {
    text.parse()
}

#[test]
fn a_bucket_is_written_as_it_was_parsed() {
    for text in [
        "s3://bucket",
        "s3://my.bucket-1/a/b",
        "s3://bucket?endpoint=https://host:9000/path&region=eu-central-1",
        "gs://bucket/a?endpoint=http://127.0.0.1:4443",
        "az://container/a?account=name&endpoint=http://127.0.0.1:10000/name",
        "s3://bucket?endpoint=https://host&read_only=true&region=eu",
        "s3://bucket?endpoint=https://host&memory=256MiB&read_only=true&region=eu",
        "az://container?account=a&endpoint=http://host&memory=1GiB&read_only=true",
        "bucket:memory",
    ] {
        assert_eq!(parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn a_slash_at_the_end_is_dropped() {
    assert_eq!(parse("s3://bucket/").unwrap(), parse("s3://bucket").unwrap());
    assert_eq!(parse("S3://bucket/a/").unwrap(), parse("s3://bucket/a").unwrap());
}

#[test]
fn a_bucket_has_a_name() {
    for text in ["s3:", "s3://", "s3:///prefix", "s3:bucket", "gs://a b", "s3://a:b"] {
        assert!(matches!(parse(text), Err(Error::BucketName { .. })), "{text}");
    }
}

#[test]
fn a_prefix_is_a_path() {
    let error = parse("s3://bucket/a//b").unwrap_err();
    assert_eq!(error.to_string(), "the prefix `a//b`: a component is empty");
    assert!(matches!(parse("s3://bucket/a%20b"), Err(Error::Prefix { .. })));
}

#[test]
fn a_parameter_of_another_service_is_unknown() {
    let error = parse("gs://bucket?region=eu").unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown key `region`; `gs:` knows `endpoint`, `memory` and `read_only`"
    );
    assert!(matches!(parse("s3://bucket?account=a"), Err(Error::UnknownKey { .. })));
}

#[test]
fn a_bad_value_is_repeated_with_its_parameter() {
    let error = parse("s3://bucket?endpoint=host:9000").unwrap_err();
    assert!(error.to_string().starts_with("`endpoint=host:9000`: an endpoint is a URL"), "{error}");
    let error = parse("s3://bucket?region=").unwrap_err();
    assert!(error.to_string().starts_with("`region=`: "), "{error}");
    let error = parse("s3://bucket?memory=much").unwrap_err();
    assert!(error.to_string().starts_with("`memory=much`: not a size"), "{error}");
}

#[test]
fn credentials_are_refused_and_not_repeated() {
    for text in [
        "s3://user:hidden@bucket/a",
        "s3://bucket/hidden@a",
        "s3://bucket?access_key_id=hidden",
        "s3://bucket?AWS_SECRET_ACCESS_KEY=hidden",
        "s3://bucket?session_token=hidden",
        "az://container?sas=hidden",
        "az://container?account=name&sig=hidden",
        "s3://bucket?endpoint=http://user:hidden@host",
        "s3://bucket?region=hidden@region",
    ] {
        let error = parse(text).unwrap_err();
        assert!(matches!(error, Error::Credentials { .. }), "{text}");
        assert!(!format!("{error} {error:?}").contains("hidden"), "{error:?}");
    }
}

#[cfg(not(feature = "bucket"))]
#[tokio::test]
async fn a_program_without_the_feature_says_so() {
    use std::error::Error as _;

    for text in ["s3://bucket", "bucket:memory"] {
        let error = parse(text).unwrap().open().await.unwrap_err();
        assert_eq!(error.kind(), storage_driver::ErrorKind::Unsupported);
        assert!(error.source().unwrap().to_string().contains("feature `bucket`"), "{error}");
    }
}

#[cfg(feature = "bucket")]
#[tokio::test]
async fn a_bucket_in_memory_holds_content() {
    use storage_driver::{Path, StorageDriverExt};

    let driver = parse("bucket:memory").unwrap().open().await.unwrap();
    assert_eq!(driver.name(), "bucket");
    let path = Path::parse("/a").unwrap();
    driver.put(&path, "content").await.unwrap();
    assert_eq!(driver.get_bytes(&path, 100).await.unwrap(), "content");
}
