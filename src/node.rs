//! The running server: disks, engine, services and listeners put together, and taken apart in reverse.

use crate::accounts::KnownAccounts;
use crate::admin::access::Access;
use crate::admin::account::AccountAdmin;
use crate::admin::behaviour::BlobBehaviour;
use crate::admin::role::RoleAdmin;
use crate::admin::scope::ScopeAdmin;
use crate::admin::{Admin, Subjects};
use crate::change_feed::FeedTask;
use crate::config::{Config, Shown};
use crate::endpoints::Endpoints;
use crate::files::{self, ServerFolder};
use crate::identity::{KnownIssuers, TokenSettings};
use crate::listener::{Answer, Door};
use crate::sources::{Reach, WebSources};
use crate::telemetry::{Log, Telemetry};
use crate::tls::{CERTIFICATE_FILE, Tls, TlsSettings};
use api::auth::Identities;
use api::auth::bearer::Bearer;
use api::auth::delegation::DelegationKeys;
use api::auth::role::{AssignedRoles, EveryRole, Roles};
use api::error::with_causes;
use api::{Arrival, Body, ChangeFeed, Front, Observer, ServiceKind};
use http::{Request, Response};
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use storage_engine::clock::{SystemClock, SystemEntropy};
use storage_engine::config::EngineConfig;
use storage_engine::{Engine, EngineError};
use tokio::net::TcpListener;

/// Connections to the admin port at once.
const ADMIN_CONNECTIONS_MAX: usize = 32;

/// A running server.
pub(crate) struct Node {
    door: Door,
    admin_door: Door,
    feed: FeedTask,
    engine: Engine,
    access: Arc<Access>,
    /// What whoever starts the server should know.
    cautions: Vec<&'static str>,
    endpoints: Endpoints,
    admin: SocketAddr,
    /// The local authority's certificate, for whoever is to trust it.
    authority: Option<PathBuf>,
    shown_account: Shown,
    disks: Vec<PathBuf>,
    drain: Duration,
    // Dropped last, in this order: the store's folder if it is a throw-away one, then the log.
    _temporary: Option<tempfile::TempDir>,
    _log: Log,
}

/// One service of the front, on its own port.
struct Port {
    front: Arc<Front>,
    service: ServiceKind,
}

impl Answer for Port {
    async fn answer(&self, arrival: Arrival, request: Request<Body>) -> Response<Body> {
        self.front.handle(self.service, arrival, request).await
    }
}

