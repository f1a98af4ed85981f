//! The log, on standard error.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::{settings::Effective, values::LogFormat};

/// Starts logging.
pub(crate) fn start(settings: &Effective) {
    let filter = EnvFilter::new(settings.log.as_str());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match settings.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
