//! `registry serve`.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use futures::future::{OptionFuture, pending};
use storage_driver::StorageDriver;
use storage_driver_registry::{
    AccessRules, HealthRoutes, Htpasswd, Metrics, Registry, Server, ServerLimits, Shutdown, Tls,
    TokenKey, Tokens, behind_proxy, livez_router, traced,
};
use tokio::{task::JoinHandle, time::timeout};

use crate::{
    failure::Failure,
    gc,
    listen::listen,
    settings::Effective,
    signals::{Signal, Signals},
    storage,
    values::ListenAddress,
    warnings,
};

/// How often the certificate and the passwords are read again.
const REREAD: Duration = Duration::from_secs(60);

/// How long the start waits for the warnings of the store.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves until a signal stops the process.
pub(crate) async fn serve(settings: Effective) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let tls = match (&settings.tls_cert, &settings.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls::load(certificate, key).await?),
        _ => None,
    };
    let passwords = passwords(&settings).await?;
    // Before the storage, so that a port in use leaves no trace there.
    let server = bind(&settings.listen, &settings).await?;
    let metrics_server = match &settings.metrics_listen {
        Some(address) => Some(bind(address, &settings).await?),
        None => None,
    };
    let shutdown = Shutdown::new();
    let service = Service::new(&settings, passwords.clone(), &shutdown).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let address = server.local_addr()?;

    let server = match tls.clone() {
        Some(tls) => server.tls(tls),
        None => server,
    };
    let warnings = warnings::of_listening(&settings, address.ip());
    for warning in warnings.chain(warnings::of_store(&settings, &*service.driver)) {
        tracing::warn!("{warning}");
    }
    service.log_warnings().await;
    let router = service.router(&settings, metrics_server.is_none());
    let mut serving = tokio::spawn(server.router(router).run(shutdown.clone()));
    if let Some(server) = metrics_server {
        tracing::info!(address = %server.local_addr()?, "metrics");
        // Until the program ends, so that the shutdown can be monitored too.
        let server = server.router(service.health_routes());
        tokio::spawn(server.run(Shutdown::new()));
    }
    // The registry serves even if standard output is closed.
    let _ = writeln!(io::stdout(), "listening on {scheme}://{address}");
    tracing::info!(%address, scheme, storage = %settings.storage, "listening");

    // With `read-only`, the registry does not write to the store either.
    let _maintenance = (!settings.read_only).then(|| {
        let registry = &service.registry;
        let cancelling = gc::cancel_stale_uploads(registry.clone(), settings.clone());
        let collecting = gc::collect(registry.clone(), settings.clone());
        [Background::spawn(cancelling), Background::spawn(collecting)]
    });
    let watch = async {
        let certificate = OptionFuture::from(tls.as_ref().map(|tls| tls.watch(REREAD)));
        let users = OptionFuture::from(passwords.as_ref().map(|it| it.watch(REREAD)));
        tokio::join!(certificate, users, pending::<()>());
    };
    let mut watch = std::pin::pin!(watch);
    loop {
        tokio::select! {
            ended = &mut serving => {
                ended.map_err(|error| Failure::System(error.into()))?;
                let failed = |source| Failure::storage(&settings.storage, source);
                return service.driver.shutdown().await.map_err(failed);
            }
            () = &mut watch => {}
            signal = signals.next() => match signal {
                Signal::Stop if shutdown.is_draining() => {
                    serving.abort();
                    return Err(Failure::Forced);
                }
                Signal::Stop => {
                    shutdown.drain();
                    tracing::info!("stopping");
                    tokio::spawn(start_after(settings.shutdown_delay.into(), shutdown.clone()));
                }
                Signal::Reload => {
                    if let Some(tls) = &tls {
                        tls.reload_and_log().await;
                    }
                    if let Some(passwords) = &passwords {
                        passwords.reload_and_log().await;
                    }
                }
            }
        }
    }
}

/// Starts the shutdown after `delay`.
async fn start_after(delay: Duration, shutdown: Shutdown) {
    tokio::time::sleep(delay).await;
    shutdown.start();
}

/// A task that is aborted when this is dropped.
struct Background(JoinHandle<()>);

