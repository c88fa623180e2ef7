//! Making an account SAS: a query string that lets its holder do some things for some time, signed with an account's
//! key. Page "Create an account SAS". The server is not asked; whoever has the key can do this anywhere.

use api::time::{iso8601, parse_iso8601};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;
use storage_engine::clock::Timestamp;

/// The version of the rules by which the token is made and read: the newest there is.
const SIGNED_VERSION: &str = "2026-10-06";
/// Permissions in the order in which the service wants them.
const PERMISSIONS: &str = "rwdxylacuptfi";
const SERVICES: &str = "bqt";
const RESOURCE_TYPES: &str = "sco";

/// What the token allows.
#[derive(Debug, Clone, Args)]
pub(crate) struct SasTerms {
    /// For which services: b (blobs), q (queues), t (tables)
    #[arg(long, value_name = "LETTERS", default_value = SERVICES, value_parser = letters_of(SERVICES))]
    services: String,
    /// On what: s (service), c (containers, queues, tables), o (blobs, messages, entities)
    #[arg(long, value_name = "LETTERS", default_value = RESOURCE_TYPES, value_parser = letters_of(RESOURCE_TYPES))]
    types: String,
    /// What for: r read, w write, d delete, x delete versions, y delete for good, l list, a add, c create, u update,
    /// p process, t tags, f find by tags, i immutability
    #[arg(long, value_name = "LETTERS", value_parser = letters_of(PERMISSIONS))]
    permissions: String,
    /// How long from now: a number and s, m, h or d
    #[arg(long, value_name = "TIME", default_value = "1h", conflicts_with = "expiry", value_parser = duration)]
    expires_in: Duration,
    /// Until when, in UTC: YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ
    #[arg(long, value_name = "DATE", value_parser = date)]
    expiry: Option<String>,
    /// From when on, in UTC [default: now]
    #[arg(long, value_name = "DATE", value_parser = date)]
    start: Option<String>,
    /// From which IPv4 address, or which to which (A-B)
    #[arg(long, value_name = "ADDRESS", value_parser = addresses)]
    ip: Option<String>,
    /// Only over HTTPS
    #[arg(long)]
    https_only: bool,
}

impl SasTerms {
    /// The token, without a `?`.
    ///
    /// # Errors
    /// A sentence for the user: nobody could ever use it.
    pub(super) fn sign(&self, account: &str, key: &[u8], now: Timestamp) -> Result<String, String> {
        let expiry = self.expiry.clone().unwrap_or_else(|| in_seconds(now.after(self.expires_in)));
        let start = self.start.as_deref().unwrap_or_default();
        let end = parse_iso8601(&expiry);
        if end <= Some(now) {
            return Err(format!("the token would have expired already: it ends {expiry}"));
        }
        if !start.is_empty() && parse_iso8601(start) >= end {
            return Err(format!("the token would end ({expiry}) before it begins ({start})"));
        }
        let ip = self.ip.as_deref().unwrap_or_default();
        let protocol = if self.https_only { "https" } else { "https,http" };
        let Self { services, types, permissions, .. } = self;
        // The last line is the encryption scope, which these tokens never have.
        let to_sign =
            [account, permissions, services, types, start, &expiry, ip, protocol, SIGNED_VERSION, ""];
        let signature = signature(key, &(to_sign.join("\n") + "\n"));
        let fields = [
            ("sv", SIGNED_VERSION),
            ("ss", services),
            ("srt", types),
            ("sp", permissions),
            ("st", start),
            ("se", &expiry),
            ("sip", ip),
            ("spr", protocol),
            ("sig", &signature),
        ];
        let given = fields.into_iter().filter(|(_, value)| !value.is_empty());
        Ok(given.map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&"))
    }
}

fn signature(key: &[u8], text: &str) -> String {
    // HMAC takes keys of any length, so there is no other case.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// A value as a query has it.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// A moment as tokens spell it: whole seconds.
fn in_seconds(time: Timestamp) -> String {
    let text = iso8601(time);
    text.split_once('.').map_or_else(|| text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// A reader of letters that must be among `known`; gives them in the order of `known`, each once.
fn letters_of(known: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync {
    move |text| match text.chars().find(|letter| !known.contains(*letter)) {
        Some(letter) => Err(format!("'{letter}' is none of {known}")),
        None if text.is_empty() => Err(format!("give some of {known}")),
        None => Ok(known.chars().filter(|letter| text.contains(*letter)).collect()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no time: give a number and s, m, h or d");
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    number.checked_mul(seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs).ok_or_else(wrong)
}

/// A date, as it is given: the text is what is signed.
fn date(text: &str) -> Result<String, String> {
    let spelled = text.len() == 10 || text.ends_with('Z');
    match parse_iso8601(text) {
        Some(_) if spelled => Ok(text.to_owned()),
        _ => Err(format!("'{text}' is no date: give YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ")),
    }
}

fn addresses(text: &str) -> Result<String, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse::<Ipv4Addr>(), last.parse::<Ipv4Addr>()) {
        (Ok(first), Ok(last)) if first <= last => Ok(text.to_owned()),
        _ => Err(format!("'{text}' is neither an IPv4 address nor a range of them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        terms: SasTerms,
    }

    fn token(line: &str) -> Result<String, String> {
        let words = ["sas"].into_iter().chain(line.split_whitespace());
        let Line { terms } = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        let now = parse_iso8601("2026-11-22T01:02:03.5Z").unwrap();
        terms.sign("account", b"key", now)
    }

    #[test]
    fn a_token_says_what_it_allows_and_is_signed() {
        let token =
            token("--permissions lr --services tb --types os --https-only --ip 10.0.0.1-10.0.0.9").unwrap();
        let (terms, signature) = token.split_once("&sig=").unwrap();
        assert_eq!(
            terms,
            "sv=2026-10-06&ss=bt&srt=so&sp=rl&se=2026-11-22T02%3A02%3A03Z&sip=10.0.0.1-10.0.0.9&spr=https"
        );
        let text = "account\nrl\nbt\nso\n\n2026-11-22T02:02:03Z\n10.0.0.1-10.0.0.9\nhttps\n2026-10-06\n\n";
        assert_eq!(signature, escaped(&super::signature(b"key", text)));
    }

    #[test]
    fn times_are_spans_or_dates() {
        assert!(token("--permissions r --expires-in 90m").unwrap().contains("se=2026-11-22T02%3A32%3A03Z"));
        assert!(token("--permissions r --expiry 2030-01-01").unwrap().contains("se=2030-01-01&"));
        let line = "--permissions r --start 2026-01-01T00:00:00Z --expiry 2030-01-01T00:00:00Z";
        assert!(token(line).unwrap().contains("st=2026-01-01T00%3A00%3A00Z&se=2030-01-01T00%3A00%3A00Z&"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            "",
            "--permissions z",
            "--permissions r --services f",
            "--permissions r --expires-in 1w",
            "--permissions r --expires-in 0s",
            "--permissions r --expires-in é",
            "--permissions r --expires-in 1h --expiry 2030-01-01",
            "--permissions r --expiry tomorrow",
            "--permissions r --expiry 2026-11-22",
            "--permissions r --expiry 2026-11-22T01:02:03Z",
            "--permissions r --start 2030-01-01",
            "--permissions r --start 2030-01-01 --expiry 2030-01-01T00:00:00Z",
            "--permissions r --ip 10.0.0.9-10.0.0.1",
            "--permissions r --ip ::1",
        ] {
            assert!(token(bad).is_err(), "{bad}");
        }
    }
}
