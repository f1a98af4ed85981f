//! `registry serve`.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use futures::future::{OptionFuture, pending};
use registry::{
    AccessRules, CancellationToken, Htpasswd, Metrics, Ops, Registry, Server, ServerLimits, Tls,
    TokenKey, Tokens, behind_proxy, livez_router, observed,
};
use storage_driver::StorageDriver;
use tokio::task::JoinHandle;

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

/// How often certificate and passwords are read again.
const REREAD: Duration = Duration::from_secs(60);

/// Serves until the system asks to stop.
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
    let (stopping, interrupt) = (CancellationToken::new(), CancellationToken::new());
    let service = Service::new(&settings, passwords.clone(), &interrupt).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let address = server.local_addr()?;

    let server = match tls.clone() {
        Some(tls) => server.tls(tls),
        None => server,
    };
    for warning in warnings::of_listening(&settings, address.ip()) {
        tracing::warn!("{warning}");
    }
    let router = service.router(&settings, metrics_server.is_none());
    let mut serving = tokio::spawn(server.router(router).run(stopping.clone(), interrupt.clone()));
    if let Some(server) = metrics_server {
        tracing::info!(address = %server.local_addr()?, "metrics");
        // Until the program ends: how it stops is of interest too.
        let server = server.router(service.ops());
        tokio::spawn(server.run(CancellationToken::new(), CancellationToken::new()));
    }
    // Nobody may read it, which is no reason not to serve.
    let _ = writeln!(io::stdout(), "listening on {scheme}://{address}");
    tracing::info!(%address, scheme, storage = %settings.storage, "listening");

    // A store that is read-only is not written to by the registry itself either.
    let _maintenance = (!settings.read_only).then(|| {
        let (registry, metrics) = (service.registry.clone(), service.metrics.clone());
        let cancelling = gc::cancel_stale_uploads(registry.clone(), settings.clone());
        let collecting = gc::collect(registry, metrics, settings.clone());
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
                let failed = |source| Failure::Storage { location: settings.storage.clone(), source };
                return service.driver.shutdown().await.map_err(failed);
            }
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
                        passwords.reload_and_log().await;
                    }
                }
            }
        }
    }
}

/// A task that ends with what it works for.
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
    Ok(server.limits(limits).grace(settings.shutdown_grace.into()))
}

/// Everything that is served: the registry, with what is counted of it, and what probes ask.
struct Service {
    driver: Arc<dyn StorageDriver>,
    registry: Registry,
    /// The routes where passwords are exchanged for tokens, if there are passwords.
    tokens: Router,
    metrics: Metrics,
    read_only: bool,
}

impl Service {
    async fn new(
        settings: &Effective,
        passwords: Option<Arc<Htpasswd>>,
        interrupt: &CancellationToken,
    ) -> Result<Self, Failure> {
        let metrics = Metrics::new();
        let driver = storage::open(&settings.storage, settings.read_only, Some(&metrics)).await?;
        let builder = Registry::builder(metrics.driver(Arc::clone(&driver)));
        let (builder, tokens) = match passwords {
            Some(passwords) => {
                let tokens = tokens(settings, passwords).await?;
                let router = tokens.router();
                (builder.authorize(Arc::new(tokens)), router)
            }
            None => (builder, Router::new()),
        };
        let registry = builder
            .max_blob_size(settings.max_blob_size.0)
            .max_manifest_size(settings.max_manifest_size.0)
            .manifest_memory(settings.manifest_memory.0)
            .max_uploads(settings.max_uploads.get())
            .max_open_uploads(settings.max_open_uploads.get())
            .body_timeout(settings.body_timeout.into())
            .read_only(settings.read_only)
            .delete(settings.delete)
            .immutable_tags(settings.immutable_tags)
            .sparse_indexes(settings.sparse_indexes)
            .page(settings.page)
            .grace(settings.gc_grace.into())
            .interrupt(interrupt.clone())
            .metrics(metrics.clone())
            .build();
        Ok(Self { driver, registry, tokens, metrics, read_only: settings.read_only })
    }

    /// What clients ask, and `with_ops` everything else, else `/livez` alone.
    fn router(&self, settings: &Effective, with_ops: bool) -> Router {
        let clients =
            self.metrics.track(observed(self.registry.router().merge(self.tokens.clone())));
        let clients = if settings.trust_proxy { behind_proxy(clients) } else { clients };
        clients.merge(if with_ops { self.ops() } else { livez_router() })
    }

    fn ops(&self) -> Router {
        let ops = Ops::new(Arc::clone(&self.driver)).read_only(self.read_only);
        ops.metrics(self.metrics.clone()).router()
    }
}

/// The users, if they have passwords.
async fn passwords(settings: &Effective) -> Result<Option<Arc<Htpasswd>>, Failure> {
    let Some(file) = &settings.htpasswd else {
        return Ok(None);
    };
    let rules =
        AccessRules { anonymous_pull: settings.anonymous_pull, access: settings.access.clone() };
    let users = Htpasswd::open(file).await?;
    Ok(Some(Arc::new(users.with_rules(rules))))
}

/// What exchanges their passwords for tokens.
async fn tokens(settings: &Effective, passwords: Arc<Htpasswd>) -> Result<Tokens, Failure> {
    let mut tokens = Tokens::new(passwords).with_trusted_proxy(settings.trust_proxy);
    if let Some(file) = &settings.token_key {
        tokens = tokens.with_key(TokenKey::read(file).await?);
    }
    if let Some(url) = &settings.external_url {
        tokens = tokens.with_external_url(url.clone());
    }
    Ok(tokens)
}
