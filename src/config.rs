//! What the server is told: by flags, by environment variables, by one TOML file, in this order of precedence.
//!
//! A setting has one name everywhere: `--blob-port`, `LINARITE_BLOB_PORT`, `blob-port = …` (only the variable for
//! several accounts is plural, as Azurite's is). Azurite's spelling
//! of a flag is understood too, so that its command lines keep working; what such a flag asks for and we do not
//! have (passphrases) is refused rather than ignored, because the client would trust in it.

mod accounts;
mod hosts;

pub(crate) use accounts::{ConfiguredAccounts, Shown};
pub(crate) use hosts::Hosts;

use crate::command::Command;
use crate::identity::{IssuerSettings, TokenSettings};
use crate::tls::{CertificateName, TlsSettings};
use clap::builder::BoolishValueParser;
use clap::{Parser, ValueEnum};
use hosts::Host;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use storage_engine::config::EngineConfig;
use storage_engine::meta::Durability;

/// Azure Storage's own APIs on local disks, in one binary.
///
/// Without arguments: keeps its data in ./linarite-data and serves the well-known development account on
/// ports 10000 (blobs), 10001 (queues) and 10002 (tables), so `UseDevelopmentStorage=true` just works.
#[derive(Debug, Default, Parser)]
#[command(name = "linarite", version, disable_version_flag = true, max_term_width = 100)]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Reads settings from this TOML file; flags and environment win over it
    #[arg(long, env = "LINARITE_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,

    #[command(flatten)]
    settings: Settings,

    #[command(flatten)]
    azurite: AzuriteFlags,

    /// Prints the version
    #[arg(long, short = 'v', short_alias = 'V', action = clap::ArgAction::Version)]
    version: Option<bool>,
}

/// When a write is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DurabilityName {
    /// When it is on disk
    Sync,
    /// When it is in the page cache: for test doubles
    Os,
}

impl From<DurabilityName> for Durability {
    fn from(name: DurabilityName) -> Self {
        match name {
            DurabilityName::Os => Self::Os,
            DurabilityName::Sync => Self::Sync,
        }
    }
}

/// Which tokens are believed without asking anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OauthName {
    /// All that are made for storage and not expired, whoever made them: no signature is checked
    Basic,
}

/// An issuer on the command line. In a file, issuers are tables: `[[issuer]]` with `url`, `keys` and `tenant`.
#[derive(Debug, Default, clap::Args)]
struct IssuerFlags {
    /// Believes tokens of this issuer: their `iss`, to the letter
    #[arg(long, env = "LINARITE_ISSUER", value_name = "URL")]
    issuer: Option<String>,
    /// The issuer's keys, a JSON Web Key Set [default: where its discovery document says]
    #[arg(long, env = "LINARITE_ISSUER_KEYS", value_name = "FILE|URL", requires = "issuer")]
    issuer_keys: Option<String>,
    /// The only tenant (`tid`) whose tokens of this issuer count
    #[arg(long, env = "LINARITE_ISSUER_TENANT", value_name = "ID", requires = "issuer")]
    issuer_tenant: Option<String>,
}

impl IssuerFlags {
    fn into_settings(self) -> Option<Vec<IssuerSettings>> {
        let url = self.issuer?;
        Some(vec![IssuerSettings { url, keys: self.issuer_keys, tenant: self.issuer_tenant }])
    }
}

