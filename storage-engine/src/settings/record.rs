//! How a service's settings are kept.
//!
//! | fields behind the version | |
//! |---|---|
//! | logging | version, delete, read, write, retention |
//! | metrics by the hour, then by the minute | version, enabled and if so by operation, retention |
//! | cross-origin rules | count; of each: origins, verbs, headers allowed, headers exposed, seconds |
//! | default version | text, if there is one |
//! | deleted blobs | retention, permanent deletion |
//! | website | if there is one: kind of index and its name, error document |
//! | management | versioning, retention of containers, change feed, last access; from version 2: retention of the change feed |
//!
//! A retention is a varint of days, if there is one; a list is its count and its texts.

use super::{
    BlobManagement, BlobSettings, CorsRule, DeleteRetention, IncludeApis, Logging, Metrics, RetentionDays,
    ServiceSettings, StaticWebsite, WebsiteIndex,
};
use crate::error::Result;
use crate::meta::record::{Decoder, Encoder};

const VERSION: u8 = 2;

/// A service's record.
pub(super) fn encode(settings: &ServiceSettings) -> Vec<u8> {
    let ServiceSettings { logging, hour_metrics, minute_metrics, cors, blob } = settings;
    let mut fields = Encoder::new(VERSION);
    fields.str(&logging.version).flag(logging.delete).flag(logging.read).flag(logging.write);
    encode_retention(&mut fields, logging.retention);
    encode_metrics(&mut fields, hour_metrics);
    encode_metrics(&mut fields, minute_metrics);
    fields.count(cors.len());
    for CorsRule { origins, methods, allowed_headers, exposed_headers, age_seconds_max } in cors {
        for list in [origins, methods, allowed_headers, exposed_headers] {
            encode_list(&mut fields, list);
        }
        fields.u32(*age_seconds_max);
    }
    encode_blob(&mut fields, blob);
    fields.finish()
}

/// The settings in a service's record.
pub(super) fn decode(record: &[u8]) -> Result<ServiceSettings> {
    let (version, mut fields) = Decoder::versioned("settings", VERSION, record)?;
    let logging = Logging {
        version: fields.str()?.to_owned(),
        delete: fields.flag()?,
        read: fields.flag()?,
        write: fields.flag()?,
        retention: decode_retention(&mut fields)?,
    };
    let (hour_metrics, minute_metrics) = (decode_metrics(&mut fields)?, decode_metrics(&mut fields)?);
    let cors = (0..fields.count()?).map(|_| decode_rule(&mut fields)).collect::<Result<_>>()?;
    let mut blob = decode_blob(&mut fields)?;
    if version > 1 {
        blob.management.change_feed_retention = decode_retention(&mut fields)?;
    }
    fields.finish()?;
    Ok(ServiceSettings { logging, hour_metrics, minute_metrics, cors, blob })
}

fn encode_blob(fields: &mut Encoder, blob: &BlobSettings) {
    let BlobSettings { default_version, delete_retention, website, management } = blob;
    fields.option(default_version.as_deref(), |fields, version| {
        fields.str(version);
    });
    encode_retention(fields, delete_retention.days);
    fields.flag(delete_retention.permanent_delete);
    fields.option(website.as_ref(), |fields, website| {
        match &website.index {
            WebsiteIndex::None => fields.u8(0),
            WebsiteIndex::InEach(name) => fields.u8(1).str(name),
            WebsiteIndex::Same(name) => fields.u8(2).str(name),
        };
        fields.option(website.error_document_404.as_deref(), |fields, name| {
            fields.str(name);
        });
    });
    fields.flag(management.versioning);
    encode_retention(fields, management.container_delete_retention);
    fields.flag(management.change_feed).flag(management.last_access_tracking);
    encode_retention(fields, management.change_feed_retention);
}

fn decode_blob(fields: &mut Decoder<'_>) -> Result<BlobSettings> {
    Ok(BlobSettings {
        default_version: fields.option(text)?,
        delete_retention: DeleteRetention {
            days: decode_retention(fields)?,
            permanent_delete: fields.flag()?,
        },
        website: fields.option(|fields| {
            let index = match fields.u8()? {
                0 => WebsiteIndex::None,
                1 => WebsiteIndex::InEach(text(fields)?),
                2 => WebsiteIndex::Same(text(fields)?),
                _ => return Err(fields.damaged()),
            };
            Ok(StaticWebsite { index, error_document_404: fields.option(text)? })
        })?,
        management: BlobManagement {
            versioning: fields.flag()?,
            container_delete_retention: decode_retention(fields)?,
            change_feed: fields.flag()?,
            last_access_tracking: fields.flag()?,
            change_feed_retention: None,
        },
    })
}

