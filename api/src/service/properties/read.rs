//! Reading the document of a service's settings.

use super::{Change, Website};
use crate::cors::list;
use crate::error::StorageError;
use crate::service::{invalid_document, invalid_node, missing_node, only};
use crate::target::ServiceKind;
use crate::version::{CORS, DEFAULT_VERSION, PERMANENT_DELETE, SOFT_DELETE, STATIC_WEBSITE, Version};
use crate::xml::{self, Element};
use storage_engine::settings::{
    CorsRule, DeleteRetention, IncludeApis, Logging, Metrics, RetentionDays, StaticWebsite, WebsiteIndex,
};

/// Most cross-origin rules of a service.
const RULES_MAX: usize = 5;
/// Most characters of all rules together, without their tags.
const RULES_CHARACTERS_MAX: usize = 2 << 10;
/// Most characters of an origin or a header.
const WORD_CHARACTERS_MAX: usize = 256;
/// Most origins, and most headers that are named in full, of a rule.
const WORDS_MAX: usize = 64;
/// Most headers of a rule that are named by their beginning.
const PREFIXES_MAX: usize = 2;
/// Most days of a retention.
const DAYS_MAX: u32 = 365;
/// Most characters of the name of a website's index.
const INDEX_CHARACTERS_MAX: usize = 255;
const METHODS: [&str; 8] = ["DELETE", "GET", "HEAD", "MERGE", "OPTIONS", "PATCH", "POST", "PUT"];

impl Change {
    /// Reads a document for this service, in the form of this version.
    ///
    /// # Errors
    /// `InvalidXmlDocument` for what is not of the form, also too many rules; `MissingRequiredXmlNode`;
    /// `InvalidXmlNodeValue`.
    pub(crate) fn read(
        document: &[u8],
        service: ServiceKind,
        version: Version,
    ) -> Result<Self, StorageError> {
        let root = xml::parse(document)?;
        if root.name != "StorageServiceProperties" {
            return Err(invalid_document(format!("the root is '{}'", root.name)));
        }
        only(&root, &known(service, version))?;
        if version < CORS {
            required(&root, "Logging")?;
            required(&root, "Metrics")?;
        }
        let child = |name| root.child(name);
        Ok(Self {
            logging: child("Logging").map(logging).transpose()?,
            hour_metrics: child("HourMetrics").or(child("Metrics")).map(metrics).transpose()?,
            minute_metrics: child("MinuteMetrics").map(metrics).transpose()?,
            cors: child("Cors").map(cors).transpose()?,
            default_version: child("DefaultServiceVersion").map(default_version).transpose()?,
            delete_retention: child("DeleteRetentionPolicy")
                .map(|policy| delete_retention(policy, version))
                .transpose()?,
            website: child("StaticWebsite").map(website).transpose()?,
        })
    }
}

/// What the root may have.
fn known(service: ServiceKind, version: Version) -> Vec<&'static str> {
    let mut names = vec!["Logging"];
    if version >= CORS {
        names.extend(["HourMetrics", "MinuteMetrics", "Cors"]);
    } else {
        names.push("Metrics");
    }
    let of_blobs = [
        (DEFAULT_VERSION, "DefaultServiceVersion"),
        (SOFT_DELETE, "DeleteRetentionPolicy"),
        (STATIC_WEBSITE, "StaticWebsite"),
    ];
    let of_blobs =
        of_blobs.into_iter().filter(|(since, _)| service == ServiceKind::Blob && version >= *since);
    names.extend(of_blobs.map(|(_, name)| name));
    names
}

fn logging(element: &Element) -> Result<Logging, StorageError> {
    only(element, &["Version", "Delete", "Read", "Write", "RetentionPolicy"])?;
    Ok(Logging {
        version: analytics_version(element, &["1.0", "2.0"])?,
        delete: flag(required(element, "Delete")?)?,
        read: flag(required(element, "Read")?)?,
        write: flag(required(element, "Write")?)?,
        retention: retention(required(element, "RetentionPolicy")?, &["Enabled", "Days"])?,
    })
}

fn metrics(element: &Element) -> Result<Metrics, StorageError> {
    only(element, &["Version", "Enabled", "IncludeAPIs", "RetentionPolicy"])?;
    let version = analytics_version(element, &["1.0"])?;
    let enabled = flag(required(element, "Enabled")?)?;
    let include = if enabled { Some(required(element, "IncludeAPIs")?) } else { None };
    Ok(Metrics {
        version,
        enabled: include.map(flag).transpose()?.map(IncludeApis),
        retention: retention(required(element, "RetentionPolicy")?, &["Enabled", "Days"])?,
    })
}

fn analytics_version(element: &Element, known: &[&str]) -> Result<String, StorageError> {
    let version = required(element, "Version")?;
    let text = version.text.trim();
    if !known.contains(&text) {
        return Err(invalid_node(version, "The version is not one of storage analytics."));
    }
    Ok(text.to_owned())
}

fn delete_retention(element: &Element, version: Version) -> Result<DeleteRetention, StorageError> {
    let known = ["Enabled", "Days", "AllowPermanentDelete"];
    let known = if version >= PERMANENT_DELETE { &known[..] } else { &known[..2] };
    let days = retention(element, known)?;
    let permanent = element.child("AllowPermanentDelete").map(flag).transpose()?.unwrap_or_default();
    if permanent && days.is_none() {
        let reason = "Permanent deletion needs the retention of deleted blobs.";
        return Err(invalid_node(required(element, "AllowPermanentDelete")?, reason));
    }
    Ok(DeleteRetention { days, permanent_delete: permanent })
}

