//! A request without its body, parsed once. Operations read it through typed getters, so that a wrong header
//! is refused in the same words everywhere.

mod headers;

use crate::auth::Caller;
use crate::error::{ErrorCode, StorageError, secret};
use crate::header;
use crate::query::Query;
use crate::target::{ServiceKind, Target};
use crate::version::Version;
pub use headers::Headers;
use std::net::SocketAddr;
use storage_engine::clock::Timestamp;
use storage_engine::name::{AccountName, NameError};

/// Most bytes of all headers' names and values: room for 8 KiB of metadata and long tokens.
const HEADERS_BYTES_MAX: usize = 64 << 10;

/// How a request came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrival {
    /// Who sent it.
    pub peer: Option<SocketAddr>,
    /// Whether it came over TLS.
    pub secure: bool,
}

/// A request without its body.
#[derive(Debug)]
pub struct Head {
    /// The verb; for a table's POST with `X-HTTP-Method`, the one meant.
    pub method: http::Method,
    /// The verb that was sent, which is signed.
    pub sent_method: http::Method,
    /// What the address means.
    pub target: Target,
    /// The account of the address.
    pub account: AccountName,
    /// The path as it was sent, which is signed.
    pub path: String,
    /// The query.
    pub query: Query,
    /// All headers.
    pub headers: Headers,
    /// The protocol's version.
    pub version: Version,
    /// Our id of the request.
    pub request_id: String,
    /// When the request came.
    pub received: Timestamp,
    /// How it came.
    pub arrival: Arrival,
    /// Who sent it, and what of it is allowed to them. Nobody, until that is proved.
    pub caller: Caller,
}

impl Head {
    /// Reads a request's head. `service` is that of the port that the request came to.
    ///
    /// # Errors
    /// What is wrong with the address, the version, or the verb that a POST stands for.
    pub fn read(
        service: ServiceKind,
        arrival: Arrival,
        mut parts: http::request::Parts,
        request_id: &str,
        received: Timestamp,
    ) -> Result<Self, StorageError> {
        hide_secrets(&mut parts.headers);
        let spelling = parts.extensions.remove().unwrap_or_default();
        let headers = Headers::from(parts.headers).spelled(spelling);
        let head_bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if head_bytes > HEADERS_BYTES_MAX {
            return Err(StorageError::new(ErrorCode::InvalidInput).caused_by("the headers are too large"));
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or(parts.uri.host());
        let target = Target::parse(service, host, parts.uri.path())?;
        let account =
            AccountName::parse(&target.account).map_err(|_| StorageError::new(ErrorCode::AccountNotFound))?;
        let query = Query::parse(parts.uri.query().unwrap_or_default())?;
        let target = target.in_query(&query);
        let version = Version::of_request(&headers, &query)?;
        Ok(Self {
            method: meant_method(&target, &parts.method, &headers)?,
            sent_method: parts.method,
            account,
            path: parts.uri.path().to_owned(),
            query,
            target,
            headers,
            version,
            request_id: request_id.to_owned(),
            received,
            arrival,
            caller: Caller::default(),
        })
    }

    /// The header's value, without white space around it; none if it is missing or empty.
    ///
    /// # Errors
    /// `InvalidHeaderValue` if it is not visible ASCII or occurs twice.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, StorageError> {
        let mut values = self.headers.get_all(name).into_iter().flatten();
        let Some(value) = values.next() else { return Ok(None) };
        let text = value.to_str().map_err(|_| StorageError::invalid_header(name, "?"))?.trim();
        if values.next().is_some() {
            return Err(StorageError::invalid_header(name, text));
        }
        Ok((!text.is_empty()).then_some(text))
    }

    /// The header's value.
    ///
    /// # Errors
    /// `MissingRequiredHeader`, or as [`Head::text`].
    pub fn required(&self, name: &'static str) -> Result<&str, StorageError> {
        self.text(name)?.ok_or_else(|| StorageError::missing_header(name))
    }

