//! *Set Blob Properties*: HTTP headers, and of a page blob its length and sequence number, in one step.
//!
//! If one HTTP header is given, those that are not are cleared; so are all if the request asks for nothing else. A
//! request for a length or a number alone leaves them as they are (page "Set Blob Properties", remarks).

use crate::blob::{BlobService, address, headers, page};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, encryption, header};
use storage_engine::blob::{Alteration, Altered, BlobAddress, Conditions, ContentHeaders, SequenceAction};
use storage_engine::seal::EncryptionWish;

pub(crate) struct SetBlobProperties;

pub(crate) struct Request {
    at: BlobAddress,
    what: Alteration,
    wish: Option<EncryptionWish>,
    conditions: Conditions,
}

impl Operation for SetBlobProperties {
    type Service = BlobService;
    type Request = Request;
    type Response = Altered;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::encrypted_blob(head)?;
        // Headers are not encrypted, so a key is not asked for. One that is brought must be the blob's.
        let brought = encryption::is_brought(head);
        let wish = brought.then(|| encryption::of(head)).transpose()?;
        let length = page::length(head)?;
        let sequence = sequence(head)?;
        let headers = headers::content_headers(head)?;
        let alone = length.is_none() && sequence.is_none();
        let headers = (alone || headers != ContentHeaders::default()).then_some(headers);
        let what = Alteration { headers, length, sequence };
        Ok(Request { at, what, wish, conditions: condition::of_write(head)? })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Altered, StorageError> {
        let Request { at, what, wish, conditions } = request;
        if let Some(wish) = wish {
            service.sealing_of(&at, wish).await?;
        }
        service
            .store
            .alter(&at, what, conditions)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(altered: Altered) -> http::Response<Body> {
        let mut response = headers::stamped(altered.stamp);
        if let Some(number) = altered.sequence_number {
            headers::set(response.headers_mut(), header::X_MS_BLOB_SEQUENCE_NUMBER, &number.to_string());
        }
        response
    }
}

/// What is to become of the sequence number.
///
/// # Errors
/// `InvalidHeaderValue`; `MissingRequiredHeader` for an action without its number, or a number without an action.
fn sequence(head: &Head) -> Result<Option<SequenceAction>, StorageError> {
    let number = page::sequence_number(head)?;
    let Some(action) = head.text(header::X_MS_SEQUENCE_NUMBER_ACTION)? else {
        return match number {
            None => Ok(None),
            Some(_) => Err(StorageError::missing_header(header::X_MS_SEQUENCE_NUMBER_ACTION)),
        };
    };
    let required = || number.ok_or_else(|| StorageError::missing_header(header::X_MS_BLOB_SEQUENCE_NUMBER));
    match action.to_ascii_lowercase().as_str() {
        "max" => Ok(Some(SequenceAction::Max(required()?))),
        "update" => Ok(Some(SequenceAction::Update(required()?))),
        "increment" => match number {
            None => Ok(Some(SequenceAction::Increment)),
            Some(number) => {
                Err(StorageError::invalid_header(header::X_MS_BLOB_SEQUENCE_NUMBER, &number.to_string()))
            }
        },
        _ => Err(StorageError::invalid_header(header::X_MS_SEQUENCE_NUMBER_ACTION, action)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    fn decode(headers: &[(&str, &str)]) -> Result<Alteration, ErrorCode> {
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b?comp=properties", headers);
        SetBlobProperties::decode(&head, Payload::None)
            .map(|request| request.what)
            .map_err(|error| error.code)
    }

    #[test]
    fn headers_not_given_are_cleared_and_the_requests_own_do_not_count() {
        let what =
            decode(&[("x-ms-blob-cache-control", "no-store"), ("content-type", "text/plain")]).unwrap();
        let expected = ContentHeaders { cache_control: "no-store".into(), ..ContentHeaders::default() };
        assert_eq!(what, Alteration { headers: Some(expected), ..Alteration::default() });
        assert_eq!(decode(&[]).unwrap().headers, Some(ContentHeaders::default()));
        assert_eq!(decode(&[("x-ms-blob-content-md5", "x")]), Err(ErrorCode::InvalidMd5));
    }

    #[test]
    fn a_length_or_a_number_alone_leaves_headers_as_they_are() {
        let length = ("x-ms-blob-content-length", "1024");
        let increment = ("x-ms-sequence-number-action", "Increment");
        assert_eq!(decode(&[length]).unwrap(), Alteration { length: Some(1024), ..Alteration::default() });
        let all = decode(&[length, increment, ("x-ms-blob-content-type", "a/b")]).unwrap();
        assert_eq!((all.length, all.sequence), (Some(1024), Some(SequenceAction::Increment)));
        assert_eq!(all.headers.unwrap().content_type, "a/b");
    }

    #[test]
    fn an_action_comes_with_what_it_needs() {
        let action = |name| ("x-ms-sequence-number-action", name);
        let number = ("x-ms-blob-sequence-number", "9");
        let sequence = |headers: &[(&str, &str)]| decode(headers).map(|what| what.sequence);
        assert_eq!(sequence(&[action("max"), number]), Ok(Some(SequenceAction::Max(9))));
        assert_eq!(sequence(&[action("UPDATE"), number]), Ok(Some(SequenceAction::Update(9))));
        assert_eq!(sequence(&[action("max")]), Err(ErrorCode::MissingRequiredHeader));
        assert_eq!(sequence(&[number]), Err(ErrorCode::MissingRequiredHeader));
        assert_eq!(sequence(&[action("increment"), number]), Err(ErrorCode::InvalidHeaderValue));
        assert_eq!(sequence(&[action("double"), number]), Err(ErrorCode::InvalidHeaderValue));
    }
}