impl Background {
    fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn bind(address: &ListenAddress, settings: &Effective) -> Result<Server, Failure> {
    let limits = ServerLimits {
        max_connections: settings.max_connections.get(),
        header_timeout: settings.header_timeout.into(),
        write_timeout: settings.write_timeout.into(),
        ..ServerLimits::default()
    };
    let server = Server::on(listen(address).await?, Router::new());
    Ok(server.limits(limits).shutdown_grace(settings.shutdown_grace.into()))
}

/// Everything that is served: the registry, its metrics and its health.
struct Service {
    driver: Arc<dyn StorageDriver>,
    registry: Registry,
    /// The routes that issue tokens, if there are passwords.
    tokens: Router,
    metrics: Metrics,
    read_only: bool,
    shutdown: Shutdown,
}

impl Service {
    async fn new(
        settings: &Effective,
        passwords: Option<Arc<Htpasswd>>,
        shutdown: &Shutdown,
    ) -> Result<Self, Failure> {
        let metrics = Metrics::new();
        let driver = storage::open(&settings.storage, settings.read_only, Some(&metrics)).await?;
        let builder = Registry::builder(metrics.driver(Arc::clone(&driver)));
        let (builder, tokens) = match passwords {
            Some(passwords) => {
                let key = match &settings.token_key {
                    Some(file) => TokenKey::read(file).await?,
                    None => TokenKey::random(),
                };
                let builder = builder.cursor_keys(key.cursor_keys());
                let tokens = tokens(settings, passwords, key);
                let router = tokens.router();
                (builder.authorize(Arc::new(tokens)), router)
            }
            None => (builder, Router::new()),
        };
        let registry = gc::named(builder, settings)
            .max_blob_size(settings.max_blob_size.0)
            .max_manifest_size(settings.max_manifest_size.0)
            .manifest_memory(settings.manifest_memory.0)
            .cache_memory(settings.cache_memory.0)
            .store_timeout(settings.store_timeout.into())
            .max_uploads(settings.max_uploads.get())
            .max_open_uploads(settings.max_open_uploads.get())
            .body_timeout(settings.body_timeout.into())
            .read_only(settings.read_only)
            .allow_delete(settings.delete)
            .immutable_tags(settings.immutable_tags)
            .sparse_indexes(settings.sparse_indexes)
            .web_ui(settings.web_ui)
            .redirect(settings.redirect.0)
            .gc_grace(settings.gc_grace.into())
            .shutdown(shutdown)
            .metrics(metrics.clone())
            .build();
        let (read_only, shutdown) = (settings.read_only, shutdown.clone());
        Ok(Self { driver, registry, tokens, metrics, read_only, shutdown })
    }

    /// Logs the warnings of the driver. They are also in the response of `/healthz`.
    async fn log_warnings(&self) {
        if let Ok(health) = timeout(PATIENCE, self.driver.health()).await {
            health.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
        }
    }

    /// The routes for clients, and those for health and metrics if `with_health`, else `/livez` alone.
    fn router(&self, settings: &Effective, with_health: bool) -> Router {
        let clients = self.metrics.track(traced(self.registry.router().merge(self.tokens.clone())));
        let clients = if settings.trust_proxy { behind_proxy(clients) } else { clients };
        clients.merge(if with_health { self.health_routes() } else { livez_router() })
    }

    fn health_routes(&self) -> Router {
        HealthRoutes::new(Arc::clone(&self.driver))
            .read_only(self.read_only)
            .shutdown(&self.shutdown)
            .metrics(self.metrics.clone())
            .router()
    }
}

/// The users, if there are any.
async fn passwords(settings: &Effective) -> Result<Option<Arc<Htpasswd>>, Failure> {
    let Some(file) = &settings.htpasswd else {
        return Ok(None);
    };
    let rules =
        AccessRules { anonymous_pull: settings.anonymous_pull, access: settings.access.clone() };
    let users = Htpasswd::open(file).await?;
    Ok(Some(Arc::new(users.with_rules(rules))))
}

/// The issuer of tokens.
fn tokens(settings: &Effective, passwords: Arc<Htpasswd>, key: TokenKey) -> Tokens {
    let tokens = Tokens::new(passwords).with_trusted_proxy(settings.trust_proxy).with_key(key);
    match &settings.external_url {
        Some(url) => tokens.with_external_url(url.clone()),
        None => tokens,
    }
}