    /// Refuses, by this code, a request that has one of these headers.
    ///
    /// # Errors
    /// The code, with the header's name.
    pub fn refuse(&self, names: &[&'static str], code: ErrorCode) -> Result<(), StorageError> {
        match names.iter().find(|name| self.headers.contains_key(name)) {
            Some(name) => Err(StorageError::new(code).with("HeaderName", *name)),
            None => Ok(()),
        }
    }

    /// The header's number.
    ///
    /// # Errors
    /// `InvalidHeaderValue` if it is not one.
    pub fn number(&self, name: &'static str) -> Result<Option<u64>, StorageError> {
        let parse = |text: &str| text.parse().map_err(|_| StorageError::invalid_header(name, text));
        self.text(name)?.map(parse).transpose()
    }

    /// Whether the header says `true`; a missing one says `false`.
    ///
    /// # Errors
    /// `InvalidHeaderValue` for any other word.
    pub fn flag(&self, name: &'static str) -> Result<bool, StorageError> {
        match self.text(name)? {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(StorageError::invalid_header(name, text)),
        }
    }

    /// The query parameter's number, which must be in the range, both ends included; none if it is missing.
    ///
    /// # Errors
    /// `InvalidQueryParameterValue` if it is no number, `OutOfRangeQueryParameterValue` outside the range.
    pub fn query_number(
        &self,
        name: &'static str,
        minimum: i64,
        maximum: i64,
    ) -> Result<Option<i64>, StorageError> {
        let Some(text) = self.query.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        let number: i64 = text
            .parse()
            .map_err(|_| StorageError::invalid_query(name, text, "The value is not an integer."))?;
        if !(minimum..=maximum).contains(&number) {
            return Err(StorageError::out_of_range_query(name, text, minimum, maximum));
        }
        Ok(Some(number))
    }

    /// `maxresults` of listings: 1 to `most`; larger numbers count as `most`, as they do on the service.
    ///
    /// # Errors
    /// As [`Head::query_number`].
    pub fn max_results(&self, most: usize) -> Result<usize, StorageError> {
        let asked = self.query_number("maxresults", 1, i64::from(i32::MAX))?;
        Ok(asked.and_then(|asked| usize::try_from(asked).ok()).map_or(most, |asked| asked.min(most)))
    }

    /// The body's length in bytes, if it is said.
    ///
    /// # Errors
    /// `InvalidHeaderValue` if it is not a number.
    pub fn content_length(&self) -> Result<Option<u64>, StorageError> {
        self.number(header::CONTENT_LENGTH)
    }

    /// The address of the service as this client spells it, with a `/` at its end: what listings and entities
    /// give as their own address.
    pub fn endpoint(&self) -> String {
        let host = self.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        let scheme = if self.arrival.secure { "https" } else { "http" };
        if self.target.host_style {
            format!("{scheme}://{host}/")
        } else {
            format!("{scheme}://{host}/{}/", self.target.account)
        }
    }

    /// `InvalidResourceName`, for a name that breaks its rules; `OutOfRangeInput` if its length does, in the words that
    /// clients look for.
    pub fn invalid_name(error: NameError) -> StorageError {
        match error {
            NameError::Length => {
                let mut error = StorageError::new(ErrorCode::OutOfRangeInput);
                error.message = Some(
                    "The specified resource name length is not within the permissible limits.".to_owned(),
                );
                error
            }
            NameError::Characters => StorageError::new(ErrorCode::InvalidResourceName),
        }
    }
}

/// Has values that open doors printed as such only, whoever prints the headers.
pub(crate) fn hide_secrets(headers: &mut http::HeaderMap) {
    let with_signature = [header::X_MS_COPY_SOURCE, header::X_MS_PREVIOUS_SNAPSHOT_URL];
    for (name, value) in headers.iter_mut() {
        if secret::is_header(name.as_str()) || with_signature.contains(&name.as_str()) {
            value.set_sensitive(true);
        }
    }
}

/// The verb that a request means: that of `X-HTTP-Method` for a table's POST.
///
/// # Errors
/// Those of `X-HTTP-Method`: on another verb than POST, twice, or with a verb that is none.
pub(crate) fn meant_method(
    target: &Target,
    sent: &http::Method,
    headers: &Headers,
) -> Result<http::Method, StorageError> {
    let mut values = headers.get_all(header::X_HTTP_METHOD).into_iter().flatten();
    let Some(value) = values.next().filter(|_| target.service == ServiceKind::Table) else {
        return Ok(sent.clone());
    };
    if *sent != http::Method::POST {
        return Err(StorageError::new(ErrorCode::XMethodNotUsingPost));
    }
    if values.next().is_some() {
        return Err(StorageError::new(ErrorCode::XMethodIncorrectCount));
    }
    match value.as_bytes() {
        b"PUT" => Ok(http::Method::PUT),
        b"DELETE" => Ok(http::Method::DELETE),
        b"PATCH" => Ok(http::Method::PATCH),
        b"MERGE" => http::Method::from_bytes(b"MERGE")
            .map_err(|_| StorageError::new(ErrorCode::XMethodIncorrectValue)),
        _ => Err(StorageError::new(ErrorCode::XMethodIncorrectValue)),
    }
}