/// Everything that can be set, each perhaps not.
#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Settings {
    /// A folder for data, normally the mount point of one device [default: linarite-data]
    #[arg(
        long = "disk",
        visible_alias = "location",
        short_alias = 'l',
        alias = "data",
        env = "LINARITE_DISK",
        value_name = "PATH",
        value_delimiter = ',',
        global = true
    )]
    #[serde(default, deserialize_with = "one_or_many")]
    disk: Option<Vec<PathBuf>>,
    /// The address or name to listen on, for all three services [default: 127.0.0.1]
    #[arg(long, overrides_with = "host", env = "LINARITE_HOST")]
    host: Option<Host>,
    /// The same, for blobs only [default: --host]
    #[arg(long, alias = "blobHost", env = "LINARITE_BLOB_HOST", value_name = "HOST")]
    blob_host: Option<Host>,
    /// The same, for queues only [default: --host]
    #[arg(long, alias = "queueHost", env = "LINARITE_QUEUE_HOST", value_name = "HOST")]
    queue_host: Option<Host>,
    /// The same, for tables only [default: --host]
    #[arg(long, alias = "tableHost", env = "LINARITE_TABLE_HOST", value_name = "HOST")]
    table_host: Option<Host>,
    /// The same, for /metrics, /healthz and administration; --host does not count for it [default: 127.0.0.1]
    #[arg(long, env = "LINARITE_ADMIN_HOST", value_name = "HOST")]
    admin_host: Option<Host>,
    /// The port for blobs; 0 for any free one [default: 10000]
    #[arg(long, alias = "blobPort", env = "LINARITE_BLOB_PORT")]
    blob_port: Option<u16>,
    /// The port for queues [default: 10001]
    #[arg(long, alias = "queuePort", env = "LINARITE_QUEUE_PORT")]
    queue_port: Option<u16>,
    /// The port for tables [default: 10002]
    #[arg(long, alias = "tablePort", env = "LINARITE_TABLE_PORT")]
    table_port: Option<u16>,
    /// The port for /metrics, /healthz and the administration of this machine [default: 10003]
    #[arg(long, alias = "adminPort", env = "LINARITE_ADMIN_PORT")]
    admin_port: Option<u16>,
    /// An account, as NAME:KEY[:KEY2] with keys in Base64; may be repeated. Replaces the development account
    #[arg(
        long = "account",
        env = "LINARITE_ACCOUNTS",
        hide_env_values = true,
        value_name = "NAME:KEY[:KEY2]",
        value_delimiter = ';'
    )]
    #[serde(default, deserialize_with = "one_or_many")]
    account: Option<Vec<String>>,
    /// Serves TLS (HTTPS, HTTP/2). Without --cert, with a certificate of a local authority made at the first start
    #[arg(long, env = "LINARITE_TLS", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    tls: Option<bool>,
    /// Another host name or address that clients use, for the local authority's certificate; may be repeated
    #[arg(long, env = "LINARITE_TLS_NAME", value_name = "NAME", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    tls_name: Option<Vec<String>>,
    /// Serves TLS with this certificate, a PEM file with its chain; read again when it changes and on SIGHUP
    #[arg(long, env = "LINARITE_CERT", value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The certificate's private key, a PEM file
    #[arg(long, env = "LINARITE_KEY", value_name = "FILE")]
    key: Option<PathBuf>,
    /// An account whose containers nobody may read without credentials, whatever they say; may be repeated
    #[arg(
        long = "private-account",
        env = "LINARITE_PRIVATE_ACCOUNT",
        value_name = "NAME",
        value_delimiter = ';'
    )]
    #[serde(default, deserialize_with = "one_or_many")]
    private_account: Option<Vec<String>>,
    /// When a write is acknowledged [default: sync]
    #[arg(long, env = "LINARITE_DURABILITY", value_enum)]
    durability: Option<DurabilityName>,
    /// Memory for records read from disk, in MiB [default: 64]
    #[arg(long, env = "LINARITE_CACHE_MIB")]
    cache_mib: Option<usize>,
    /// How many connections may be open at once [default: 4096]
    #[arg(long, env = "LINARITE_CONNECTIONS_MAX")]
    connections_max: Option<usize>,
    /// How long requests may go on after a signal to stop, in seconds [default: 10]
    #[arg(long, env = "LINARITE_DRAIN_SECONDS")]
    drain_seconds: Option<u64>,
    /// Copies from servers on this machine and in private networks too, for every client that may write a blob
    #[arg(long, env = "LINARITE_COPY_FROM_PRIVATE", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    copy_from_private: Option<bool>,
    /// Writes no line per request
    #[arg(long, short, env = "LINARITE_SILENT", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    silent: Option<bool>,
    #[command(flatten)]
    #[serde(skip)]
    issuer_flags: IssuerFlags,
    #[arg(skip)]
    issuer: Option<Vec<IssuerSettings>>,
    /// Believes tokens as Azurite does, WITHOUT checking who signed them. Anybody can make such a token: for tests only
    #[arg(long, env = "LINARITE_OAUTH", value_enum)]
    oauth: Option<OauthName>,
    /// Takes tokens also over plain HTTP, from this machine
    #[arg(long, env = "LINARITE_OAUTH_OVER_HTTP", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    oauth_over_http: Option<bool>,
}

