//! Warnings about valid settings that are probably mistakes.

use std::{env, net::IpAddr};

use clap::Args;
use storage_driver::StorageDriver;
use storage_driver_registry::Redirect;
use storage_driver_url::{ByteSize, Location};

use crate::settings::{Effective, Settings};

/// Variables of CNCF distribution's registry, and the equivalent settings of this program.
const OF_DISTRIBUTION: [(&str, &str); 10] = [
    ("REGISTRY_AUTH_HTPASSWD_PATH", "REGISTRY_HTPASSWD"),
    ("REGISTRY_HTTP_ADDR", "REGISTRY_LISTEN"),
    ("REGISTRY_HTTP_DEBUG_ADDR", "REGISTRY_METRICS_LISTEN"),
    ("REGISTRY_HTTP_HOST", "REGISTRY_EXTERNAL_URL"),
    ("REGISTRY_HTTP_TLS_CERTIFICATE", "REGISTRY_TLS_CERT"),
    ("REGISTRY_HTTP_TLS_KEY", "REGISTRY_TLS_KEY"),
    ("REGISTRY_LOG_LEVEL", "REGISTRY_LOG"),
    ("REGISTRY_STORAGE_DELETE_ENABLED", "REGISTRY_DELETE"),
    ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "REGISTRY_STORAGE"),
    ("REGISTRY_STORAGE_S3_BUCKET", "REGISTRY_STORAGE"),
];

/// Warnings about the settings and the environment of a registry that serves.
pub(crate) fn of(settings: &Settings) -> Vec<String> {
    unknown(variables()).chain(without_effect(settings)).collect()
}

/// Warnings about the settings and the environment of `registry gc`.
pub(crate) fn of_gc(settings: &Settings) -> Vec<String> {
    let text = "a store in memory has nothing to collect; see `storage`";
    let warning = is_in_memory(settings).then(|| text.to_owned());
    unknown(variables()).chain(warning).collect()
}

/// Warnings about the environment of `registry check`.
pub(crate) fn of_check() -> Vec<String> {
    unknown(variables()).collect()
}

fn variables() -> impl Iterator<Item = String> {
    env::vars_os().filter_map(|(name, _)| name.into_string().ok())
}

fn is_in_memory(settings: &Settings) -> bool {
    matches!(settings.storage, None | Some(Location::InMemory { .. } | Location::BucketInMemory))
}

/// Variables that look like settings and are not. Their values may be secrets.
fn unknown(variables: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let all = Settings::augment_args(clap::Command::new("settings"));
    let known = all.get_arguments().filter_map(|arg| arg.get_env()?.to_str().map(str::to_owned));
    let known: Vec<_> = known.chain(["REGISTRY_CONFIG".to_owned()]).collect();
    variables
        .filter(|name| name.starts_with("REGISTRY_"))
        .filter(move |it| !known.contains(it))
        .map(|name| match OF_DISTRIBUTION.iter().find(|(theirs, _)| *theirs == name) {
            Some((_, ours)) => format!("the variable {name} is unknown and ignored; see {ours}"),
            None => format!("the variable {name} is unknown and ignored"),
        })
}

/// Settings without effect in combination with others. They are not errors, because `registry gc` or another process may
/// use the same file.
fn without_effect(settings: &Settings) -> impl Iterator<Item = String> {
    let is_read_only = settings.read_only == Some(true);
    let collects = settings.gc_interval.is_some_and(|interval| interval.0.is_some());
    let effective = settings.clone().or(Settings::defaults());
    let least = effective.max_manifest_size.map_or(0, |size| size.0.saturating_mul(32));
    let raised = effective.manifest_memory.filter(|memory| memory.0 < least).map(|memory| {
        let least = ByteSize(least);
        format!(
            "`manifest-memory` is {memory} and is raised to {least}, 32 times `max-manifest-size`"
        )
    });
    let others = [
        (is_read_only && collects)
            .then_some("`gc-interval` has no effect with `read-only`: nothing is collected"),
        (is_read_only && is_in_memory(settings))
            .then_some("a store in memory that is `read-only` stays empty"),
        (!collects && settings.gc_untagged == Some(true)).then_some(
            "`gc-untagged` has no effect without `gc-interval`, except on `registry gc`",
        ),
        (!collects && settings.gc_deep == Some(true))
            .then_some("`gc-deep` has no effect without `gc-interval`, except on `registry gc`"),
    ]
    .into_iter()
    .flatten()
    .map(str::to_owned);
    others.chain(raised)
}

/// Warnings about settings without effect on this store.
pub(crate) fn of_store(settings: &Effective, driver: &dyn StorageDriver) -> Option<String> {
    let redirects = settings.redirect.0 != Redirect::Never && !driver.capabilities().redirect;
    redirects.then(|| "`redirect` has no effect: clients cannot reach this store".to_owned())
}

/// Warnings about a registry that listens at `address`.
pub(crate) fn of_listening(settings: &Effective, address: IpAddr) -> impl Iterator<Item = String> {
    let is_public = !address.to_canonical().is_loopback();
    let has_users = settings.htpasswd.is_some();
    // Clients then speak TLS with the proxy.
    let external = settings.external_url.as_ref().map(ToString::to_string);
    let is_behind_tls =
        settings.trust_proxy || external.is_some_and(|url| url.starts_with("https:"));
    [
        (is_public && !has_users && !settings.read_only).then(|| {
            format!("everyone who can reach {address} may push and delete; see `htpasswd`")
        }),
        (is_public && has_users && settings.tls_cert.is_none() && !is_behind_tls).then(|| {
            format!(
                "passwords are sent to {address} in plain text; see `tls-cert` and `trust-proxy`"
            )
        }),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recommended_setting_exists() {
        let ours = OF_DISTRIBUTION.iter().map(|(_, ours)| (*ours).to_owned());
        assert_eq!(unknown(ours).count(), 0);
        let theirs = OF_DISTRIBUTION.iter().map(|(theirs, _)| (*theirs).to_owned());
        assert_eq!(unknown(theirs).count(), OF_DISTRIBUTION.len());
    }
}