impl Node {
    /// Opens the store and listens. Ports are bound first: a second server on the same ports must not touch data.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) async fn start(config: Config) -> Result<Self, String> {
        let log = Log::start().map_err(|error| format!("cannot start the log: {error}"))?;
        let cautions = cautions(&config);
        let blob = bind(config.hosts.blob, config.blob_port, "--blob-port").await?;
        let queue = bind(config.hosts.queue, config.queue_port, "--queue-port").await?;
        let table = bind(config.hosts.table, config.table_port, "--table-port").await?;
        let admin = bind(config.hosts.admin, config.admin_port, "--admin-port").await?;
        let endpoints = Endpoints {
            secure: config.tls.is_some(),
            blob: address(&blob)?,
            queue: address(&queue)?,
            table: address(&table)?,
        };
        let admin_address = address(&admin)?;
        let engine = Engine::open(&config.engine, Arc::new(SystemClock), Arc::new(SystemEntropy))
            .map_err(|error| not_ours(&config.engine, &error))?;
        // From here on the folder is ours: another server would have been refused by the lock that the engine took.
        let disk = config.engine.disks.first().ok_or("no disk is configured")?;
        files::close_to_others(disk);
        let folder = ServerFolder::of(disk);
        let authority =
            matches!(config.tls, Some(TlsSettings::Local(_))).then(|| folder.path(CERTIFICATE_FILE));
        let tls = open_tls(config.tls, &folder)?;
        let access = Arc::new(Access::open(admin_address, folder)?);
        let telemetry = Arc::new(Telemetry::new((!config.silent).then(|| log.writer())));
        let shown_account = config.accounts.shown.clone();
        let accounts = KnownAccounts::open(
            config.accounts,
            engine.accounts().clone(),
            engine.assignments().clone(),
            engine.encryption_scopes().clone(),
        )
        .await;
        let accounts = Arc::new(accounts.map_err(|error| cannot_open(&error))?);
        let identities = identities(&engine, &config.tokens).await?;
        let reach = if config.copy_from_private { Reach::Private } else { Reach::Public };
        let sources = WebSources::new(endpoints.blob, reach);
        let front = Arc::new(front(&engine, &accounts, identities, &telemetry, sources));
        let door = Door::new(config.connections_max);
        for (listener, service) in
            [(blob, ServiceKind::Blob), (queue, ServiceKind::Queue), (table, ServiceKind::Table)]
        {
            door.serve(listener, Arc::new(Port { front: Arc::clone(&front), service }), tls.clone());
        }
        let feed =
            FeedTask::start(ChangeFeed::new(&engine, Arc::new(SystemClock)), telemetry.damaged_changes());
        // Whoever looks after the server gets in when it is full.
        let admin_door = Door::new(ADMIN_CONNECTIONS_MAX);
        let subjects = subjects(&engine, accounts, endpoints);
        admin_door.serve(admin, Arc::new(Admin::new(telemetry, Arc::clone(&access), subjects)), None);
        Ok(Self {
            door,
            admin_door,
            feed,
            engine,
            access,
            cautions,
            endpoints,
            admin: admin_address,
            authority,
            shown_account,
            disks: config.engine.disks,
            drain: Duration::from_secs(config.drain_seconds),
            _temporary: config.temporary,
            _log: log,
        })
    }

    /// Says on standard output where everything is. A key is shown only if everybody knows it.
    pub(crate) fn announce(&self) {
        // Nobody may be listening; that is no reason not to serve.
        let _ = self.write_announcement(&mut std::io::stdout().lock());
    }

    fn write_announcement(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Shown { name, key } = &self.shown_account;
        let endpoints = self.endpoints.of(name);
        writeln!(out, "blob   {}", endpoints.blob)?;
        writeln!(out, "queue  {}", endpoints.queue)?;
        writeln!(out, "table  {}", endpoints.table)?;
        writeln!(out, "admin  http://{}/metrics", self.admin)?;
        for disk in &self.disks {
            writeln!(out, "data   {}", disk.display())?;
        }
        if let Some(authority) = &self.authority {
            writeln!(out, "trust  {} (`linarite trust` says how)", authority.display())?;
        }
        let key = key.as_deref().unwrap_or("<the account's key>");
        writeln!(out, "connection string: {}", endpoints.connection_string(name, key))?;
        for caution in &self.cautions {
            writeln!(out, "ATTENTION: {caution}")?;
        }
        writeln!(out, "stop with Ctrl-C or SIGTERM")?;
        writeln!(out, "ready")
    }

    /// Lets running requests come to their end and closes the store.
    pub(crate) async fn stop(self) {
        self.access.close();
        self.admin_door.close(Duration::ZERO).await;
        if !self.door.close(self.drain).await {
            tracing::warn!("requests still ran at the end of the drain time and were cut off");
        }
        self.feed.stop().await;
        if let Err(error) = self.engine.close() {
            tracing::error!(%error, "closing the store failed");
        }
    }
}

fn front(
    engine: &Engine,
    accounts: &Arc<KnownAccounts>,
    identities: Identities,
    telemetry: &Arc<Telemetry>,
    sources: WebSources,
) -> Front {
    let observer: Arc<dyn Observer> = Arc::<Telemetry>::clone(telemetry);
    let accounts = Arc::<KnownAccounts>::clone(accounts);
    Front::new(engine, accounts, identities, observer, Arc::new(SystemClock), Arc::new(SystemEntropy))
        .with_sources(Arc::new(sources))
}