fn encode_metrics(fields: &mut Encoder, metrics: &Metrics) {
    fields.str(&metrics.version);
    fields.option(metrics.enabled, |fields, IncludeApis(include)| {
        fields.flag(include);
    });
    encode_retention(fields, metrics.retention);
}

fn decode_metrics(fields: &mut Decoder<'_>) -> Result<Metrics> {
    Ok(Metrics {
        version: text(fields)?,
        enabled: fields.option(|fields| fields.flag().map(IncludeApis))?,
        retention: decode_retention(fields)?,
    })
}

fn decode_rule(fields: &mut Decoder<'_>) -> Result<CorsRule> {
    Ok(CorsRule {
        origins: decode_list(fields)?,
        methods: decode_list(fields)?,
        allowed_headers: decode_list(fields)?,
        exposed_headers: decode_list(fields)?,
        age_seconds_max: fields.u32()?,
    })
}

fn encode_list(fields: &mut Encoder, list: &[String]) {
    fields.count(list.len());
    for text in list {
        fields.str(text);
    }
}

fn decode_list(fields: &mut Decoder<'_>) -> Result<Vec<String>> {
    (0..fields.count()?).map(|_| text(fields)).collect()
}

fn encode_retention(fields: &mut Encoder, days: RetentionDays) {
    fields.option(days, |fields, days| {
        fields.varint(u64::from(days));
    });
}

fn decode_retention(fields: &mut Decoder<'_>) -> Result<RetentionDays> {
    fields.option(|fields| u32::try_from(fields.varint()?).map_err(|_| fields.damaged()))
}

fn text(fields: &mut Decoder<'_>) -> Result<String> {
    Ok(fields.str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};
    use proptest::{collection, prop_assert_eq};

    proptest! {
        #[test]
        fn settings_come_back_as_they_were_kept(
            flags in any::<[bool; 12]>(), days in any::<[Option<u32>; 6]>(), words in collection::vec(".{0,9}", 9),
            index in 0u8..3, rules in 0usize..6,
        ) {
            let [delete, read, write, by_hour, by_operation, permanent_delete, website, versioning, change_feed,
                last_access_tracking, error, default] = flags;
            let [logs, hours, minutes, blobs, containers, changes] = days;
            let mut words = words.into_iter().cycle();
            let mut word = || words.next().unwrap();
            let metrics = |version, retention| Metrics {
                version, enabled: by_hour.then_some(IncludeApis(by_operation)), retention,
            };
            let settings = ServiceSettings {
                logging: Logging { version: word(), delete, read, write, retention: logs },
                hour_metrics: metrics(word(), hours),
                minute_metrics: metrics(word(), minutes),
                cors: vec![CorsRule {
                    origins: vec![word(), word()],
                    methods: vec![word()],
                    allowed_headers: Vec::new(),
                    exposed_headers: vec![word()],
                    age_seconds_max: 7,
                }; rules],
                blob: BlobSettings {
                    default_version: default.then(&mut word),
                    delete_retention: DeleteRetention { days: blobs, permanent_delete },
                    website: website.then(|| StaticWebsite {
                        index: match index {
                            0 => WebsiteIndex::None,
                            1 => WebsiteIndex::InEach(word()),
                            _ => WebsiteIndex::Same(word()),
                        },
                        error_document_404: error.then(&mut word),
                    }),
                    management: BlobManagement {
                        versioning, container_delete_retention: containers, change_feed, last_access_tracking,
                        change_feed_retention: changes,
                    },
                },
            };
            prop_assert_eq!(decode(&encode(&settings)).unwrap(), settings);
        }

        #[test]
        fn settings_of_the_first_version_keep_changes_for_ever(versioning in any::<bool>(), change_feed in any::<bool>()) {
            let management = BlobManagement { versioning, change_feed, ..BlobManagement::default() };
            let blob = BlobSettings { management, ..BlobSettings::default() };
            let settings = ServiceSettings { blob, ..ServiceSettings::default() };
            let newest = encode(&settings);
            let (retention, first) = newest.split_last().unwrap();
            prop_assert_eq!(*retention, 0);
            let first = [&[1], &first[1..]].concat();
            prop_assert_eq!(decode(&first).unwrap(), settings);
        }

        #[test]
        fn damaged_settings_are_errors_or_values_but_never_panics(record in collection::vec(any::<u8>(), 0..90)) {
            let _ = decode(&record);
        }
    }
}
