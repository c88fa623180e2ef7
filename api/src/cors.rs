//! Requests that a browser makes for a page of another origin. Page "Cross-Origin Resource Sharing (CORS) support
//! for Azure Storage".
//!
//! The browser asks first (a preflight, [`Preflight`]), and is answered without anybody proving anything, by the
//! service's rules alone: whether the resource exists does not matter. The request itself ([`Actual`]) is carried
//! out whatever the rules say; they decide only which headers its answer, or its refusal, carries, and the browser
//! decides by those what the page may see.
//!
//! Rules are tried in their order. The first that has the origin and the verb is the one; a preflight whose headers
//! that rule does not allow fails, even if a later rule would. Caches between us and the browser must not give one
//! origin's answer to another, hence `Vary: Origin` on reads, except where a rule answers all origins alike.

use crate::body::Body;
use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::{header, reply};
use http::{HeaderMap, HeaderValue, Response};
use storage_engine::settings::CorsRule;

/// Stands for all origins, and at the end of a header's name for anything.
const ANY: &str = "*";

/// What a browser asks before a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preflight {
    origin: String,
    method: String,
    /// As they were sent.
    headers: Option<String>,
}

/// What a browser may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowed {
    asked: Preflight,
    age_seconds_max: u32,
}

impl Preflight {
    /// Reads what is asked.
    ///
    /// # Errors
    /// `InvalidHeaderValue` if the origin or the verb is missing.
    pub(crate) fn read(head: &Head) -> Result<Self, StorageError> {
        let required = |name| {
            head.text(name)?.map(str::to_owned).ok_or_else(|| StorageError {
                message: Some("A required CORS header is not present.".to_owned()),
                ..StorageError::invalid_header(name, "")
            })
        };
        Ok(Self {
            origin: required(header::ORIGIN)?,
            method: required(header::ACCESS_CONTROL_REQUEST_METHOD)?,
            headers: head.text(header::ACCESS_CONTROL_REQUEST_HEADERS)?.map(str::to_owned),
        })
    }

    /// Judges it by the service's rules.
    ///
    /// # Errors
    /// `CorsPreflightFailure` if they do not allow it.
    pub(crate) fn judge(self, rules: &[CorsRule]) -> Result<Allowed, StorageError> {
        let refused = || StorageError::new(ErrorCode::CorsPreflightFailure);
        let rule = matching(rules, Some(&self.origin), &self.method).ok_or_else(refused)?;
        let asked = self.headers.as_deref().unwrap_or_default();
        if !list(asked).all(|name| rule.allowed_headers.iter().any(|allowed| covers(allowed, name))) {
            return Err(refused());
        }
        Ok(Allowed { age_seconds_max: rule.age_seconds_max, asked: self })
    }
}

impl Allowed {
    /// Spells it.
    pub(crate) fn answer(self) -> Response<Body> {
        let Self { asked: Preflight { origin, method, headers }, age_seconds_max } = self;
        let mut response = reply::empty();
        reply::set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, &origin);
        reply::set(&mut response, header::ACCESS_CONTROL_ALLOW_METHODS, &method);
        if let Some(headers) = headers {
            reply::set(&mut response, header::ACCESS_CONTROL_ALLOW_HEADERS, &headers);
        }
        reply::set(&mut response, header::ACCESS_CONTROL_MAX_AGE, &age_seconds_max.to_string());
        reply::set(&mut response, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        response
    }
}

/// What matters of a request itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actual {
    origin: Option<String>,
    method: http::Method,
}

impl Actual {
    /// Of this request; none for a preflight, which answers for itself.
    pub(crate) fn of(head: &Head) -> Option<Self> {
        let origin = head.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let method = head.sent_method.clone();
        (method != http::Method::OPTIONS).then(|| Self { origin: origin.map(str::to_owned), method })
    }

    /// Adds what the rules say to an answer that has all its other headers.
    pub(crate) fn mark(&self, rules: &[CorsRule], answer: &mut HeaderMap) {
        let read = matches!(self.method, http::Method::GET | http::Method::HEAD);
        if rules.is_empty() || (self.origin.is_none() && !read) {
            return;
        }
        let rule = matching(rules, self.origin.as_deref(), self.method.as_str());
        let for_all = rule.is_some_and(|rule| rule.origins.iter().any(|origin| origin == ANY));
        if read && !for_all {
            answer.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        let Some(rule) = rule else { return };
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                answer.insert(name, value);
            }
        };
        if for_all {
            set(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
        } else {
            set(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.as_deref().unwrap_or_default());
            set(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        let exposed = exposed(rule, answer);
        if let Some(value) = (!exposed.is_empty()).then(|| HeaderValue::from_str(&exposed).ok()).flatten() {
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, value);
        }
    }
}

/// The first rule that has the origin and the verb. A request that names no origin has all.
fn matching<'r>(rules: &'r [CorsRule], origin: Option<&str>, method: &str) -> Option<&'r CorsRule> {
    let has = |allowed: &str| match origin {
        None => allowed == ANY,
        Some(origin) => includes(allowed, origin),
    };
    rules.iter().find(|rule| {
        rule.origins.iter().any(|allowed| has(allowed))
            && rule.methods.iter().any(|allowed| allowed == method)
    })
}

/// Whether an origin is that of a rule: exactly, or with any text for a `*` in it.
fn includes(allowed: &str, origin: &str) -> bool {
    match allowed.split_once('*') {
        None => allowed == origin,
        Some((before, behind)) => {
            let inner = origin.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind));
            inner.is_some_and(|inner| !inner.is_empty())
        }
    }
}

/// Whether a rule's header, perhaps with `*` at its end, stands for this one.
fn covers(rule: &str, name: &str) -> bool {
    match rule.strip_suffix('*') {
        None => rule.eq_ignore_ascii_case(name),
        Some(prefix) => {
            name.get(..prefix.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(prefix))
        }
    }
}

/// The rule's exposed headers: those it names, and those of the answer that it means by a beginning. Browsers know
/// no beginnings.
fn exposed(rule: &CorsRule, answer: &HeaderMap) -> String {
    let whole = rule.exposed_headers.iter().filter(|name| !name.ends_with('*')).map(String::as_str);
    let mut names: Vec<&str> = whole.collect();
    for header in answer.keys().map(http::HeaderName::as_str) {
        let listed = names.iter().any(|listed| listed.eq_ignore_ascii_case(header));
        let is_ours = header.starts_with("access-control-");
        if !listed && !is_ours && rule.exposed_headers.iter().any(|exposed| covers(exposed, header)) {
            names.push(header);
        }
    }
    names.join(",")
}

/// The parts of a list with commas.
pub(crate) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests;