/// What can be administered.
fn subjects(engine: &Engine, accounts: Arc<KnownAccounts>, endpoints: Endpoints) -> Subjects {
    let behaviour = BlobBehaviour::new(engine.settings().clone(), engine.lifecycle().clone());
    Subjects {
        scopes: ScopeAdmin::new(engine.encryption_scopes().clone(), Arc::<KnownAccounts>::clone(&accounts)),
        roles: RoleAdmin::new(engine.assignments().clone(), Arc::<KnownAccounts>::clone(&accounts)),
        accounts: AccountAdmin::new(accounts, endpoints, behaviour),
    }
}

/// What tokens mean here.
async fn identities(engine: &Engine, settings: &TokenSettings) -> Result<Identities, String> {
    let secret = engine.secret().await.map_err(|error| cannot_open(&error))?;
    let (bearer, roles): (_, Arc<dyn Roles>) = if settings.unsigned {
        tracing::warn!("tokens are believed without checking their signatures (--oauth basic)");
        (Bearer::unsigned(settings.over_http), Arc::new(EveryRole))
    } else {
        let issuers = Arc::new(KnownIssuers::open(&settings.issuers)?);
        let roles = AssignedRoles::new(engine.assignments().clone());
        (Bearer::signed(issuers, settings.over_http), Arc::new(roles))
    };
    Ok(Identities { bearer, roles, delegation: Arc::new(DelegationKeys::new(secret)) })
}

fn open_tls(settings: Option<TlsSettings>, folder: &ServerFolder) -> Result<Option<Arc<Tls>>, String> {
    let Some(settings) = settings else { return Ok(None) };
    let tls = Arc::new(Tls::open(settings, folder, Arc::new(SystemClock))?);
    tls.watch()?;
    Ok(Some(tls))
}

/// What is served as asked for, and perhaps not as meant.
fn cautions(config: &Config) -> Vec<&'static str> {
    let reachable = config.hosts.services().iter().any(|host| !host.to_canonical().is_loopback());
    let all = [
        (
            config.tokens.unsigned,
            "--oauth basic checks no signatures: whoever reaches this server can make a token for it",
        ),
        (
            reachable && config.accounts.any_well_known(),
            "other machines reach an account whose key everybody knows: --account names your own instead",
        ),
        (config.debug_file_ignored, "--debug writes no file: the log goes to standard error"),
    ];
    all.into_iter().filter_map(|(applies, text)| applies.then_some(text)).collect()
}

async fn bind(host: IpAddr, port: u16, setting: &str) -> Result<TcpListener, String> {
    let refused = |error| format!("cannot listen on {host} port {port} ({setting}): {error}");
    TcpListener::bind((host, port)).await.map_err(refused)
}

/// Where a client of this machine reaches the listener, which may listen on all addresses.
fn address(listener: &TcpListener) -> Result<SocketAddr, String> {
    let mut address = listener.local_addr().map_err(|error| format!("a socket has no address: {error}"))?;
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::from([127, 0, 0, 1]));
    }
    Ok(address)
}

/// Why the folder cannot be opened: mostly it is another one than was meant.
fn not_ours(config: &EngineConfig, error: &EngineError) -> String {
    let (EngineError::Disk(cause), Some(folder)) = (error, config.disks.first()) else {
        return cannot_open(error);
    };
    let shown = folder.display();
    let why = match cause.kind() {
        ErrorKind::ResourceBusy => format!("the folder {shown} is in use by another Linarite process"),
        ErrorKind::PermissionDenied => format!("this user may not write to {shown}"),
        _ if folder.is_file() => format!("{shown} is a file, not a folder"),
        _ => return cannot_open(error),
    };
    format!("cannot open the store: {why}")
}

/// Why the store cannot be opened, for whoever started the server.
fn cannot_open(error: &EngineError) -> String {
    match error {
        // At the start this is mostly a wrong folder and seldom a broken device; the cause says which.
        EngineError::Disk(cause) => format!("cannot open the store: {}", with_causes(&**cause)),
        error => format!("cannot open the store: {}", with_causes(error)),
    }
}
