//! `SharedKey` signatures of the generator's own.
//!
//! Nothing here is shared with the `api` crate: were the two built on one function, a mistake in it would
//! cancel out and the generator would gladly drive a server that no real client can talk to. The two forms
//! are the vendor's: blob and queue sign the standard headers, the `x-ms-` headers and every query
//! parameter; table signs four lines and at most `comp`.
//!
//! A signature allocates nothing: the text to sign is assembled in a string that the caller keeps, and goes
//! in one piece into a copy of the keyed digest, whose key schedule was paid for once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// Which of the two texts a service wants signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Blob and queue: all `x-ms-` headers and all query parameters.
    Full,
    /// Table: method, checksum, type, date, path, and `comp` of the query.
    Table,
}

/// What of a request goes into its signature.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signable<'a> {
    /// The method in capitals.
    pub(crate) method: &'a str,
    /// The path as sent, percent-encoded, without the query.
    pub(crate) path: &'a str,
    /// Query parameters in the order of their lower-case names, values decoded.
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// Headers in the order of their lower-case names, without `x-ms-date` and `x-ms-version`.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// The value of `x-ms-date`.
    pub(crate) date: &'a str,
    /// The value of `x-ms-version`.
    pub(crate) version: &'a str,
    /// Bytes of the body.
    pub(crate) body_bytes: usize,
}

/// An account's name and its key, ready to sign.
#[derive(Clone)]
pub(crate) struct Signer {
    account: String,
    keyed: Hmac<Sha256>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("account", &self.account).finish_non_exhaustive()
    }
}

impl Signer {
    /// Decodes `key` (Base64, as the portal and connection strings show it) for `account`.
    pub(crate) fn new(account: &str, key: &str) -> Result<Self, String> {
        let key = STANDARD.decode(key).map_err(|error| format!("the account key is not Base64: {error}"))?;
        let keyed = Hmac::new_from_slice(&key).map_err(|error| format!("the account key: {error}"))?;
        Ok(Self { account: account.to_owned(), keyed })
    }

    /// The account that signs.
    #[cfg(test)]
    pub(crate) fn account(&self) -> &str {
        &self.account
    }

    /// Appends the value of the `Authorization` header of a request to `target`; `text` is room to work in.
    pub(crate) fn authorize(
        &self,
        form: Form,
        request: &Signable<'_>,
        text: &mut String,
        target: &mut Vec<u8>,
    ) {
        text.clear();
        string_to_sign(form, &self.account, request, text);
        let mut digest = self.keyed.clone();
        digest.update(text.as_bytes());
        // The signed text is done with; its room takes the signature.
        text.clear();
        STANDARD.encode_string(digest.finalize().into_bytes(), text);
        for piece in ["SharedKey ", &self.account, ":", text] {
            target.extend_from_slice(piece.as_bytes());
        }
    }
}

fn string_to_sign(form: Form, account: &str, request: &Signable<'_>, text: &mut String) {
    match form {
        Form::Full => full_text(account, request, text),
        Form::Table => table_text(account, request, text),
    }
}

fn full_text(account: &str, request: &Signable<'_>, text: &mut String) {
    let header = |name: &str| header_value(request.headers, name);
    for line in [request.method, header("content-encoding"), header("content-language")] {
        text.push_str(line);
        text.push('\n');
    }
    if request.body_bytes > 0 {
        // Writing into a String cannot fail.
        write!(text, "{}", request.body_bytes).ok();
    }
    text.push('\n');
    let rest = [
        header("content-md5"),
        header("content-type"),
        "", // Date: x-ms-date takes its place
        header("if-modified-since"),
        header("if-match"),
        header("if-none-match"),
        header("if-unmodified-since"),
        header("range"),
    ];
    for line in rest {
        text.push_str(line);
        text.push('\n');
    }
    vendor_headers(request, text);
    resource(account, request.path, text);
    for (name, value) in request.query {
        for piece in ["\n", name, ":", value] {
            text.push_str(piece);
        }
    }
}

fn table_text(account: &str, request: &Signable<'_>, text: &mut String) {
    let md5 = header_value(request.headers, "content-md5");
    let media = header_value(request.headers, "content-type");
    for line in [request.method, md5, media, request.date] {
        text.push_str(line);
        text.push('\n');
    }
    resource(account, request.path, text);
    if let Some((_, value)) = request.query.iter().find(|(name, _)| *name == "comp") {
        text.push_str("?comp=");
        text.push_str(value);
    }
}

/// Appends the `x-ms-` headers in order, with the two that every request carries merged into their places.
fn vendor_headers(request: &Signable<'_>, text: &mut String) {
    let mut common = [("x-ms-date", request.date), ("x-ms-version", request.version)].into_iter().peekable();
    let mut own = request.headers.iter().copied().filter(|(name, _)| name.starts_with("x-ms-")).peekable();
    while let Some((name, value)) = match (common.peek(), own.peek()) {
        (Some(first), Some(second)) if second.0 < first.0 => own.next(),
        (Some(_), _) => common.next(),
        (None, _) => own.next(),
    } {
        for piece in [name, ":", value, "\n"] {
            text.push_str(piece);
        }
    }
}

