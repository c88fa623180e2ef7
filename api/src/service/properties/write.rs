//! Writing the document of a service's settings.

use crate::target::ServiceKind;
use crate::version::{CORS, DEFAULT_VERSION, PERMANENT_DELETE, SOFT_DELETE, STATIC_WEBSITE, Version};
use crate::xml::XmlWriter;
use storage_engine::settings::{
    BlobSettings, CorsRule, IncludeApis, Logging, Metrics, RetentionDays, ServiceSettings, WebsiteIndex,
};

/// Writes what a service shows of its settings to a client of this version.
pub(crate) fn write(settings: &ServiceSettings, service: ServiceKind, version: Version) -> String {
    let mut xml = XmlWriter::with_capacity(1024);
    xml.open("StorageServiceProperties");
    logging(&mut xml, &settings.logging);
    if version >= CORS {
        metrics(&mut xml, "HourMetrics", &settings.hour_metrics);
        metrics(&mut xml, "MinuteMetrics", &settings.minute_metrics);
        cors(&mut xml, &settings.cors);
    } else {
        metrics(&mut xml, "Metrics", &settings.hour_metrics);
    }
    if service == ServiceKind::Blob {
        blob(&mut xml, &settings.blob, version);
    }
    xml.close("StorageServiceProperties");
    xml.finish()
}

fn logging(xml: &mut XmlWriter, logging: &Logging) {
    xml.open("Logging");
    xml.text("Version", &logging.version);
    flag(xml, "Delete", logging.delete);
    flag(xml, "Read", logging.read);
    flag(xml, "Write", logging.write);
    retention(xml, "RetentionPolicy", logging.retention, None);
    xml.close("Logging");
}

fn metrics(xml: &mut XmlWriter, name: &str, metrics: &Metrics) {
    xml.open(name);
    xml.text("Version", &metrics.version);
    flag(xml, "Enabled", metrics.enabled.is_some());
    if let Some(IncludeApis(include)) = metrics.enabled {
        flag(xml, "IncludeAPIs", include);
    }
    retention(xml, "RetentionPolicy", metrics.retention, None);
    xml.close(name);
}

fn cors(xml: &mut XmlWriter, rules: &[CorsRule]) {
    if rules.is_empty() {
        return xml.empty("Cors");
    }
    xml.open("Cors");
    for rule in rules {
        xml.open("CorsRule");
        xml.text("AllowedMethods", &rule.methods.join(","));
        xml.text("AllowedOrigins", &rule.origins.join(","));
        xml.text("AllowedHeaders", &rule.allowed_headers.join(","));
        xml.text("ExposedHeaders", &rule.exposed_headers.join(","));
        xml.text("MaxAgeInSeconds", &rule.age_seconds_max.to_string());
        xml.close("CorsRule");
    }
    xml.close("Cors");
}

fn blob(xml: &mut XmlWriter, settings: &BlobSettings, version: Version) {
    if let Some(default) = settings.default_version.as_deref().filter(|_| version >= DEFAULT_VERSION) {
        xml.text("DefaultServiceVersion", default);
    }
    if version >= SOFT_DELETE {
        let policy = settings.delete_retention;
        let permanent = (version >= PERMANENT_DELETE).then_some(policy.permanent_delete);
        retention(xml, "DeleteRetentionPolicy", policy.days, permanent);
    }
    if version >= STATIC_WEBSITE {
        xml.open("StaticWebsite");
        flag(xml, "Enabled", settings.website.is_some());
        if let Some(website) = &settings.website {
            match &website.index {
                WebsiteIndex::None => {}
                WebsiteIndex::InEach(name) => xml.text("IndexDocument", name),
                WebsiteIndex::Same(name) => xml.text("DefaultIndexDocumentPath", name),
            }
            if let Some(name) = &website.error_document_404 {
                xml.text("ErrorDocument404Path", name);
            }
        }
        xml.close("StaticWebsite");
    }
}

fn retention(xml: &mut XmlWriter, name: &str, days: RetentionDays, permanent: Option<bool>) {
    xml.open(name);
    flag(xml, "Enabled", days.is_some());
    if let Some(days) = days {
        xml.text("Days", &days.to_string());
    }
    if let Some(permanent) = permanent {
        flag(xml, "AllowPermanentDelete", permanent);
    }
    xml.close(name);
}

fn flag(xml: &mut XmlWriter, name: &str, flag: bool) {
    xml.text(name, if flag { "true" } else { "false" });
}