/// Flags of Azurite that change nothing here, or that we do not have.
#[derive(Debug, Default, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of a command line")]
#[command(next_help_heading = "Understood for the sake of Azurite's command lines")]
struct AzuriteFlags {
    /// Any version is accepted anyway
    #[arg(long = "skipApiVersionCheck", hide = true)]
    skip_api_version_check: bool,
    /// Unknown headers are ignored anyway
    #[arg(long, short = 'L', hide = true)]
    loose: bool,
    /// There is no telemetry
    #[arg(long = "disableTelemetry", hide = true)]
    disable_telemetry: bool,
    /// Path-style addresses are always understood
    #[arg(long = "disableProductStyleUrl", hide = true)]
    disable_product_style_url: bool,
    /// Keeps data in a temporary folder that is removed at the end, unsynced
    #[arg(long = "inMemoryPersistence")]
    in_memory_persistence: bool,
    /// There is no such limit
    #[arg(long = "extentMemoryLimit", hide = true)]
    extent_memory_limit: Option<u64>,
    /// Logs go to standard error
    #[arg(long, short, hide = true)]
    debug: Option<PathBuf>,
    #[arg(long = "blobKeepAliveTimeout", hide = true)]
    blob_keep_alive_timeout: Option<u64>,
    #[arg(long = "queueKeepAliveTimeout", hide = true)]
    queue_keep_alive_timeout: Option<u64>,
    #[arg(long = "tableKeepAliveTimeout", hide = true)]
    table_keep_alive_timeout: Option<u64>,
    #[arg(long, hide = true)]
    pwd: Option<String>,
}

/// The whole configuration, with nothing left open.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) engine: EngineConfig,
    pub(crate) hosts: Hosts,
    pub(crate) blob_port: u16,
    pub(crate) queue_port: u16,
    pub(crate) table_port: u16,
    pub(crate) admin_port: u16,
    pub(crate) accounts: ConfiguredAccounts,
    pub(crate) tokens: TokenSettings,
    pub(crate) tls: Option<TlsSettings>,
    pub(crate) connections_max: usize,
    pub(crate) drain_seconds: u64,
    /// Whether servers on this machine and in private networks may be sources of copies.
    pub(crate) copy_from_private: bool,
    pub(crate) silent: bool,
    /// Whether Azurite's file for logs was asked for, which is not written.
    pub(crate) debug_file_ignored: bool,
    /// The folder of a store that is thrown away at the end.
    pub(crate) temporary: Option<tempfile::TempDir>,
}

impl Config {
    /// Puts flags, environment and file together and checks the whole.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) fn from_flags(flags: Flags) -> Result<Self, String> {
        let Flags { command: _, version: _, config, mut settings, azurite } = flags;
        let mut file = config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let temporary = azurite.judge()?;
        let tokens = token_settings(&mut settings, &mut file)?;
        // Naming every field: one that is added does not compile until it is placed here.
        let Settings {
            disk,
            host,
            blob_host,
            queue_host,
            table_host,
            admin_host,
            blob_port,
            queue_port,
            table_port,
            admin_port,
            account,
            tls,
            tls_name,
            cert,
            key,
            private_account,
            durability,
            cache_mib,
            connections_max,
            drain_seconds,
            copy_from_private,
            silent,
            issuer_flags: _,
            issuer: _,
            oauth: _,
            oauth_over_http: _,
        } = settings;
        let engine = engine_settings(
            disk.or(file.disk),
            durability.or(file.durability),
            cache_mib.or(file.cache_mib),
            temporary.as_ref(),
        )?;
        let services =
            [blob_host.or(file.blob_host), queue_host.or(file.queue_host), table_host.or(file.table_host)];
        let hosts = Hosts::new(host.or(file.host), services, admin_host.or(file.admin_host));
        let tls = tls_settings(
            tls.or(file.tls),
            tls_name.or(file.tls_name),
            [cert.or(file.cert), key.or(file.key)],
            &hosts,
        )?;
        let named = account.or(file.account).or_else(accounts::from_azurite_environment);
        Ok(Self {
            engine,
            hosts,
            blob_port: blob_port.or(file.blob_port).unwrap_or(10_000),
            queue_port: queue_port.or(file.queue_port).unwrap_or(10_001),
            table_port: table_port.or(file.table_port).unwrap_or(10_002),
            admin_port: admin_port.or(file.admin_port).unwrap_or(10_003),
            accounts: ConfiguredAccounts::parse(named)?
                .closed_to_anybody(&private_account.or(file.private_account).unwrap_or_default())?,
            tokens,
            tls,
            connections_max: connections_max.or(file.connections_max).unwrap_or(4096).max(1),
            drain_seconds: drain_seconds.or(file.drain_seconds).unwrap_or(10),
            copy_from_private: copy_from_private.or(file.copy_from_private).unwrap_or(false),
            silent: silent.or(file.silent).unwrap_or(false),
            debug_file_ignored: azurite.debug.is_some(),
            temporary,
        })
    }
}

