//! `registry serve`.

use std::{
    future::pending,
    io::{self, Write},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use registry::{CancellationToken, Server, ServerLimits, Tls};

use crate::{
    failure::Failure,
    settings::Effective,
    signals::{Signal, Signals},
    stand_in::{GcOptions, Htpasswd, Metrics, Registry, Rule},
    storage,
};

/// How often a certificate is looked at.
const CERTIFICATE: Duration = Duration::from_secs(60);

/// Serves until the system asks to stop.
pub(crate) async fn serve(settings: Effective) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let tls = match (&settings.tls_cert, &settings.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls::load(certificate, key).await?),
        _ => None,
    };
    let passwords = passwords(&settings).await?;
    // Before the storage, so that a port in use leaves no trace there.
    let server = bind(settings.listen, &settings).await?;
    let metrics_server = match settings.metrics_listen {
        Some(address) => Some(bind(address, &settings).await?),
        None => None,
    };
    let (stopping, interrupt) = (CancellationToken::new(), CancellationToken::new());
    let (mut router, metrics) = registry(&settings, passwords.clone(), &interrupt).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let address = server.local_addr()?;

    let metrics_server = match metrics_server {
        Some(server) => Some(server.router(metrics)),
        None => {
            router = router.merge(metrics);
            None
        }
    };
    let server = match tls.clone() {
        Some(tls) => server.tls(tls),
        None => server,
    };
    let mut serving = tokio::spawn(server.router(router).run(stopping.clone(), interrupt.clone()));
    if let Some(server) = metrics_server {
        tracing::info!(address = %server.local_addr()?, "metrics");
        // Until the program ends: how it stops is of interest too.
        tokio::spawn(server.run(CancellationToken::new(), CancellationToken::new()));
    }
    // Nobody may read it, which is no reason not to serve.
    let _ = writeln!(io::stdout(), "listening on {scheme}://{address}");
    tracing::info!(%address, scheme, storage = %settings.storage, "listening");

    let watch = async {
        match &tls {
            Some(tls) => tls.watch(CERTIFICATE).await,
            None => pending().await,
        }
    };
    let mut watch = std::pin::pin!(watch);
    loop {
        tokio::select! {
            ended = &mut serving => return ended.map_err(|error| Failure::Registry(error.into())),
            () = &mut watch => {}
            signal = signals.next() => match signal {
                Signal::Stop if stopping.is_cancelled() => {
                    serving.abort();
                    return Err(Failure::Forced);
                }
                Signal::Stop => {
                    tracing::info!("stopping");
                    stopping.cancel();
                }
                Signal::Reload => {
                    if let Some(tls) = &tls {
                        tls.reload_and_log().await;
                    }
                    if let Some(passwords) = &passwords {
                        match passwords.reload().await {
                            Ok(()) => tracing::info!("passwords are read again"),
                            Err(error) => tracing::error!(error, "the old passwords are kept"),
                        }
                    }
                }
            }
        }
    }
}

async fn bind(address: SocketAddr, settings: &Effective) -> Result<Server, Failure> {
    let limits = ServerLimits {
        max_connections: settings.max_connections.get(),
        header_timeout: settings.header_timeout.into(),
        write_timeout: settings.write_timeout.into(),
        ..ServerLimits::default()
    };
    let server = Server::bind(address, Router::new()).await;
    let server = server.map_err(|source| Failure::Listen { address, source })?;
    Ok(server.limits(limits).grace(settings.shutdown_grace.into()))
}

/// The registry, and its metrics.
///
/// WIRE: here and in [`passwords`] the settings meet the registry's builder, `Htpasswd` and `Metrics`.
async fn registry(
    settings: &Effective,
    passwords: Option<Arc<Htpasswd>>,
    interrupt: &CancellationToken,
) -> Result<(Router, Router), Failure> {
    let driver = storage::open(&settings.storage).await?;
    let builder = Registry::builder(driver);
    let builder = match passwords {
        Some(passwords) => builder.authorize(passwords),
        None => builder,
    };
    let registry = builder
        .max_blob_size(settings.max_blob_size.0)
        .max_manifest_size(settings.max_manifest_size.0)
        .max_uploads(settings.max_uploads.get())
        .body_timeout(settings.body_timeout.into())
        .read_only(settings.read_only)
        .delete(settings.delete)
        .immutable_tags(settings.immutable_tags)
        .sparse_indexes(settings.sparse_indexes)
        .page(settings.page)
        .upload_ttl(settings.upload_ttl.into())
        .gc(GcOptions {
            interval: settings.gc_interval.0,
            grace: settings.gc_grace.into(),
            untagged: settings.gc_untagged,
        })
        .interrupt(interrupt.clone())
        .build()
        .map_err(Failure::Registry)?;
    Ok((registry.router(), Metrics.router()))
}

/// The users, if they have passwords.
async fn passwords(settings: &Effective) -> Result<Option<Arc<Htpasswd>>, Failure> {
    let Some(file) = &settings.htpasswd else {
        return Ok(None);
    };
    let rules = settings.access.iter().cloned().map(|rule| Rule {
        repositories: rule.repositories,
        users: rule.users,
        actions: rule.actions.into_iter().map(Into::into).collect(),
    });
    let loaded = Htpasswd::load(file, settings.anonymous_pull, rules.collect()).await;
    Ok(Some(Arc::new(loaded.map_err(Failure::Registry)?)))
}