fn retention(element: &Element, known: &[&str]) -> Result<RetentionDays, StorageError> {
    only(element, known)?;
    if !flag(required(element, "Enabled")?)? {
        return Ok(None);
    }
    let days = required(element, "Days")?;
    let number = days.text.trim().parse().ok().filter(|number| (1..=DAYS_MAX).contains(number));
    number.map(Some).ok_or_else(|| invalid_node(days, "Days are 1 to 365."))
}

fn cors(element: &Element) -> Result<Vec<CorsRule>, StorageError> {
    if let Some(foreign) = element.children.iter().find(|child| child.name != "CorsRule") {
        return Err(invalid_document(format!("'{}' is no rule", foreign.name)));
    }
    if element.children.len() > RULES_MAX {
        return Err(invalid_document(format!("{} rules", element.children.len())));
    }
    let values = element.children.iter().flat_map(|rule| &rule.children);
    let characters: usize = values.map(|value| value.text.chars().count()).sum();
    if characters > RULES_CHARACTERS_MAX {
        return Err(invalid_document(format!("rules of {characters} characters")));
    }
    element.children.iter().map(rule).collect()
}

fn rule(element: &Element) -> Result<CorsRule, StorageError> {
    only(
        element,
        &["AllowedOrigins", "AllowedMethods", "AllowedHeaders", "ExposedHeaders", "MaxAgeInSeconds"],
    )?;
    let (origins, methods) = (required(element, "AllowedOrigins")?, required(element, "AllowedMethods")?);
    let age = required(element, "MaxAgeInSeconds")?;
    let seconds = age.text.trim().parse().ok().filter(|seconds| i32::try_from(*seconds).is_ok());
    let rule = CorsRule {
        origins: words(origins)?,
        methods: words(methods)?,
        allowed_headers: headers(required(element, "AllowedHeaders")?)?,
        exposed_headers: headers(required(element, "ExposedHeaders")?)?,
        age_seconds_max: seconds.ok_or_else(|| invalid_node(age, "The value is not a number of seconds."))?,
    };
    let stars = rule.origins.iter().find(|origin| origin.matches('*').count() > 1);
    if rule.origins.is_empty() || rule.origins.len() > WORDS_MAX || stars.is_some() {
        return Err(invalid_node(origins, "There are 1 to 64 origins, each with at most one wildcard."));
    }
    if rule.methods.is_empty() || !rule.methods.iter().all(|method| METHODS.contains(&method.as_str())) {
        return Err(invalid_node(methods, "There is a verb that is not one of HTTP's that can be allowed."));
    }
    Ok(rule)
}

fn headers(element: &Element) -> Result<Vec<String>, StorageError> {
    let headers = words(element)?;
    let prefixes = headers.iter().filter(|header| header.ends_with('*')).count();
    if prefixes > PREFIXES_MAX || headers.len() - prefixes > WORDS_MAX {
        return Err(invalid_node(element, "There may be 64 headers in full and 2 by their beginning."));
    }
    Ok(headers)
}

fn words(element: &Element) -> Result<Vec<String>, StorageError> {
    let words: Vec<String> = list(&element.text).map(str::to_owned).collect();
    if words.iter().any(|word| word.chars().count() > WORD_CHARACTERS_MAX) {
        return Err(invalid_node(element, "One of the values has more than 256 characters."));
    }
    Ok(words)
}

fn default_version(element: &Element) -> Result<String, StorageError> {
    let text = element.text.trim();
    Version::parse(text).map_err(|_| invalid_node(element, "The value is not a version of the service."))?;
    Ok(text.to_owned())
}

fn website(element: &Element) -> Result<Website, StorageError> {
    let (in_each, same, error) = ("IndexDocument", "DefaultIndexDocumentPath", "ErrorDocument404Path");
    only(element, &["Enabled", in_each, same, error])?;
    if !flag(required(element, "Enabled")?)? {
        return Ok(Website::Off);
    }
    let given = |name| element.child(name).filter(|child| !child.text.trim().is_empty());
    let text = |child: &Element| child.text.trim().to_owned();
    let index = match (given(in_each), given(same)) {
        (None, None) => WebsiteIndex::None,
        (None, Some(same)) => WebsiteIndex::Same(text(same)),
        (Some(index), None) => {
            let name = index.text.trim();
            if name.contains('/') || name.chars().count() > INDEX_CHARACTERS_MAX {
                return Err(invalid_node(
                    index,
                    "The index is a name of at most 255 characters without slashes.",
                ));
            }
            WebsiteIndex::InEach(name.to_owned())
        }
        (Some(_), Some(same)) => return Err(invalid_node(same, "There is an index document already.")),
    };
    Ok(Website::Shown(StaticWebsite { index, error_document_404: given(error).map(text) }))
}

fn required<'e>(parent: &'e Element, name: &str) -> Result<&'e Element, StorageError> {
    parent.child(name).ok_or_else(|| missing_node(name))
}

fn flag(element: &Element) -> Result<bool, StorageError> {
    match element.text.trim() {
        text if text.eq_ignore_ascii_case("true") => Ok(true),
        text if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(invalid_node(element, "The value is neither true nor false.")),
    }
}
