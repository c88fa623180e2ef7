//! *Update Entity*, *Merge Entity*, *Insert Or Replace Entity*, *Insert Or Merge Entity*: the four ways to write an
//! entity whose keys the address names.
//!
//! They are two choices of two. What becomes of the properties that are there already: they go ([`Replace`]), or stay
//! unless the body names them ([`Merge`]). And what may be there: the version that `If-Match` names ([`Seen`]), or
//! anything and nothing ([`Whatever`]). The rows choose.
//!
//! | | `Seen` | `Whatever` |
//! | --- | --- | --- |
//! | `Replace` | *Update Entity* | *Insert Or Replace Entity* |
//! | `Merge` | *Merge Entity* | *Insert Or Merge Entity* |

use crate::body::{Body, Payload};
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Operation;
use crate::table::TableService;
use crate::table::change::{Changed, EntityChange, expected};
use std::marker::PhantomData;
use storage_engine::table::{Change, Expected, Properties};

/// *Update Entity* and its siblings.
pub(crate) struct WriteEntity<W, V>(PhantomData<(W, V)>);

/// What becomes of the properties that are there.
pub(crate) trait Way: Send + 'static {
    /// The change of an entity that is as expected.
    fn change(expected: Expected, properties: Properties) -> Change;
}

/// They go.
pub(crate) enum Replace {}

/// They stay, unless they are named.
pub(crate) enum Merge {}

impl Way for Replace {
    fn change(expected: Expected, properties: Properties) -> Change {
        Change::Replace(expected, properties)
    }
}

impl Way for Merge {
    fn change(expected: Expected, properties: Properties) -> Change {
        Change::Merge(expected, properties)
    }
}

/// Which version it may be.
pub(crate) trait Expecting: Send + 'static {
    /// Reads it.
    ///
    /// # Errors
    /// As [`expected`].
    fn read(head: &Head) -> Result<Expected, StorageError>;
}

/// The one that the client has seen.
pub(crate) enum Seen {}

/// Any, and none as well.
pub(crate) enum Whatever {}

impl Expecting for Seen {
    fn read(head: &Head) -> Result<Expected, StorageError> {
        expected(head)
    }
}

impl Expecting for Whatever {
    fn read(_: &Head) -> Result<Expected, StorageError> {
        Ok(Expected::Whatever)
    }
}

impl<W: Way, V: Expecting> Operation for WriteEntity<W, V> {
    type Service = TableService;
    type Request = EntityChange;
    type Response = Changed;

    fn decode(head: &Head, body: Payload) -> Result<EntityChange, StorageError> {
        let expected = V::read(head)?;
        EntityChange::decode(head, body, |properties| W::change(expected, properties))
    }

    async fn execute(service: &TableService, request: EntityChange) -> Result<Changed, StorageError> {
        request.execute(service).await
    }

    fn encode(response: Changed) -> http::Response<Body> {
        response.encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing::head;
    use storage_engine::table::Value;

    fn decode<W: Way, V: Expecting>(
        if_match: Option<&str>,
        body: &'static str,
    ) -> Result<EntityChange, ErrorCode> {
        let url = "/acc/tab(PartitionKey='p',RowKey='r')";
        let headers: Vec<_> = if_match.map(|tag| ("if-match", tag)).into_iter().collect();
        let sent = head(ServiceKind::Table, "PUT", url, &headers);
        WriteEntity::<W, V>::decode(&sent, Payload::Whole(body.into())).map_err(|error| error.code)
    }

    fn properties() -> Properties {
        vec![("A".to_owned(), Value::Int32(1))]
    }

    #[test]
    fn the_version_is_that_of_the_header_which_must_be_there() {
        for decode in [decode::<Replace, Seen>, decode::<Merge, Seen>] {
            let change = decode(Some("*"), "{}").unwrap();
            assert_eq!((change.key.partition.as_str(), change.key.row.as_str()), ("p", "r"));
            assert_eq!(decode(Some("W/\"x\""), r#"{"A":1}"#).unwrap_err(), ErrorCode::InvalidInput);
            assert_eq!(decode(Some(""), "{}").unwrap_err(), ErrorCode::MissingRequiredHeader);
            assert_eq!(decode(None, "{}").unwrap_err(), ErrorCode::MissingRequiredHeader);
        }
    }

    #[test]
    fn each_of_the_four_makes_its_own_change() {
        let of = |change: EntityChange| change.change;
        let body = r#"{"A":1,"B":null}"#;
        let updated = of(decode::<Replace, Seen>(Some("*"), body).unwrap());
        assert_eq!(updated, Change::Replace(Expected::Existing, properties()));
        let merged = of(decode::<Merge, Seen>(Some("*"), body).unwrap());
        assert_eq!(merged, Change::Merge(Expected::Existing, properties()));
        let replaced = of(decode::<Replace, Whatever>(None, body).unwrap());
        assert_eq!(replaced, Change::Replace(Expected::Whatever, properties()));
        let set = of(decode::<Merge, Whatever>(None, body).unwrap());
        assert_eq!(set, Change::Merge(Expected::Whatever, properties()));
    }

    #[test]
    fn a_body_that_is_no_entity_is_refused() {
        for body in ["[]", ""] {
            assert_eq!(decode::<Merge, Whatever>(None, body).unwrap_err(), ErrorCode::InvalidInput);
            assert_eq!(decode::<Replace, Seen>(Some("*"), body).unwrap_err(), ErrorCode::InvalidInput);
        }
    }
}
