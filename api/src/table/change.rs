//! Changes of entities: what the six operations that write one have in common.
//!
//! Each of them only decodes; carrying out and answering is the same. That they all decode to the same type is
//! also what lets an entity group transaction read its parts with their own functions.

use super::entity::key;
use super::{DATA_SERVICE_VERSION, TableService, address};
use crate::body::{Body, Payload};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::header::{self, answer};
use crate::odata::json::{Frame, read_entity, write_entity};
use crate::odata::{self, invalid, tag};
use crate::reply;
use http::StatusCode;
use storage_engine::clock::Timestamp;
use storage_engine::table::{Change, Entity, EntityKey, Expected, Properties, TableAddress};

/// Most bytes of an entity's document. An entity may have 1 MiB, in JSON several times that.
pub(super) const DOCUMENT_BYTES_MAX: u64 = 4 << 20;

/// A change of one entity.
#[derive(Debug)]
pub(crate) struct EntityChange {
    /// The table.
    pub(super) at: TableAddress,
    /// The entity.
    pub(super) key: EntityKey,
    /// The change.
    pub(super) change: Change,
    /// What to answer once it is made.
    pub(super) outcome: Outcome,
}

/// What to answer to a change that was made.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// That it is gone.
    Deleted,
    /// Its new version.
    Written,
    /// All about it.
    Inserted(Box<Inserted>),
}

/// What is told of an inserted entity.
#[derive(Debug)]
pub(crate) struct Inserted {
    pub(super) frame: Frame,
    pub(super) link: String,
    pub(super) preference: Option<Preference>,
    /// The entity to give back, if one is.
    pub(super) echo: Option<(EntityKey, Properties)>,
}

/// Whether what was made is given back: `Prefer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preference {
    /// It is.
    Content,
    /// It is not.
    NoContent,
}

impl Preference {
    /// The request's preference, if it has one that is known.
    ///
    /// # Errors
    /// `InvalidHeaderValue` if the header is not text.
    pub(crate) fn of(head: &Head) -> Result<Option<Self>, StorageError> {
        let words = head.text(header::PREFER)?.unwrap_or_default().split([',', ';']).map(str::trim);
        let known = [Self::Content, Self::NoContent];
        let mut found =
            words.filter_map(|word| known.into_iter().find(|it| word.eq_ignore_ascii_case(it.name())));
        Ok(found.next())
    }

    /// As it is spelled.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Content => "return-content",
            Self::NoContent => "return-no-content",
        }
    }
}

/// A change that was made.
#[derive(Debug)]
pub(crate) struct Changed {
    /// The entity's new version.
    pub(super) version: Timestamp,
    /// What to answer.
    pub(super) outcome: Outcome,
}

impl EntityChange {
    /// Decodes a change of the entity of the address, to which the properties of the body are given.
    pub(super) fn decode(
        head: &Head,
        body: Payload,
        change: impl FnOnce(Properties) -> Change,
    ) -> Result<Self, StorageError> {
        odata::metadata_level::check_content_type(head)?;
        let (at, key) = (address(head)?, key(head)?);
        let document = read_entity(&body.whole())?;
        let differs = |given: &Option<String>, key: &str| given.as_deref().is_some_and(|given| given != key);
        if differs(&document.partition, &key.partition) || differs(&document.row, &key.row) {
            return Err(invalid("The keys of the body are not those of the address."));
        }
        Ok(Self { at, key, change: change(document.properties), outcome: Outcome::Written })
    }

    /// Makes the change.
    pub(super) async fn execute(self, service: &TableService) -> Result<Changed, StorageError> {
        let version = service.store.change(&self.at, self.key, self.change).await;
        let version = version.map_err(|error| StorageError::from_engine(error, Intent::Write))?;
        Ok(Changed { version, outcome: self.outcome })
    }
}

