//! The map of the Blob service: one line, one logged operation.

use super::BlobService;
use super::account::{GetAccountInformation, ListContainers};
use super::append::{AppendBlobSeal, AppendBlock, PutAppendBlob};
use super::blob::{
    DeleteBlob, DeleteImmutabilityPolicy, GetBlob, GetBlobMetadata, GetBlobProperties, GetBlobTags,
    LeaseBlob, PutBlob, QueryBlobContents, SetBlobExpiry, SetBlobLegalHold, SetBlobMetadata,
    SetBlobProperties, SetBlobTags, SetBlobTier, SetImmutabilityPolicy, SnapshotBlob, UndeleteBlob,
};
use super::blob_batch::{BATCH_BYTES_MAX, BlobBatch};
use super::block::{GetBlockList, PutBlock, PutBlockList};
use super::container::{
    CreateContainer, DeleteContainer, GetContainerAcl, GetContainerMetadata, GetContainerProperties,
    LeaseContainer, ListBlobs, RenameContainer, RestoreContainer, SetContainerAcl, SetContainerMetadata,
};
use super::copy::{
    AbortCopyBlob, AppendBlockFromUrl, CopyBlob, CopyBlobFromUrl, IncrementalCopyBlob, PutBlobFromUrl,
    PutBlockFromUrl, PutPageFromUrl,
};
use super::find_blobs_by_tags::FindBlobsByTags;
use super::lease::{Acquire, Break, Change, Release, Renew};
use super::page::{ClearPage, GetPageRanges, GetPageRangesDiff, PutPage, PutPageBlob};
use super::website::GetWebContent;
use crate::body::BodyKind;
use crate::content::{APPEND_BYTES_MAX, BLOB_BYTES_MAX, BLOCK_BYTES_MAX, PAGES_BYTES_MAX};
use crate::header;
use crate::operation::Guard::{Has, HasQuery, Is, IsNot, Lacks, LacksQuery};
use crate::operation::{Access, Guard, Row};
use crate::service::{
    DOCUMENT_BYTES_MAX, GetServiceProperties, GetServiceStats, GetUserDelegationKey, KEY_INFO_BYTES_MAX,
    PreflightRequest, SetServiceProperties,
};
use crate::structured::FRAMING_BYTES_MAX;
use crate::target::Level;

/// A list of 50,000 ids of 64 bytes, each in its tags on a line of its own.
const BLOCK_LIST_BYTES_MAX: u64 = 8 << 20;

/// Past states are never changed so: what is addressed is the blob as it is.
const CURRENT: &[Guard] = &[LacksQuery("snapshot"), LacksQuery("versionid")];

/// As [`CURRENT`], with what else must hold.
macro_rules! current {
    ($($guard:expr),+ $(,)?) => {
        &[LacksQuery("snapshot"), LacksQuery("versionid"), $($guard),+]
    };
}

/// The action of a lease, on the blob as it is.
macro_rules! leases {
    ($action:literal) => {
        current![Is(header::X_MS_LEASE_ACTION, $action)]
    };
}