fn resource(account: &str, path: &str, text: &mut String) {
    for piece in ["/", account, path] {
        text.push_str(piece);
    }
}

fn header_value<'a>(headers: &[(&'a str, &'a str)], wanted: &str) -> &'a str {
    headers.iter().find(|(name, _)| *name == wanted).map_or("", |(_, value)| value)
}

/// The current date as headers spell it; the text is rewritten only when the second changes.
#[derive(Debug, Default)]
pub(crate) struct DateLine {
    second: u64,
    text: String,
}

impl DateLine {
    /// The date of now.
    pub(crate) fn now(&mut self) -> &str {
        let second = since_epoch().as_secs();
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = rfc1123(second);
        }
        &self.text
    }
}

/// The time since 1970.
#[expect(clippy::disallowed_methods, reason = "signatures carry the real date; no engine is involved")]
pub(crate) fn since_epoch() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Spells a moment, in seconds since 1970, the way of RFC 1123: `Thu, 01 Jan 1970 00:00:00 GMT`.
pub(crate) fn rfc1123(second: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, clock) = (second / 86_400, second % 86_400);
    // Days are counted from 1 March of year 0, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12;
    let year = year_of_era + era * 400 + u64::from(month < 2);
    let named = |names: &[&'static str], index: u64| {
        usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
    };
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        named(&DAYS, days % 7),
        named(&MONTHS, month),
        clock / 3_600,
        clock / 60 % 60,
        clock % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    const DATE: &str = "Fri, 26 Jun 2015 23:39:12 GMT";

    fn text(form: Form, request: &Signable<'_>) -> String {
        let mut text = String::new();
        string_to_sign(form, "devstoreaccount1", request, &mut text);
        text
    }

    fn put_blob() -> Signable<'static> {
        Signable {
            method: "PUT",
            path: "/devstoreaccount1/c/b",
            query: &[("comp", "block"), ("timeout", "30")],
            headers: &[
                ("content-type", "text/plain"),
                ("x-ms-blob-type", "BlockBlob"),
                ("x-ms-meta-a", "1"),
                ("x-ms-z", ""),
            ],
            date: DATE,
            version: "2021-12-02",
            body_bytes: 11,
        }
    }

    fn insert_entity() -> Signable<'static> {
        Signable {
            method: "POST",
            path: "/devstoreaccount1/t",
            query: &[("comp", "acl"), ("timeout", "30")],
            headers: &[("accept", "application/json"), ("content-type", "application/json")],
            date: DATE,
            version: "2019-02-02",
            body_bytes: 5,
        }
    }

    #[test]
    fn blob_text_has_the_documented_lines() {
        assert_eq!(
            text(Form::Full, &put_blob()),
            "PUT\n\n\n11\n\ntext/plain\n\n\n\n\n\n\nx-ms-blob-type:BlockBlob\n\
             x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-meta-a:1\nx-ms-version:2021-12-02\nx-ms-z:\n\
             /devstoreaccount1/devstoreaccount1/c/b\ncomp:block\ntimeout:30"
        );
    }

    #[test]
    fn an_empty_body_signs_no_length() {
        let request = Signable { body_bytes: 0, ..put_blob() };
        assert!(text(Form::Full, &request).starts_with("PUT\n\n\n\n\ntext/plain\n"));
    }

    #[test]
    fn table_text_signs_the_date_and_only_comp() {
        assert_eq!(
            text(Form::Table, &insert_entity()),
            "POST\n\napplication/json\nFri, 26 Jun 2015 23:39:12 GMT\n\
             /devstoreaccount1/devstoreaccount1/t?comp=acl"
        );
    }

    fn authorization(signer: &Signer, form: Form, request: &Signable<'_>) -> String {
        let (mut text, mut value) = ("left from before".to_owned(), Vec::new());
        signer.authorize(form, request, &mut text, &mut value);
        String::from_utf8(value).unwrap()
    }

    // Both vectors were made with another language's HMAC from the texts of the tests above.
    #[test]
    fn signatures_match_vectors_made_elsewhere() {
        let signer = Signer::new("devstoreaccount1", KEY).unwrap();
        assert_eq!(
            authorization(&signer, Form::Full, &put_blob()),
            "SharedKey devstoreaccount1:yw8UWjLMIiLMwLs6EsoUvmYshUwfgrt0xSMFNdx5rn4="
        );
        assert_eq!(
            authorization(&signer, Form::Table, &insert_entity()),
            "SharedKey devstoreaccount1:r0a5hr/YCBD9PjoALGyBEIQr2L4vmScV7+KDhs54dek="
        );
    }

    #[test]
    fn a_key_that_is_not_base64_is_refused() {
        assert!(Signer::new("a", "not base64!").is_err());
    }

    #[test]
    fn dates_are_spelled_as_headers_want_them() {
        assert_eq!(rfc1123(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(rfc1123(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(rfc1123(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(rfc1123(1_709_251_199), "Thu, 29 Feb 2024 23:59:59 GMT");
        assert_eq!(rfc1123(4_107_542_400), "Mon, 01 Mar 2100 00:00:00 GMT");
    }
}