/// The version that the request is for, which it must name.
///
/// # Errors
/// `MissingRequiredHeader`; `InvalidInput` for what is not one tag of an entity.
pub(super) fn expected(head: &Head) -> Result<Expected, StorageError> {
    let text = head.required(header::IF_MATCH)?;
    tag::parse(text).ok_or_else(|| {
        invalid(format_args!(
            "The etag value '{text}' is not valid. It must be one tag of an entity as the service gave it, or '*'."
        ))
    })
}

impl Changed {
    /// Spells the answer, with its status.
    pub(super) fn encode(self) -> http::Response<Body> {
        let mut response = match self.outcome {
            Outcome::Deleted => return reply::status(StatusCode::NO_CONTENT),
            Outcome::Written => reply::status(StatusCode::NO_CONTENT),
            Outcome::Inserted(inserted) => inserted.encode(self.version),
        };
        reply::set(&mut response, answer::ETAG, &tag::print(self.version));
        reply::set(&mut response, answer::DATA_SERVICE_VERSION, DATA_SERVICE_VERSION);
        response
    }
}

impl Inserted {
    fn encode(self, timestamp: Timestamp) -> http::Response<Body> {
        let mut response = match self.echo {
            None => reply::status(StatusCode::NO_CONTENT),
            Some((key, properties)) => {
                let entity = Entity { key, timestamp, properties };
                let content_type = self.frame.level.content_type();
                let mut response = reply::document(content_type, write_entity(&self.frame, &entity));
                *response.status_mut() = StatusCode::CREATED;
                response
            }
        };
        let url = format!("{}{}", self.frame.endpoint, self.link);
        made(&mut response, &url, self.preference);
        response
    }
}

/// Adds what is told of anything that was made: where it is, and whether the client's preference was kept.
pub(super) fn made(response: &mut http::Response<Body>, url: &str, preference: Option<Preference>) {
    reply::set(response, answer::LOCATION, url);
    reply::set(response, answer::DATA_SERVICE_ID, url);
    reply::set(response, answer::DATA_SERVICE_VERSION, DATA_SERVICE_VERSION);
    if let Some(preference) = preference {
        reply::set(response, answer::PREFERENCE_APPLIED, preference.name());
    }
}

/// The error for an entity that is to be inserted without both of its keys.
pub(super) fn keys_missing() -> StorageError {
    StorageError::new(ErrorCode::PropertiesNeedValue)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::tests::value;
    use crate::target::ServiceKind;
    use crate::testing::head;

    fn decode(body: &'static str) -> Result<EntityChange, StorageError> {
        let url = "/acc/tab(PartitionKey='p',RowKey='r')";
        let sent = head(ServiceKind::Table, "PUT", url, &[]);
        EntityChange::decode(&sent, Payload::Whole(body.into()), Change::Insert)
    }

    #[test]
    fn keys_of_the_body_must_be_those_of_the_address() {
        assert!(decode("{}").is_ok());
        assert!(decode(r#"{"PartitionKey":"p","RowKey":"r"}"#).is_ok());
        for bad in [r#"{"PartitionKey":"q"}"#, r#"{"RowKey":"R"}"#] {
            assert_eq!(decode(bad).unwrap_err().code, ErrorCode::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn a_write_answers_with_the_new_version_and_a_delete_with_nothing() {
        let version = Timestamp::from_unix_seconds(0);
        let written = Changed { version, outcome: Outcome::Written }.encode();
        assert_eq!(value(&written, header::ETAG), "W/\"datetime'1970-01-01T00%3A00%3A00.0000000Z'\"");
        let deleted = Changed { version, outcome: Outcome::Deleted }.encode();
        assert_eq!((written.status().as_u16(), deleted.status().as_u16()), (204, 204));
        assert_eq!(value(&deleted, header::ETAG), "");
    }

    #[test]
    fn preferences_that_are_not_known_are_none() {
        let of = |prefer| {
            Preference::of(&head(ServiceKind::Table, "POST", "/acc/tab", &[("prefer", prefer)])).unwrap()
        };
        assert_eq!(of("return-no-content"), Some(Preference::NoContent));
        assert_eq!(of("respond-async, Return-Content"), Some(Preference::Content));
        assert_eq!(of("handling=lenient"), None);
    }
}