/// All operations of the service.
#[rustfmt::skip]
pub static OPERATIONS: &[Row<BlobService>] = &[
    Row::new::<ListContainers>("ListContainers", "GET", Level::Service, Access::List, 200).comp("list"),
    Row::new::<GetUserDelegationKey<BlobService>>("GetUserDelegationKey", "POST", Level::Service, Access::DelegationKey, 200)
        .restype("service")
        .comp("userdelegationkey")
        .body(BodyKind::Whole(KEY_INFO_BYTES_MAX)),
    Row::new::<SetServiceProperties<BlobService>>("SetBlobServiceProperties", "PUT", Level::Service, Access::Write, 202).restype("service").comp("properties").body(BodyKind::Whole(DOCUMENT_BYTES_MAX)),
    Row::new::<GetServiceProperties<BlobService>>("GetBlobServiceProperties", "GET", Level::Service, Access::Read, 200).restype("service").comp("properties"),
    Row::new::<GetServiceStats<BlobService>>("GetBlobServiceStats", "GET", Level::Service, Access::Read, 200).restype("service").comp("stats"),
    Row::new::<GetAccountInformation>("GetAccountInformation", "GET", Level::Service, Access::Known, 200).restype("account").comp("properties"),
    Row::new::<GetAccountInformation>("GetAccountInformation", "HEAD", Level::Service, Access::Known, 200).restype("account").comp("properties"),
    Row::new::<GetAccountInformation>("GetAccountInformation", "GET", Level::Container, Access::Known, 200).restype("account").comp("properties"),
    Row::new::<GetAccountInformation>("GetAccountInformation", "HEAD", Level::Container, Access::Known, 200).restype("account").comp("properties"),
    Row::new::<GetAccountInformation>("GetAccountInformation", "GET", Level::Blob, Access::Known, 200).restype("account").comp("properties"),
    Row::new::<GetAccountInformation>("GetAccountInformation", "HEAD", Level::Blob, Access::Known, 200).restype("account").comp("properties"),
    Row::new::<BlobBatch>("BlobBatch", "POST", Level::Service, Access::Batch, 202).comp("batch").body(BodyKind::Whole(BATCH_BYTES_MAX)),
    // The JavaScript client takes the account in a path for a container.
    Row::new::<BlobBatch>("BlobBatch", "POST", Level::Service, Access::Batch, 202).restype("container").comp("batch").body(BodyKind::Whole(BATCH_BYTES_MAX)),
    Row::new::<BlobBatch>("BlobBatch", "POST", Level::Container, Access::Batch, 202).restype("container").comp("batch").body(BodyKind::Whole(BATCH_BYTES_MAX)),
    Row::new::<FindBlobsByTags>("FindBlobsByTags", "GET", Level::Service, Access::Filter, 200).comp("blobs"),
    Row::new::<FindBlobsByTags>("FindBlobsByTags", "GET", Level::Container, Access::Filter, 200).restype("container").comp("blobs"),
    Row::new::<PreflightRequest<BlobService>>("PreflightBlobRequest", "OPTIONS", Level::Service, Access::Open, 200).any_query(),
    Row::new::<PreflightRequest<BlobService>>("PreflightBlobRequest", "OPTIONS", Level::Container, Access::Open, 200).any_query(),
    Row::new::<PreflightRequest<BlobService>>("PreflightBlobRequest", "OPTIONS", Level::Blob, Access::Open, 200).any_query(),
    Row::new::<PreflightRequest<BlobService>>("PreflightBlobRequest", "OPTIONS", Level::Website, Access::Open, 200).any_query(),
    Row::new::<GetWebContent>("GetWebContent", "GET", Level::Website, Access::Open, 200).any_query(),
    Row::new::<GetWebContent>("GetWebContent", "HEAD", Level::Website, Access::Open, 200).any_query(),

    Row::new::<CreateContainer>("CreateContainer", "PUT", Level::Container, Access::Create, 201).restype("container"),
    Row::new::<GetContainerProperties>("GetContainerProperties", "GET", Level::Container, Access::Read, 200).restype("container"),
    Row::new::<GetContainerProperties>("GetContainerProperties", "HEAD", Level::Container, Access::Read, 200).restype("container"),
    Row::new::<GetContainerMetadata>("GetContainerMetadata", "GET", Level::Container, Access::Read, 200).restype("container").comp("metadata"),
    Row::new::<GetContainerMetadata>("GetContainerMetadata", "HEAD", Level::Container, Access::Read, 200).restype("container").comp("metadata"),
    Row::new::<SetContainerMetadata>("SetContainerMetadata", "PUT", Level::Container, Access::Write, 200).restype("container").comp("metadata"),
    Row::new::<GetContainerAcl>("GetContainerAcl", "GET", Level::Container, Access::Policies, 200).restype("container").comp("acl"),
    Row::new::<GetContainerAcl>("GetContainerAcl", "HEAD", Level::Container, Access::Policies, 200).restype("container").comp("acl"),
    Row::new::<SetContainerAcl>("SetContainerAcl", "PUT", Level::Container, Access::Policies, 200).restype("container").comp("acl").body(BodyKind::Whole(DOCUMENT_BYTES_MAX)),
    Row::new::<DeleteContainer>("DeleteContainer", "DELETE", Level::Container, Access::Delete, 202).restype("container"),
    Row::new::<RestoreContainer>("RestoreContainer", "PUT", Level::Container, Access::Write, 201).restype("container").comp("undelete"),
    Row::new::<RenameContainer>("RenameContainer", "PUT", Level::Container, Access::Write, 200).restype("container").comp("rename"),
    Row::new::<LeaseContainer<Acquire>>("AcquireContainerLease", "PUT", Level::Container, Access::Write, 201).restype("container").comp("lease").when(leases!("acquire")),
    Row::new::<LeaseContainer<Renew>>("RenewContainerLease", "PUT", Level::Container, Access::Write, 200).restype("container").comp("lease").when(leases!("renew")),
    Row::new::<LeaseContainer<Change>>("ChangeContainerLease", "PUT", Level::Container, Access::Write, 200).restype("container").comp("lease").when(leases!("change")),
    Row::new::<LeaseContainer<Release>>("ReleaseContainerLease", "PUT", Level::Container, Access::Write, 200).restype("container").comp("lease").when(leases!("release")),
    Row::new::<LeaseContainer<Break>>("BreakContainerLease", "PUT", Level::Container, Access::BreakLease, 202).restype("container").comp("lease").when(leases!("break")),
    Row::new::<ListBlobs>("ListBlobs", "GET", Level::Container, Access::List, 200).restype("container").comp("list"),

    Row::new::<PutBlob>("PutBlob", "PUT", Level::Blob, Access::Create, 201)
        .when(current![
            Lacks(header::X_MS_COPY_SOURCE),
            Is(header::X_MS_BLOB_TYPE, "BlockBlob"),
        ])
        .body(BodyKind::Stream(BLOB_BYTES_MAX + FRAMING_BYTES_MAX)),
    Row::new::<PutAppendBlob>("PutBlob", "PUT", Level::Blob, Access::Create, 201)
        .when(current![Lacks(header::X_MS_COPY_SOURCE), Is(header::X_MS_BLOB_TYPE, "AppendBlob")]),
    Row::new::<PutPageBlob>("PutBlob", "PUT", Level::Blob, Access::Create, 201)
        .when(current![Lacks(header::X_MS_COPY_SOURCE), Is(header::X_MS_BLOB_TYPE, "PageBlob")]),
    Row::new::<GetBlob>("GetBlob", "GET", Level::Blob, Access::Read, 200),
    Row::new::<GetBlobProperties>("GetBlobProperties", "HEAD", Level::Blob, Access::Read, 200),
    Row::new::<GetBlobMetadata>("GetBlobMetadata", "GET", Level::Blob, Access::Read, 200).comp("metadata"),
    Row::new::<GetBlobMetadata>("GetBlobMetadata", "HEAD", Level::Blob, Access::Read, 200).comp("metadata"),
    Row::new::<SetBlobMetadata>("SetBlobMetadata", "PUT", Level::Blob, Access::Write, 200).comp("metadata").when(CURRENT),
    Row::new::<SetBlobProperties>("SetBlobProperties", "PUT", Level::Blob, Access::Write, 200)
        .comp("properties")
        .when(CURRENT),
    Row::new::<QueryBlobContents>("QueryBlobContents", "POST", Level::Blob, Access::Read, 200)
        .comp("query")
        .body(BodyKind::Whole(super::blob::query_blob_contents::DOCUMENT_BYTES_MAX)),
    Row::new::<GetBlobTags>("GetBlobTags", "GET", Level::Blob, Access::Tags, 200).comp("tags"),
    Row::new::<SetBlobTags>("SetBlobTags", "PUT", Level::Blob, Access::Tags, 204).comp("tags").body(BodyKind::Whole(super::tag_document::DOCUMENT_BYTES_MAX)),
    Row::new::<DeleteBlob>("DeleteBlob", "DELETE", Level::Blob, Access::Delete, 202)
        .when(&[LacksQuery("snapshot"), LacksQuery("versionid"), LacksQuery("deletetype")]),
    Row::new::<DeleteBlob>("DeleteBlob", "DELETE", Level::Blob, Access::Delete, 202)
        .when(&[HasQuery("snapshot"), LacksQuery("versionid"), LacksQuery("deletetype")]),
    Row::new::<DeleteBlob>("DeleteBlob", "DELETE", Level::Blob, Access::DeleteVersion, 202)
        .when(&[HasQuery("versionid"), LacksQuery("deletetype")]),
    Row::new::<DeleteBlob>("DeleteBlob", "DELETE", Level::Blob, Access::PermanentDelete, 202).when(&[HasQuery("deletetype")]),
    Row::new::<UndeleteBlob>("UndeleteBlob", "PUT", Level::Blob, Access::Write, 200).comp("undelete").when(CURRENT),
    Row::new::<SnapshotBlob>("SnapshotBlob", "PUT", Level::Blob, Access::Create, 201).comp("snapshot").when(CURRENT),
    Row::new::<LeaseBlob<Acquire>>("AcquireBlobLease", "PUT", Level::Blob, Access::Write, 201).comp("lease").when(leases!("acquire")),
    Row::new::<LeaseBlob<Renew>>("RenewBlobLease", "PUT", Level::Blob, Access::Write, 200).comp("lease").when(leases!("renew")),
    Row::new::<LeaseBlob<Change>>("ChangeBlobLease", "PUT", Level::Blob, Access::Write, 200).comp("lease").when(leases!("change")),
    Row::new::<LeaseBlob<Release>>("ReleaseBlobLease", "PUT", Level::Blob, Access::Write, 200).comp("lease").when(leases!("release")),
    Row::new::<LeaseBlob<Break>>("BreakBlobLease", "PUT", Level::Blob, Access::BreakLease, 202).comp("lease").when(leases!("break")),
    Row::new::<SetBlobTier>("SetBlobTier", "PUT", Level::Blob, Access::Write, 200).comp("tier"),
    Row::new::<SetBlobExpiry>("SetBlobExpiry", "PUT", Level::Blob, Access::Write, 200).comp("expiry").when(CURRENT),
    Row::new::<SetImmutabilityPolicy>("SetBlobImmutabilityPolicy", "PUT", Level::Blob, Access::Immutability, 200).comp("immutabilityPolicies"),
    Row::new::<DeleteImmutabilityPolicy>("DeleteBlobImmutabilityPolicy", "DELETE", Level::Blob, Access::Immutability, 200).comp("immutabilityPolicies"),
    Row::new::<SetBlobLegalHold>("SetBlobLegalHold", "PUT", Level::Blob, Access::Immutability, 200).comp("legalhold"),

    Row::new::<PutBlock>("PutBlock", "PUT", Level::Blob, Access::Write, 201)
        .comp("block")
        .when(current![Lacks(header::X_MS_COPY_SOURCE)])
        .body(BodyKind::Stream(BLOCK_BYTES_MAX + FRAMING_BYTES_MAX)),
    Row::new::<PutBlockList>("PutBlockList", "PUT", Level::Blob, Access::Write, 201)
        .comp("blocklist")
        .when(CURRENT)
        .body(BodyKind::Whole(BLOCK_LIST_BYTES_MAX)),
    Row::new::<GetBlockList>("GetBlockList", "GET", Level::Blob, Access::Read, 200).comp("blocklist"),

    Row::new::<AppendBlock>("AppendBlock", "PUT", Level::Blob, Access::Append, 201)
        .comp("appendblock")
        .when(current![Lacks(header::X_MS_COPY_SOURCE)])
        .body(BodyKind::Stream(APPEND_BYTES_MAX + FRAMING_BYTES_MAX)),
    Row::new::<AppendBlobSeal>("AppendBlobSeal", "PUT", Level::Blob, Access::Write, 200).comp("seal").when(CURRENT),

    Row::new::<PutPage>("PutPage", "PUT", Level::Blob, Access::Write, 201)
        .comp("page")
        .when(current![Lacks(header::X_MS_COPY_SOURCE), Is(header::X_MS_PAGE_WRITE, "update")])
        .body(BodyKind::Stream(PAGES_BYTES_MAX + FRAMING_BYTES_MAX)),
    Row::new::<ClearPage>("ClearPage", "PUT", Level::Blob, Access::Write, 201)
        .comp("page")
        .when(current![Lacks(header::X_MS_COPY_SOURCE), Is(header::X_MS_PAGE_WRITE, "clear")]),
    Row::new::<GetPageRanges>("GetPageRanges", "GET", Level::Blob, Access::Read, 200)
        .comp("pagelist")
        .when(&[LacksQuery("versionid"), LacksQuery("prevsnapshot"), Lacks(header::X_MS_PREVIOUS_SNAPSHOT_URL)]),
    Row::new::<GetPageRangesDiff>("GetPageRangesDiff", "GET", Level::Blob, Access::Read, 200)
        .comp("pagelist")
        .when(&[LacksQuery("versionid"), HasQuery("prevsnapshot"), Lacks(header::X_MS_PREVIOUS_SNAPSHOT_URL)]),
    Row::new::<GetPageRangesDiff>("GetPageRangesDiff", "GET", Level::Blob, Access::Read, 200)
        .comp("pagelist")
        .when(&[LacksQuery("versionid"), LacksQuery("prevsnapshot"), Has(header::X_MS_PREVIOUS_SNAPSHOT_URL)]),

    Row::new::<CopyBlob>("CopyBlob", "PUT", Level::Blob, Access::Create, 202)
        .when(current![
            Has(header::X_MS_COPY_SOURCE),
            IsNot(header::X_MS_BLOB_TYPE, "BlockBlob"),
            IsNot(header::X_MS_REQUIRES_SYNC, "true"),
        ]),
    Row::new::<CopyBlobFromUrl>("CopyBlobFromUrl", "PUT", Level::Blob, Access::Create, 202)
        .when(current![
            Has(header::X_MS_COPY_SOURCE),
            IsNot(header::X_MS_BLOB_TYPE, "BlockBlob"),
            Is(header::X_MS_REQUIRES_SYNC, "true"),
        ]),
    Row::new::<AbortCopyBlob>("AbortCopyBlob", "PUT", Level::Blob, Access::Write, 204)
        .comp("copy")
        .when(current![Is(header::X_MS_COPY_ACTION, "abort")]),
    Row::new::<IncrementalCopyBlob>("IncrementalCopyBlob", "PUT", Level::Blob, Access::Create, 202)
        .comp("incrementalcopy")
        .when(CURRENT),
    Row::new::<PutBlobFromUrl>("PutBlobFromUrl", "PUT", Level::Blob, Access::Create, 201)
        .when(current![Has(header::X_MS_COPY_SOURCE), Is(header::X_MS_BLOB_TYPE, "BlockBlob")]),
    Row::new::<PutBlockFromUrl>("PutBlockFromUrl", "PUT", Level::Blob, Access::Write, 201)
        .comp("block")
        .when(current![Has(header::X_MS_COPY_SOURCE)]),
    Row::new::<AppendBlockFromUrl>("AppendBlockFromUrl", "PUT", Level::Blob, Access::Append, 201)
        .comp("appendblock")
        .when(current![Has(header::X_MS_COPY_SOURCE)]),
    Row::new::<PutPageFromUrl>("PutPageFromUrl", "PUT", Level::Blob, Access::Write, 201)
        .comp("page")
        .when(current![Has(header::X_MS_COPY_SOURCE), Is(header::X_MS_PAGE_WRITE, "update")]),
];

#[cfg(test)]
mod tests;