impl Flags {
    /// The data folder that is meant, for commands that look for the server that has it open.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) fn data_folder(&self) -> Result<PathBuf, String> {
        let named = self.settings.disk.clone();
        let file = || self.config.as_deref().map(read_file).transpose();
        let named = match named {
            Some(named) => Some(named),
            None => file()?.and_then(|file| file.disk),
        };
        let folder = named.unwrap_or_else(|| EngineConfig::default().disks).into_iter().next();
        folder.ok_or_else(|| "no --disk is named".to_owned())
    }
}

/// What the settings of the store come to. A throw-away one need not survive the machine.
fn engine_settings(
    disk: Option<Vec<PathBuf>>,
    durability: Option<DurabilityName>,
    cache_mib: Option<usize>,
    temporary: Option<&tempfile::TempDir>,
) -> Result<EngineConfig, String> {
    let defaults = EngineConfig::default();
    let kept_disks = disk.unwrap_or(defaults.disks);
    let durability = match durability.unwrap_or(DurabilityName::Sync) {
        DurabilityName::Os => Durability::Os,
        DurabilityName::Sync => Durability::Sync,
    };
    let engine = EngineConfig {
        disks: temporary.map_or(kept_disks, |folder| vec![folder.path().to_owned()]),
        durability: if temporary.is_some() { Durability::Os } else { durability },
        cache_bytes: cache_mib.map_or(defaults.cache_bytes, |mib| mib.saturating_mul(1 << 20)),
        segment_bytes: defaults.segment_bytes,
    };
    if engine.disks.len() != 1 {
        return Err("give exactly one --disk; keeping data on several is not built yet".to_owned());
    }
    Ok(engine)
}

/// What the settings of TLS come to; none: no TLS.
fn tls_settings(
    tls: Option<bool>,
    names: Option<Vec<String>>,
    files: [Option<PathBuf>; 2],
    hosts: &Hosts,
) -> Result<Option<TlsSettings>, String> {
    match files {
        [Some(_), Some(_)] if tls == Some(false) => Err("a certificate is given, and TLS is off".to_owned()),
        [Some(_), Some(_)] if names.is_some() => {
            Err("the names of --cert are in it; --tls-name is for the local authority".to_owned())
        }
        [Some(cert), Some(key)] => Ok(Some(TlsSettings::Files { cert, key })),
        [Some(_), None] => Err("--cert needs --key FILE, its private key as PEM".to_owned()),
        [None, Some(_)] => Err("--key needs --cert FILE, its certificate as PEM".to_owned()),
        [None, None] if tls != Some(true) => match names {
            Some(_) => Err("--tls-name needs --tls".to_owned()),
            None => Ok(None),
        },
        [None, None] => {
            let texts = names.unwrap_or_default();
            let names = texts.iter().map(|text| CertificateName::parse(text)).collect::<Result<Vec<_>, _>>();
            let mut names = names.map_err(|error| format!("--tls-name: {error}"))?;
            for host in hosts.services() {
                let name = CertificateName::Address(host);
                if !host.is_unspecified() && !host.is_loopback() && !names.contains(&name) {
                    names.push(name);
                }
            }
            Ok(Some(TlsSettings::Local(names)))
        }
    }
}

