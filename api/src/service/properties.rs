//! The document of a service's settings, `StorageServiceProperties`. Pages "Set Blob Service Properties" and its
//! siblings for queues and tables.
//!
//! The document has grown with the protocol, so what it may hold and what it shows depend on the request's version.
//! From 2013-08-15 on a document sets only what it holds; before, it had to hold everything it knew. An element that
//! the version or the service does not know is refused, so nobody believes to have set what is not.

use storage_engine::settings::{CorsRule, DeleteRetention, Logging, Metrics, ServiceSettings, StaticWebsite};

mod read;
mod write;

pub(crate) use write::write;

/// What a document sets; none for what stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change {
    logging: Option<Logging>,
    hour_metrics: Option<Metrics>,
    minute_metrics: Option<Metrics>,
    cors: Option<Vec<CorsRule>>,
    default_version: Option<String>,
    delete_retention: Option<DeleteRetention>,
    website: Option<Website>,
}

/// What a document says of the website.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Website {
    /// There is none.
    Off,
    /// It is shown like this.
    Shown(StaticWebsite),
}

impl Change {
    /// Whether it has a website shown.
    pub(crate) const fn shows_website(&self) -> bool {
        matches!(self.website, Some(Website::Shown(_)))
    }

    /// Sets it.
    pub(crate) fn apply(&self, settings: &mut ServiceSettings) {
        set(&mut settings.logging, self.logging.as_ref());
        set(&mut settings.hour_metrics, self.hour_metrics.as_ref());
        set(&mut settings.minute_metrics, self.minute_metrics.as_ref());
        set(&mut settings.cors, self.cors.as_ref());
        set(&mut settings.blob.delete_retention, self.delete_retention.as_ref());
        match &self.website {
            None => {}
            Some(Website::Off) => settings.blob.website = None,
            Some(Website::Shown(website)) => settings.blob.website = Some(website.clone()),
        }
        if let Some(version) = &self.default_version {
            settings.blob.default_version = Some(version.clone());
        }
    }
}

fn set<T: Clone>(kept: &mut T, given: Option<&T>) {
    if let Some(given) = given {
        kept.clone_from(given);
    }
}

#[cfg(test)]
mod tests;
