//! `SharedKey`, written a second time.
//!
//! The server has its own code for the same strings. This one was written from the protocol description without
//! looking at the other, so that a shared misunderstanding needs two mistakes. It covers what a test client needs:
//! version 2015-02-21 and newer, every `x-ms-` header once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What the signature of one request covers.
pub(crate) struct Signable<'a> {
    pub(crate) method: &'a str,
    /// The request target as sent: encoded path and query.
    pub(crate) target: &'a str,
    pub(crate) headers: &'a [(String, String)],
}

impl Signable<'_> {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    fn path_and_query(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((self.target, ""))
    }

    /// The `Authorization` header of a blob or queue request.
    pub(crate) fn for_blob_or_queue(&self, account: &str, key: &[u8]) -> String {
        let length = match self.header("content-length") {
            "0" => "",
            other => other,
        };
        let date = if self.header("x-ms-date").is_empty() { self.header("date") } else { "" };
        let mut text = format!("{}\n", self.method);
        for part in [
            self.header("content-encoding"),
            self.header("content-language"),
            length,
            self.header("content-md5"),
            self.header("content-type"),
            date,
            self.header("if-modified-since"),
            self.header("if-match"),
            self.header("if-none-match"),
            self.header("if-unmodified-since"),
            self.header("range"),
        ] {
            text.push_str(part);
            text.push('\n');
        }
        text.push_str(&self.canonical_headers());
        text.push_str(&self.canonical_resource(account));
        authorization(account, key, &text)
    }

    /// The `Authorization` header of a table request.
    pub(crate) fn for_table(&self, account: &str, key: &[u8]) -> String {
        let (path, query) = self.path_and_query();
        let mut resource = format!("/{account}{path}");
        if let Some(comp) = query.split('&').find(|pair| pair.starts_with("comp=")) {
            resource.push('?');
            resource.push_str(comp);
        }
        let date = match self.header("x-ms-date") {
            "" => self.header("date"),
            date => date,
        };
        let (md5, kind) = (self.header("content-md5"), self.header("content-type"));
        authorization(account, key, &format!("{}\n{md5}\n{kind}\n{date}\n{resource}", self.method))
    }

    fn canonical_headers(&self) -> String {
        let mut own: Vec<(String, String)> = Vec::new();
        for (name, value) in self.headers {
            let name = name.to_ascii_lowercase();
            if name.starts_with("x-ms-") {
                own.push((name, value.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
        }
        own.sort();
        own.iter().fold(String::new(), |text, (name, value)| text + name + ":" + value + "\n")
    }

    fn canonical_resource(&self, account: &str) -> String {
        let (path, query) = self.path_and_query();
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((percent_decoded(name).to_ascii_lowercase(), percent_decoded(value)));
        }
        pairs.sort();
        let mut text = format!("/{account}{path}");
        let mut previous = None;
        for (name, value) in pairs {
            if previous.as_ref() == Some(&name) {
                text.push(',');
            } else {
                text.push('\n');
                text.push_str(&name);
                text.push(':');
            }
            text.push_str(&value);
            previous = Some(name);
        }
        text
    }
}

fn authorization(account: &str, key: &[u8], text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    format!("SharedKey {account}:{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// Percent-decoding; a plus stays a plus, and an escape that is none stays as it is.
pub(crate) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], escape) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Percent-encoding of everything but unreserved characters, for one path segment or query value.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&format!("{byte:02X}"));
        }
    }
    encoded
}

/// The date of an HTTP header, from seconds since 1970.
pub(crate) fn http_date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days to a date, counting years from March so that the leap day comes last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = year_of_era + era * 400 + u64::from(month < 2);
    let weekday = usize::try_from(days % 7).expect("below seven");
    let month = usize::try_from(month).expect("below twelve");
    format!(
        "{}, {day:02} {} {year} {:02}:{:02}:{:02} GMT",
        DAYS[weekday],
        MONTHS[month],
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// The same moment as documents have it: `2026-01-02T03:04:05Z`.
pub(crate) fn iso_date(seconds: u64) -> String {
    let text = http_date(seconds);
    let words: Vec<&str> = text.split(' ').collect();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|month| *month == words[2]).expect("a month") + 1;
    format!("{}-{month:02}-{}T{}Z", words[3], words[1], words[4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(http_date(1_767_225_599), "Wed, 31 Dec 2025 23:59:59 GMT");
        assert_eq!(iso_date(951_782_400), "2000-02-29T00:00:00Z");
    }

    #[test]
    fn query_parameters_are_decoded_sorted_and_joined() {
        let headers = Vec::new();
        let signable = Signable {
            method: "GET",
            target: "/a/c?restype=container&Comp=list&x=2&x=1%2C",
            headers: &headers,
        };
        assert_eq!(signable.canonical_resource("a"), "/a/a/c\ncomp:list\nrestype:container\nx:1,,2");
    }
}