/// What the command line, or else the file, says about tokens.
fn token_settings(settings: &mut Settings, file: &mut Settings) -> Result<TokenSettings, String> {
    let issuers = std::mem::take(&mut settings.issuer_flags).into_settings().or_else(|| file.issuer.take());
    let issuers = issuers.unwrap_or_default();
    let unsigned = settings.oauth.or(file.oauth).is_some();
    if unsigned && !issuers.is_empty() {
        return Err("--oauth basic believes everybody's tokens: name no --issuer beside it".to_owned());
    }
    let over_http = settings.oauth_over_http.or(file.oauth_over_http).unwrap_or(false);
    Ok(TokenSettings { unsigned, over_http, issuers })
}

impl AzuriteFlags {
    /// Refuses what we do not have; gives the folder of a store that is to be thrown away.
    fn judge(&self) -> Result<Option<tempfile::TempDir>, String> {
        if self.pwd.is_some() {
            return Err(
                "--pwd is for PKCS#12 files and keys with a passphrase, which are not read: give --cert \
                        and --key as PEM files (`openssl pkcs12 -in FILE.pfx -nodes` makes both)"
                    .to_owned(),
            );
        }
        if !self.in_memory_persistence {
            return Ok(None);
        }
        let folder = tempfile::Builder::new().prefix("linarite-").tempdir();
        folder.map(Some).map_err(|error| format!("cannot make a temporary folder: {error}"))
    }
}

/// What may be repeated on a command line is one value or a list in a file.
fn one_or_many<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany<T> {
        One(T),
        Many(Vec<T>),
    }
    Ok(Some(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(value) => vec![value],
        OneOrMany::Many(values) => values,
    }))
}

