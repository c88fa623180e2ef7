//! Errors as a client sees them.
//!
//! A [`StorageError`] is a code of the table plus what the protocol adds for that case (the header that is
//! wrong, the limit that is exceeded). What the engine or the wire said goes to the log as `source` and never
//! to the client.

pub mod codes;
mod from_engine;
pub(crate) mod secret;

pub use codes::ErrorCode;
pub use from_engine::Intent;

use crate::body::Body;
use crate::header;
use crate::xml::XmlWriter;
use std::fmt;

/// An error to answer with.
#[derive(Debug)]
pub struct StorageError {
    /// What it is.
    pub code: ErrorCode,
    /// Elements and headers that the protocol adds: `HeaderName`, `QueryParameterValue`, `MaxLimit` and so on.
    pub details: Vec<(&'static str, String)>,
    /// The index of the failed change, for an entity group transaction.
    pub index: Option<usize>,
    /// Headers that the answer carries besides: what a client that has an old or no copy goes by.
    pub headers: Vec<(&'static str, String)>,
    /// What the client is told instead of the table's message.
    pub message: Option<String>,
    /// For the log.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StorageError {
    /// An error of this code.
    pub fn new(code: ErrorCode) -> Self {
        Self { code, details: Vec::new(), index: None, headers: Vec::new(), message: None, source: None }
    }

    /// With one more detail.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// With what caused it, for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A required header is missing.
    pub fn missing_header(name: &'static str) -> Self {
        Self::new(ErrorCode::MissingRequiredHeader).with("HeaderName", name)
    }

    /// A required query parameter is missing.
    pub fn missing_query(name: &'static str) -> Self {
        Self::new(ErrorCode::MissingRequiredQueryParameter).with("QueryParameterName", name)
    }

    /// A query parameter's value is not one that it can have.
    pub fn invalid_query(name: &str, value: &str, reason: &str) -> Self {
        let value = if secret::is_parameter(name) { secret::HIDDEN } else { value };
        Self::new(ErrorCode::InvalidQueryParameterValue)
            .with("QueryParameterName", name)
            .with("QueryParameterValue", value)
            .with("Reason", reason)
    }

    /// A query parameter's number is outside its range, both ends of which are allowed.
    pub fn out_of_range_query(name: &str, value: &str, minimum: i64, maximum: i64) -> Self {
        Self::new(ErrorCode::OutOfRangeQueryParameterValue)
            .with("QueryParameterName", name)
            .with("QueryParameterValue", value)
            .with("MinimumAllowed", minimum.to_string())
            .with("MaximumAllowed", maximum.to_string())
    }

    /// The body is larger than allowed, in bytes.
    pub fn too_large(limit: u64) -> Self {
        Self::new(ErrorCode::RequestBodyTooLarge).with("MaxLimit", limit.to_string())
    }

    /// The text for the client, with what it needs to report the request.
    pub fn text(&self, request_id: &str, time: &str) -> String {
        let message = self.message.as_deref().unwrap_or_else(|| self.code.message());
        let message = secret::hidden(message);
        let index = self.index.map(|index| format!("{index}:")).unwrap_or_default();
        format!("{index}{message}\nRequestId:{request_id}\nTime:{time}")
    }

    /// The XML form, of blobs and queues.
    pub fn to_xml(&self, request_id: &str, time: &str) -> String {
        let mut xml = XmlWriter::new();
        xml.open("Error");
        xml.text("Code", self.code.wire());
        xml.text("Message", &self.text(request_id, time));
        for (name, value) in &self.details {
            xml.text(name, &secret::hidden(value));
        }
        xml.close("Error");
        xml.finish()
    }

    /// The JSON form, of tables.
    pub fn to_json(&self, request_id: &str, time: &str) -> String {
        serde_json::json!({
            "odata.error": {
                "code": self.code.wire(),
                "message": { "lang": "en-US", "value": self.text(request_id, time) },
            }
        })
        .to_string()
    }

    /// The form for people: a page, of websites.
    pub fn to_html(&self, request_id: &str, time: &str) -> String {
        let (status, code, message) = (self.code.status(), self.code.wire(), self.code.message());
        format!(
            "<!DOCTYPE html><html><head><title>{code}</title></head><body><h1>{message}</h1><ul>\
             <li>HttpStatusCode: {status}</li><li>ErrorCode: {code}</li><li>RequestId: {request_id}</li>\
             <li>TimeStamp: {time}</li></ul></body></html>"
        )
    }

    /// The XML form of tables, for clients that take nothing else.
    pub fn to_atom(&self, request_id: &str, time: &str) -> String {
        let mut xml = XmlWriter::new();
        let namespace = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata";
        xml.open_with("error", &[("xmlns", namespace)]);
        xml.text("code", self.code.wire());
        xml.text_with("message", &[("xml:lang", "en-US")], &self.text(request_id, time));
        xml.close("error");
        xml.finish()
    }

    /// The answer without the common headers, which the front adds. `form` is its body.
    pub fn to_response(&self, content_type: &'static str, form: String) -> http::Response<Body> {
        let mut response = http::Response::new(Body::empty());
        *response.status_mut() =
            http::StatusCode::from_u16(self.code.status()).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::X_MS_ERROR_CODE, http::HeaderValue::from_static(self.code.wire()));
        for (name, value) in &self.headers {
            if let Ok(value) = http::HeaderValue::from_str(value) {
                headers.insert(*name, value);
            }
        }
        if self.code.status() != 304 {
            headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
            *response.body_mut() = Body::full(form);
        }
        response
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.code.wire(), self.code.status())
    }
}

impl std::error::Error for StorageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// An error with all that caused it, in one line, without secrets.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    secret::hidden(&text)
}
