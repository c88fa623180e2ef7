//! The map of the Queue service: one line, one logged operation.

use super::QueueService;
use super::account::ListQueues;
use super::message::{
    ClearMessages, DOCUMENT_BYTES_MAX, DeleteMessage, GetMessages, PeekMessages, PutMessage, UpdateMessage,
};
use super::queue::{CreateQueue, DeleteQueue, GetQueueMetadata, SetQueueMetadata};
use crate::body::BodyKind::Whole;
use crate::operation::Guard::{IsNotQuery, IsQuery};
use crate::operation::{Access, Row};
use crate::service::{
    self, GetAcl, GetServiceProperties, GetServiceStats, GetUserDelegationKey, KEY_INFO_BYTES_MAX,
    PreflightRequest, SetAcl, SetServiceProperties,
};
use crate::target::Level;

/// All operations of the service.
#[rustfmt::skip]
pub static OPERATIONS: &[Row<QueueService>] = &[
    Row::new::<ListQueues>("ListQueues", "GET", Level::Service, Access::List, 200).comp("list"),
    Row::new::<GetUserDelegationKey<QueueService>>("GetUserDelegationKey", "POST", Level::Service, Access::DelegationKey, 200).restype("service").comp("userdelegationkey").body(Whole(KEY_INFO_BYTES_MAX)),
    Row::new::<SetServiceProperties<QueueService>>("SetQueueServiceProperties", "PUT", Level::Service, Access::Write, 202).restype("service").comp("properties").body(Whole(service::DOCUMENT_BYTES_MAX)),
    Row::new::<GetServiceProperties<QueueService>>("GetQueueServiceProperties", "GET", Level::Service, Access::Read, 200).restype("service").comp("properties"),
    Row::new::<GetServiceStats<QueueService>>("GetQueueServiceStats", "GET", Level::Service, Access::Read, 200).restype("service").comp("stats"),
    Row::new::<PreflightRequest<QueueService>>("PreflightQueueRequest", "OPTIONS", Level::Service, Access::Open, 200).any_query(),
    Row::new::<PreflightRequest<QueueService>>("PreflightQueueRequest", "OPTIONS", Level::Queue, Access::Open, 200).any_query(),
    Row::new::<PreflightRequest<QueueService>>("PreflightQueueRequest", "OPTIONS", Level::Messages, Access::Open, 200).any_query(),
    Row::new::<PreflightRequest<QueueService>>("PreflightQueueRequest", "OPTIONS", Level::Message, Access::Open, 200).any_query(),
    Row::new::<GetAcl<QueueService>>("GetQueueAcl", "GET", Level::Queue, Access::Policies, 200).comp("acl"),
    Row::new::<GetAcl<QueueService>>("GetQueueAcl", "HEAD", Level::Queue, Access::Policies, 200).comp("acl"),
    Row::new::<SetAcl<QueueService>>("SetQueueAcl", "PUT", Level::Queue, Access::Policies, 204).comp("acl").body(Whole(service::DOCUMENT_BYTES_MAX)),
    Row::new::<CreateQueue>("CreateQueue", "PUT", Level::Queue, Access::Create, 201),
    Row::new::<DeleteQueue>("DeleteQueue", "DELETE", Level::Queue, Access::Delete, 204),
    Row::new::<GetQueueMetadata>("GetQueueMetadata", "GET", Level::Queue, Access::Read, 200).comp("metadata"),
    Row::new::<GetQueueMetadata>("GetQueueMetadata", "HEAD", Level::Queue, Access::Read, 200).comp("metadata"),
    Row::new::<SetQueueMetadata>("SetQueueMetadata", "PUT", Level::Queue, Access::Write, 204).comp("metadata"),
    Row::new::<PutMessage>("PutMessage", "POST", Level::Messages, Access::Add, 201).body(Whole(DOCUMENT_BYTES_MAX)),
    Row::new::<GetMessages>("GetMessages", "GET", Level::Messages, Access::Process, 200).when(&[IsNotQuery("peekonly", "true")]),
    Row::new::<PeekMessages>("PeekMessages", "GET", Level::Messages, Access::Read, 200).when(&[IsQuery("peekonly", "true")]),
    Row::new::<ClearMessages>("ClearMessages", "DELETE", Level::Messages, Access::Delete, 204),
    Row::new::<UpdateMessage>("UpdateMessage", "PUT", Level::Message, Access::Update, 204).body(Whole(DOCUMENT_BYTES_MAX)),
    Row::new::<DeleteMessage>("DeleteMessage", "DELETE", Level::Message, Access::Process, 204),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{overlaps, resolve};
    use crate::target::ServiceKind;
    use crate::testing::head;

    #[test]
    fn no_request_means_two_operations() {
        assert_eq!(overlaps(OPERATIONS), []);
    }

    #[test]
    fn taking_messages_is_no_read_and_peeking_is() {
        let writes = |name| OPERATIONS.iter().find(|row| row.name == name).map(crate::operation::Row::writes);
        assert_eq!((writes("GetMessages"), writes("PeekMessages")), (Some(true), Some(false)));
    }

    #[test]
    fn the_pages_own_examples_mean_their_operations() {
        for (method, url, name) in [
            ("GET", "/acc?comp=list&prefix=a", "ListQueues"),
            ("POST", "/acc?restype=service&comp=userdelegationkey", "GetUserDelegationKey"),
            ("PUT", "/acc?restype=service&comp=properties", "SetQueueServiceProperties"),
            ("GET", "/acc/?restype=service&comp=properties", "GetQueueServiceProperties"),
            ("GET", "/acc-secondary?restype=service&comp=stats", "GetQueueServiceStats"),
            ("OPTIONS", "/acc/que/messages?peekonly=true", "PreflightQueueRequest"),
            ("HEAD", "/acc/que?comp=acl", "GetQueueAcl"),
            ("PUT", "/acc/que?comp=acl", "SetQueueAcl"),
            ("PUT", "/acc/que", "CreateQueue"),
            ("DELETE", "/acc/que", "DeleteQueue"),
            ("HEAD", "/acc/que?comp=metadata", "GetQueueMetadata"),
            ("PUT", "/acc/que?comp=metadata", "SetQueueMetadata"),
            ("POST", "/acc/que/messages?visibilitytimeout=3&messagettl=5", "PutMessage"),
            ("GET", "/acc/que/messages", "GetMessages"),
            ("GET", "/acc/que/messages?peekonly=false", "GetMessages"),
            ("GET", "/acc/que/messages?peekonly=true", "PeekMessages"),
            ("DELETE", "/acc/que/messages", "ClearMessages"),
            ("PUT", "/acc/que/messages/1?popreceipt=a&visibilitytimeout=1", "UpdateMessage"),
            ("DELETE", "/acc/que/messages/1?popreceipt=a", "DeleteMessage"),
        ] {
            let row = resolve(OPERATIONS, &head(ServiceKind::Queue, method, url, &[])).unwrap();
            assert_eq!(row.name, name, "{method} {url}");
        }
    }
}
