//! The map of the Table service: one line, one logged operation.

use super::TableService;
use super::account::{BATCH_BYTES_MAX, EntityGroupTransaction, QueryTables};
use super::change::DOCUMENT_BYTES_MAX;
use super::entity::{
    DeleteEntity, GetEntity, InsertEntity, Merge, QueryEntities, Replace, Seen, Whatever, WriteEntity,
};
use super::table::{CreateTable, DeleteTable, GetTable};
use crate::body::BodyKind::{self, Whole};
use crate::header::IF_MATCH;
use crate::operation::Guard::{Has, Lacks};
use crate::operation::{Access, Row};
use crate::service::{
    self, GetAcl, GetServiceProperties, GetServiceStats, PreflightRequest, SetAcl, SetServiceProperties,
};
use crate::target::Level;

/// The document of a table to be made.
const TABLE: BodyKind = Whole(64 << 10);
/// The document of an entity.
const ENTITY: BodyKind = Whole(DOCUMENT_BYTES_MAX);

/// All operations of the service.
#[rustfmt::skip]
pub static OPERATIONS: &[Row<TableService>] = &[
    Row::new::<SetServiceProperties<TableService>>("SetTableServiceProperties", "PUT", Level::Service, Access::Write, 202).restype("service").comp("properties").body(Whole(service::DOCUMENT_BYTES_MAX)),
    Row::new::<GetServiceProperties<TableService>>("GetTableServiceProperties", "GET", Level::Service, Access::Read, 200).restype("service").comp("properties"),
    Row::new::<GetServiceStats<TableService>>("GetTableServiceStats", "GET", Level::Service, Access::Read, 200).restype("service").comp("stats"),
    Row::new::<PreflightRequest<TableService>>("PreflightTableRequest", "OPTIONS", Level::Service, Access::Open, 200).any_query(),
    Row::new::<PreflightRequest<TableService>>("PreflightTableRequest", "OPTIONS", Level::Tables, Access::Open, 200).any_query(),
    Row::new::<PreflightRequest<TableService>>("PreflightTableRequest", "OPTIONS", Level::TableItem, Access::Open, 200).any_query(),
    Row::new::<PreflightRequest<TableService>>("PreflightTableRequest", "OPTIONS", Level::Table, Access::Open, 200).any_query(),
    Row::new::<PreflightRequest<TableService>>("PreflightTableRequest", "OPTIONS", Level::Entity, Access::Open, 200).any_query(),
    Row::new::<PreflightRequest<TableService>>("PreflightTableRequest", "OPTIONS", Level::Batch, Access::Open, 200).any_query(),
    Row::new::<GetAcl<TableService>>("GetTableAcl", "GET", Level::Table, Access::Policies, 200).comp("acl"),
    Row::new::<GetAcl<TableService>>("GetTableAcl", "HEAD", Level::Table, Access::Policies, 200).comp("acl"),
    Row::new::<SetAcl<TableService>>("SetTableAcl", "PUT", Level::Table, Access::Policies, 204).comp("acl").body(Whole(service::DOCUMENT_BYTES_MAX)),
    Row::new::<QueryTables>("QueryTables", "GET", Level::Tables, Access::List, 200),
    Row::new::<QueryTables>("QueryTables", "HEAD", Level::Tables, Access::List, 200),
    Row::new::<GetTable>("QueryTable", "GET", Level::TableItem, Access::List, 200),
    Row::new::<GetTable>("QueryTable", "HEAD", Level::TableItem, Access::List, 200),
    Row::new::<CreateTable>("CreateTable", "POST", Level::Tables, Access::Create, 201).body(TABLE),
    Row::new::<DeleteTable>("DeleteTable", "DELETE", Level::TableItem, Access::Delete, 204),
    Row::new::<QueryEntities>("QueryEntities", "GET", Level::Table, Access::Read, 200),
    Row::new::<QueryEntities>("QueryEntities", "HEAD", Level::Table, Access::Read, 200),
    Row::new::<GetEntity>("QueryEntity", "GET", Level::Entity, Access::Read, 200),
    Row::new::<GetEntity>("QueryEntity", "HEAD", Level::Entity, Access::Read, 200),
    Row::new::<InsertEntity>("InsertEntity", "POST", Level::Table, Access::Add, 201).body(ENTITY),
    Row::new::<WriteEntity<Replace, Seen>>("UpdateEntity", "PUT", Level::Entity, Access::Update, 204).when(&[Has(IF_MATCH)]).body(ENTITY),
    Row::new::<WriteEntity<Replace, Whatever>>("InsertOrReplaceEntity", "PUT", Level::Entity, Access::Upsert, 204).when(&[Lacks(IF_MATCH)]).body(ENTITY),
    Row::new::<WriteEntity<Merge, Seen>>("MergeEntity", "MERGE", Level::Entity, Access::Update, 204).when(&[Has(IF_MATCH)]).body(ENTITY),
    Row::new::<WriteEntity<Merge, Seen>>("MergeEntity", "PATCH", Level::Entity, Access::Update, 204).when(&[Has(IF_MATCH)]).body(ENTITY),
    Row::new::<WriteEntity<Merge, Whatever>>("InsertOrMergeEntity", "MERGE", Level::Entity, Access::Upsert, 204).when(&[Lacks(IF_MATCH)]).body(ENTITY),
    Row::new::<WriteEntity<Merge, Whatever>>("InsertOrMergeEntity", "PATCH", Level::Entity, Access::Upsert, 204).when(&[Lacks(IF_MATCH)]).body(ENTITY),
    Row::new::<DeleteEntity>("DeleteEntity", "DELETE", Level::Entity, Access::Delete, 204).when(&[Has(IF_MATCH)]),
    Row::new::<EntityGroupTransaction>("EntityGroupTransaction", "POST", Level::Batch, Access::Batch, 202).body(Whole(BATCH_BYTES_MAX)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::operation::{overlaps, resolve};
    use crate::target::ServiceKind;
    use crate::testing::head;

    #[test]
    fn no_request_means_two_operations() {
        assert_eq!(overlaps(OPERATIONS), []);
    }

    #[test]
    fn the_pages_own_examples_mean_their_operations() {
        let entity = "/acc/tab(PartitionKey='p',RowKey='r')";
        let any = [("if-match", "*")];
        for (method, url, headers, name) in [
            ("GET", "/acc/Tables?$top=5", &[][..], "QueryTables"),
            ("PUT", "/acc?restype=service&comp=properties", &[], "SetTableServiceProperties"),
            ("GET", "/acc/?restype=service&comp=properties", &[], "GetTableServiceProperties"),
            ("GET", "/acc-secondary?restype=service&comp=stats", &[], "GetTableServiceStats"),
            ("OPTIONS", "/acc/tab(PartitionKey='p',RowKey='r')?$select=a", &[], "PreflightTableRequest"),
            ("GET", "/acc/tab?comp=acl", &[], "GetTableAcl"),
            ("PUT", "/acc/tab?comp=acl", &[], "SetTableAcl"),
            ("GET", "/acc/Tables()", &[], "QueryTables"),
            ("GET", "/acc/Tables('tab')", &[], "QueryTable"),
            ("HEAD", "/acc/Tables", &[], "QueryTables"),
            ("HEAD", "/acc/Tables('tab')", &[], "QueryTable"),
            ("HEAD", "/acc/tab()", &[], "QueryEntities"),
            ("HEAD", entity, &[], "QueryEntity"),
            ("POST", "/acc/Tables", &[], "CreateTable"),
            ("DELETE", "/acc/Tables('tab')", &[], "DeleteTable"),
            ("GET", "/acc/tab()", &[], "QueryEntities"),
            ("GET", "/acc/tab?$filter=A", &[], "QueryEntities"),
            ("GET", entity, &[], "QueryEntity"),
            ("POST", "/acc/tab", &[], "InsertEntity"),
            ("PUT", entity, &any, "UpdateEntity"),
            ("PUT", entity, &[], "InsertOrReplaceEntity"),
            ("MERGE", entity, &any, "MergeEntity"),
            ("PATCH", entity, &any, "MergeEntity"),
            ("MERGE", entity, &[], "InsertOrMergeEntity"),
            ("PATCH", entity, &[], "InsertOrMergeEntity"),
            ("DELETE", entity, &any, "DeleteEntity"),
            ("POST", "/acc/$batch", &[], "EntityGroupTransaction"),
        ] {
            let row = resolve(OPERATIONS, &head(ServiceKind::Table, method, url, headers)).unwrap();
            assert_eq!(row.name, name, "{method} {url}");
        }
        let unguarded = resolve(OPERATIONS, &head(ServiceKind::Table, "DELETE", entity, &[])).err().unwrap();
        assert_eq!(unguarded.code, ErrorCode::MissingRequiredHeader);
    }
}