#[expect(clippy::disallowed_methods, reason = "the configuration is read before there is a disk")]
fn read_file(path: &Path) -> Result<Settings, String> {
    let unreadable = |error| format!("cannot read {}: {error}", path.display());
    let text = std::io::read_to_string(std::fs::File::open(path).map_err(unreadable)?).map_err(unreadable)?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &[&str]) -> Result<Config, String> {
        let flags =
            Flags::try_parse_from([&["linarite"], arguments].concat()).map_err(|error| error.to_string())?;
        Config::from_flags(flags)
    }

    #[test]
    fn without_arguments_it_is_azurites_ports_and_a_local_folder() {
        let config = config(&[]).unwrap();
        assert_eq!((config.blob_port, config.queue_port, config.table_port), (10_000, 10_001, 10_002));
        assert_eq!(config.engine.disks, [PathBuf::from("linarite-data")]);
        assert_eq!(config.engine.durability, Durability::Sync);
    }

    #[test]
    fn an_azurite_command_line_keeps_working() {
        let line = "--silent --location /tmp/a --blobPort 1 --queuePort 2 --tablePort 3 --skipApiVersionCheck --loose \
                    --disableProductStyleUrl --blobHost 0.0.0.0 --queueHost 0.0.0.0 --tableHost 0.0.0.0";
        let config = config(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
        assert!(config.silent);
        assert_eq!((config.blob_port, config.queue_port, config.table_port), (1, 2, 3));
        assert_eq!(config.engine.disks, [PathBuf::from("/tmp/a")]);
    }

    #[test]
    fn azurites_hosts_are_each_for_their_own_service() {
        let open = |line: &str| {
            let hosts = config(&line.split_whitespace().collect::<Vec<_>>()).unwrap().hosts;
            hosts.services().map(|host| host.is_unspecified())
        };
        assert_eq!(open("--queueHost 0.0.0.0"), [false, true, false]);
        assert_eq!(open("--host 0.0.0.0 --blobHost localhost"), [false, true, true]);
        let refused = config(&["--blobHost", "nowhere.invalid"]).unwrap_err();
        assert!(refused.contains("--blob-host") && refused.contains("nowhere.invalid"), "{refused}");
    }

    #[test]
    fn what_would_only_seem_safe_is_refused() {
        assert!(config(&["--oauth", "none"]).is_err());
        assert!(config(&["--oauth", "basic", "--issuer", "https://id.example"]).is_err());
        assert!(config(&["--issuer-keys", "keys.json"]).is_err());
        assert!(config(&["--cert", "a.pfx", "--pwd", "p"]).unwrap_err().contains("PEM"));
        assert!(config(&["--cert", "a.pem"]).unwrap_err().contains("--key"));
        assert!(config(&["--key", "a.pem"]).unwrap_err().contains("--cert"));
        assert!(config(&["--tls-name", "a.test"]).unwrap_err().contains("--tls"));
        assert!(config(&["--tls", "--tls-name", "*.test"]).is_err());
        assert!(config(&["--cert", "a", "--key", "b", "--tls-name", "a.test"]).is_err());
        assert!(config(&["--account", "bad"]).is_err());
        assert!(config(&["--disk", "a", "--disk", "b"]).is_err());
    }

    #[test]
    fn issuers_are_tables_of_the_file_or_one_on_the_command_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("linarite.toml");
        let text = "oauth-over-http = true\n[[issuer]]\nurl = \"https://a\"\nkeys = \"k\"\n[[issuer]]\nurl = \"b\"\ntenant = \"t\"\n";
        std::fs::write(&path, text).unwrap();
        let text = path.to_str().unwrap();
        let urls =
            |config: Config| config.tokens.issuers.into_iter().map(|issuer| issuer.url).collect::<Vec<_>>();
        let config = config(&["--config", text]).unwrap();
        assert!(config.tokens.over_http && !config.tokens.unsigned);
        assert_eq!(urls(config), ["https://a", "b"]);
        assert_eq!(urls(self::config(&["--config", text, "--issuer", "c"]).unwrap()), ["c"]);
        assert!(self::config(&["--oauth", "basic"]).unwrap().tokens.unsigned);
        std::fs::write(&path, "[[issuer]]\nurl = \"a\"\nkey = \"k\"\n").unwrap();
        assert!(self::config(&["--config", text]).is_err());
    }

    #[test]
    fn tls_comes_from_files_or_from_the_local_authority() {
        assert_eq!(config(&[]).unwrap().tls, None);
        let (cert, key) = (PathBuf::from("a"), PathBuf::from("b"));
        let files = Some(TlsSettings::Files { cert, key });
        assert_eq!(config(&["--cert", "a", "--key", "b"]).unwrap().tls, files);
        assert_eq!(config(&["--tls", "--cert", "a", "--key", "b"]).unwrap().tls, files);
        let names = |names: &[&str]| names.iter().map(|name| CertificateName::parse(name).unwrap()).collect();
        assert_eq!(config(&["--tls"]).unwrap().tls, Some(TlsSettings::Local(Vec::new())));
        let line = ["--tls", "--tls-name", "azure.test,10.0.0.1", "--host", "10.0.0.2"];
        assert_eq!(
            config(&line).unwrap().tls,
            Some(TlsSettings::Local(names(&["azure.test", "10.0.0.1", "10.0.0.2"])))
        );
    }

    #[test]
    fn commands_find_the_folder_that_the_server_was_given() {
        let folder = |line: &[&str]| {
            Flags::try_parse_from([&["linarite"], line].concat()).unwrap().data_folder().unwrap()
        };
        assert_eq!(folder(&["trust"]), PathBuf::from("linarite-data"));
        for line in [["--disk", "/d", "account", "list"], ["account", "list", "--data", "/d"]] {
            assert_eq!(folder(&line), PathBuf::from("/d"));
        }
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_knows_no_other_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("linarite.toml");
        std::fs::write(&path, "blob-port = 7\nqueue-port = 8\ndurability = \"os\"\ndisk = \"/a\"\n").unwrap();
        let text = path.to_str().unwrap();
        let config = config(&["--config", text, "--blob-port", "9"]).unwrap();
        assert_eq!((config.blob_port, config.queue_port, config.table_port), (9, 8, 10_002));
        assert_eq!(config.engine.durability, Durability::Os);
        assert_eq!(config.engine.disks, [PathBuf::from("/a")]);
        std::fs::write(&path, "blobPort = 7\n").unwrap();
        assert!(self::config(&["--config", text]).is_err());
    }
}
