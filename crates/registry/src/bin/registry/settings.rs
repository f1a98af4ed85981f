//! [`Settings`]: the settings of the program, from flags, environment variables and a file.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration as StdDuration};

use clap::{Args, builder::BoolishValueParser};
use humantime::Duration;
use serde::{Deserialize, Serialize};
use storage_driver_registry::{ExternalUrl, Redirect, Rule};
use storage_driver_url::{ByteSize, Location};

use crate::{
    failure::Failure,
    text,
    values::{Interval, ListenAddress, LogFilter, LogFormat, Redirects},
};

/// Defines the settings once: those of a source ([`Settings`]), all optional, and the effective ones ([`Effective`]), where
/// a setting with a default has a value.
macro_rules! settings {
    (@type $type:ty, $default:expr) => { $type };
    (@type $type:ty) => { Option<$type> };
    (@value $given:expr, $default:expr) => { $given.unwrap_or_else(|| $default) };
    (@value $given:expr) => { $given };
    (@default $default:expr) => { Some($default) };
    (@default) => { None };
    ($($(#[$attribute:meta])* $name:ident: $type:ty $(= $default:expr)?,)*) => {
        /// The settings of one source, or of several.
        #[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub(crate) struct Settings {
            $(
                $(#[$attribute])*
                #[arg(long)]
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub(crate) $name: Option<$type>,
            )*
            /// Access rules. In the file only.
            #[arg(skip)]
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub(crate) access: Vec<Rule>,
        }

        impl Settings {
            /// The defaults.
            pub(crate) fn defaults() -> Self {
                Self { $($name: settings!(@default $($default)?),)* access: Vec::new() }
            }

            /// These settings, and `others` where they are not set.
            pub(crate) fn or(self, others: Self) -> Self {
                let access = if self.access.is_empty() { others.access } else { self.access };
                Self { $($name: self.$name.or(others.$name),)* access }
            }

            fn fill(self) -> Effective {
                Effective {
                    $($name: settings!(@value self.$name $(, $default)?),)*
                    access: self.access,
                }
            }
        }

        /// The effective settings.
        #[derive(Debug, Clone)]
        pub(crate) struct Effective {
            $(pub(crate) $name: settings!(@type $type $(, $default)?),)*
            pub(crate) access: Vec<Rule>,
        }
    };
}

settings! {
    /// Store for all content: `inmemory:`, or `file:///absolute/directory`; if built with the feature `bucket`
    /// (experimental), `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix` [default: inmemory:]
    #[arg(env = "REGISTRY_STORAGE", value_name = "URL")]
    #[serde(with = "text")]
    storage: Location = Location::InMemory { capacity: None },

    /// Which downloads of blobs are redirected to a bucket by signed URLs: `never`, `always`, or those of at least a
    /// size [default: never]
    #[arg(env = "REGISTRY_REDIRECT", value_name = "WHEN")]
    #[serde(with = "text")]
    redirect: Redirects = Redirects(Redirect::Never),

    /// Host and port to listen at; `:5000` is all interfaces, port 0 a free port
    /// [default: 127.0.0.1:5000]
    #[arg(env = "REGISTRY_LISTEN", value_name = "ADDRESS", help_heading = "Listening")]
    #[serde(with = "text")]
    listen: ListenAddress = ListenAddress { host: Some("127.0.0.1".to_owned()), port: 5000 },

    /// Separate host and port for /metrics and /healthz, instead of the address of clients
    #[arg(env = "REGISTRY_METRICS_LISTEN", value_name = "ADDRESS", help_heading = "Listening")]
    #[serde(with = "text")]
    metrics_listen: ListenAddress,

    /// File with the certificate chain, in PEM, for https; read again when it changes
    #[arg(env = "REGISTRY_TLS_CERT", value_name = "FILE", help_heading = "Listening")]
    tls_cert: PathBuf,

    /// File with the certificate's private key, in PEM
    #[arg(env = "REGISTRY_TLS_KEY", value_name = "FILE", help_heading = "Listening")]
    tls_key: PathBuf,

    /// Whether there is a web interface at / [default: true]
    #[arg(env = "REGISTRY_WEB_UI", value_name = "BOOL", help_heading = "Listening")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    web_ui: bool = true,

    /// File with users and passwords, as written by `htpasswd -B`; read again when it changes; without it
    /// no password is needed
    #[arg(env = "REGISTRY_HTPASSWD", value_name = "FILE", help_heading = "Access")]
    htpasswd: PathBuf,

    /// Whether everyone may pull, even without a password [default: false]
    #[arg(env = "REGISTRY_ANONYMOUS_PULL", value_name = "BOOL", help_heading = "Access")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    anonymous_pull: bool = false,

    /// File with a secret of at least 32 bytes that signs tokens, so that they are valid in several processes and
    /// after a restart; more lines are further secrets that are accepted; by default a random secret
    #[arg(env = "REGISTRY_TOKEN_KEY", value_name = "FILE", help_heading = "Access")]
    token_key: PathBuf,

    /// URL of the registry for clients that need a token; by default that of their request
    #[arg(env = "REGISTRY_EXTERNAL_URL", value_name = "URL", help_heading = "Access")]
    #[serde(with = "text")]
    external_url: ExternalUrl,

    /// Whether to trust the scheme, host and client address of a proxy (X-Forwarded-Proto, -Host, -For)
    /// [default: false]
    #[arg(env = "REGISTRY_TRUST_PROXY", value_name = "BOOL", help_heading = "Access")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    trust_proxy: bool = false,

    /// Whether pushes and deletions are refused; the store is then only read, and can be on a read-only
    /// mount [default: false]
    #[arg(env = "REGISTRY_READ_ONLY", value_name = "BOOL", help_heading = "Access")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    read_only: bool = false,

    /// Whether tags, manifests and blobs can be deleted [default: true]
    #[arg(env = "REGISTRY_DELETE", value_name = "BOOL", help_heading = "Access")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    delete: bool = true,

    /// Whether a tag always names its first manifest [default: false]
    #[arg(env = "REGISTRY_IMMUTABLE_TAGS", value_name = "BOOL", help_heading = "Access")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    immutable_tags: bool = false,

    /// Whether an index may refer to missing manifests [default: false]
    #[arg(env = "REGISTRY_SPARSE_INDEXES", value_name = "BOOL", help_heading = "Access")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    sparse_indexes: bool = false,

    /// Size of the largest accepted blob [default: 100GiB]
    #[arg(env = "REGISTRY_MAX_BLOB_SIZE", value_name = "SIZE", help_heading = "Limits")]
    #[serde(with = "text")]
    max_blob_size: ByteSize = ByteSize(100 << 30),

    /// Size of the largest accepted manifest [default: 4MiB]
    #[arg(env = "REGISTRY_MAX_MANIFEST_SIZE", value_name = "SIZE", help_heading = "Limits")]
    #[serde(with = "text")]
    max_manifest_size: ByteSize = ByteSize(4 << 20),

    /// Memory for all manifests and lists in transfer; at least 32 times max-manifest-size
    /// [default: 128MiB]
    #[arg(env = "REGISTRY_MANIFEST_MEMORY", value_name = "SIZE", help_heading = "Limits")]
    #[serde(with = "text")]
    manifest_memory: ByteSize = ByteSize(128 << 20),

    /// Memory for the cache of manifests; 0 turns it off [default: 32MiB]
    #[arg(env = "REGISTRY_CACHE_MEMORY", value_name = "SIZE", help_heading = "Limits")]
    #[serde(with = "text")]
    cache_memory: ByteSize = ByteSize(32 << 20),

    /// Number of concurrent requests that upload [default: 4096]
    #[arg(env = "REGISTRY_MAX_UPLOADS", value_name = "NUMBER", help_heading = "Limits")]
    max_uploads: NonZeroUsize = const { NonZeroUsize::new(4_096).unwrap() },

    /// Number of uploads in progress, abandoned ones included [default: 65536]
    #[arg(env = "REGISTRY_MAX_OPEN_UPLOADS", value_name = "NUMBER", help_heading = "Limits")]
    max_open_uploads: NonZeroUsize = const { NonZeroUsize::new(65_536).unwrap() },

    /// Number of open connections [default: 16384]
    #[arg(env = "REGISTRY_MAX_CONNECTIONS", value_name = "NUMBER", help_heading = "Limits")]
    max_connections: NonZeroUsize = const { NonZeroUsize::new(16_384).unwrap() },

    /// Time without a request after which a connection is closed, slow headers included
    /// [default: 30s]
    #[arg(env = "REGISTRY_HEADER_TIMEOUT", value_name = "TIME", help_heading = "Limits")]
    #[serde(with = "text")]
    header_timeout: Duration = StdDuration::from_secs(30).into(),

    /// Time in which a client has to send the next 4 KiB of a request's body, or its end [default: 1m]
    #[arg(env = "REGISTRY_BODY_TIMEOUT", value_name = "TIME", help_heading = "Limits")]
    #[serde(with = "text")]
    body_timeout: Duration = StdDuration::from_secs(60).into(),

    /// Time in which a client has to receive the next 4 KiB of a response, or its end [default: 1m]
    #[arg(env = "REGISTRY_WRITE_TIMEOUT", value_name = "TIME", help_heading = "Limits")]
    #[serde(with = "text")]
    write_timeout: Duration = StdDuration::from_secs(60).into(),

    /// Time in which the store has to respond to a small operation; then the request fails with 503 [default: 1m]
    #[arg(env = "REGISTRY_STORE_TIMEOUT", value_name = "TIME", help_heading = "Limits")]
    #[serde(with = "text")]
    store_timeout: Duration = StdDuration::from_secs(60).into(),

    /// Time between SIGTERM, when /healthz becomes 503, and the end of accepting connections, for a load balancer to
    /// notice [default: 0s]
    #[arg(env = "REGISTRY_SHUTDOWN_DELAY", value_name = "TIME", help_heading = "Limits")]
    #[serde(with = "text")]
    shutdown_delay: Duration = StdDuration::ZERO.into(),

    /// Time for requests in flight to finish when the registry is stopped [default: 30s]
    #[arg(env = "REGISTRY_SHUTDOWN_GRACE", value_name = "TIME", help_heading = "Limits")]
    #[serde(with = "text")]
    shutdown_grace: Duration = StdDuration::from_secs(30).into(),

    /// Time between two garbage collections, or `off` [default: off]
    #[arg(env = "REGISTRY_GC_INTERVAL", value_name = "TIME", help_heading = "Garbage")]
    #[serde(with = "text")]
    gc_interval: Interval = Interval(None),

    /// Age up to which unused content is kept [default: 1day]
    #[arg(env = "REGISTRY_GC_GRACE", value_name = "TIME", help_heading = "Garbage")]
    #[serde(with = "text")]
    gc_grace: Duration = StdDuration::from_secs(24 * 60 * 60).into(),

    /// Whether manifests without a tag, to which no other manifest refers, are collected too
    /// [default: false]
    #[arg(env = "REGISTRY_GC_UNTAGGED", value_name = "BOOL", help_heading = "Garbage")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    gc_untagged: bool = false,

    /// Whether a collection also looks at everything in a bucket, for what processes that crashed have left behind
    /// [default: false]
    #[arg(env = "REGISTRY_GC_DEEP", value_name = "BOOL", help_heading = "Garbage")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    gc_deep: bool = false,

    /// Name of this process among those on one store, in reports of collections; by default a random one
    #[arg(env = "REGISTRY_NODE", value_name = "NAME", help_heading = "Garbage")]
    node: String,

    /// Time since the last byte after which an abandoned upload is cancelled, at the latest after one and a half
    /// times that or an hour more [default: 7days]
    #[arg(env = "REGISTRY_UPLOAD_TTL", value_name = "TIME", help_heading = "Garbage")]
    #[serde(with = "text")]
    upload_ttl: Duration = StdDuration::from_secs(7 * 24 * 60 * 60).into(),

    /// Format of the log on standard error [default: text]
    #[arg(env = "REGISTRY_LOG_FORMAT", value_name = "FORMAT", help_heading = "Log")]
    #[arg(value_enum)]
    log_format: LogFormat = LogFormat::Text,

    /// Filter of the log: a level, or levels of modules as in `info,registry=debug` [default: info]
    #[arg(env = "REGISTRY_LOG", value_name = "FILTER", help_heading = "Log")]
    #[serde(with = "text")]
    log: LogFilter = LogFilter::default(),
}

impl Settings {
    /// The effective settings.
    ///
    /// # Errors
    ///
    /// [`Failure::Settings`] if settings contradict each other.
    pub(crate) fn effective(self) -> Result<Effective, Failure> {
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err(Failure::Settings("`tls-cert` and `tls-key` need each other".to_owned()));
        }
        // Settings for access would be ignored, and everyone could push.
        if self.htpasswd.is_none()
            && let Some(name) = self.of_users().next()
        {
            let text = format!("`{name}` needs `htpasswd`; without users, everyone may push");
            return Err(Failure::Settings(text));
        }
        if self.upload_ttl.is_some_and(|ttl| ttl.is_zero()) {
            let text = "`upload-ttl` is zero, so that every upload would be cancelled at once";
            return Err(Failure::Settings(text.to_owned()));
        }
        let mut settings = self.fill();
        // Otherwise pushes would be accepted that the store then refuses.
        settings.read_only |= matches!(settings.storage, Location::File { read_only: true, .. });
        Ok(settings)
    }

    /// The given settings that have no effect without users.
    fn of_users(&self) -> impl Iterator<Item = &'static str> {
        [
            ("access", !self.access.is_empty()),
            ("anonymous-pull", self.anonymous_pull == Some(true)),
            ("token-key", self.token_key.is_some()),
            ("external-url", self.external_url.is_some()),
            ("trust-proxy", self.trust_proxy == Some(true)),
        ]
        .into_iter()
        .filter_map(|(name, is_given)| is_given.then_some(name))
    }
}
