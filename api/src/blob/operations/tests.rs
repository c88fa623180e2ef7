//! Requests as the vendor's pages show them, and the rows that they are to mean.

use super::*;
use crate::error::ErrorCode;
use crate::operation::{overlaps, resolve};
use crate::target::ServiceKind;
use crate::testing;

const HOST: &str = "http://myaccount.blob.core.windows.net";

fn named(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<&'static str, ErrorCode> {
    let head = testing::head(ServiceKind::Blob, method, &format!("{HOST}{path}"), headers);
    resolve(OPERATIONS, &head).map(|row| row.name).map_err(|error| error.code)
}

#[test]
fn no_request_means_two_rows() {
    assert_eq!(overlaps(OPERATIONS), []);
}

#[test]
fn the_vendors_example_requests_mean_their_operations() {
    let block_blob = &[("x-ms-blob-type", "BlockBlob")][..];
    for (method, path, headers, name) in [
        ("GET", "/?comp=list&maxresults=3", &[][..], "ListContainers"),
        ("GET", "/?comp=list&include=metadata&timeout=30", &[], "ListContainers"),
        ("POST", "/?restype=service&comp=userdelegationkey", &[], "GetUserDelegationKey"),
        ("PUT", "/?restype=service&comp=properties", &[], "SetBlobServiceProperties"),
        ("GET", "/?restype=service&comp=properties", &[], "GetBlobServiceProperties"),
        ("GET", "/?restype=service&comp=stats", &[], "GetBlobServiceStats"),
        ("HEAD", "/?restype=account&comp=properties", &[], "GetAccountInformation"),
        ("GET", "/mycontainer?restype=account&comp=properties", &[], "GetAccountInformation"),
        ("GET", "/mycontainer/myblob?restype=account&comp=properties", &[], "GetAccountInformation"),
        ("OPTIONS", "/", &[], "PreflightBlobRequest"),
        ("OPTIONS", "/mycontainer?restype=container&comp=anything", &[], "PreflightBlobRequest"),
        ("OPTIONS", "/mycontainer/myblob?snapshot=x", &[], "PreflightBlobRequest"),
        ("GET", "/mycontainer?restype=container&comp=acl", &[], "GetContainerAcl"),
        ("HEAD", "/mycontainer?restype=container&comp=acl", &[], "GetContainerAcl"),
        ("PUT", "/mycontainer?restype=container&comp=acl", &[], "SetContainerAcl"),
        ("PUT", "/mycontainer?restype=container", &[("x-ms-meta-name", "x")], "CreateContainer"),
        ("GET", "/mycontainer?restype=container", &[], "GetContainerProperties"),
        ("HEAD", "/mycontainer?restype=container", &[], "GetContainerProperties"),
        ("GET", "/mycontainer?restype=container&comp=metadata", &[], "GetContainerMetadata"),
        ("HEAD", "/mycontainer?comp=metadata&restype=container", &[], "GetContainerMetadata"),
        ("PUT", "/mycontainer?restype=container&comp=metadata", &[], "SetContainerMetadata"),
        ("DELETE", "/mycontainer?restype=container", &[], "DeleteContainer"),
        ("GET", "/mycontainer?restype=container&comp=list&include=snapshots", &[], "ListBlobs"),
        ("GET", "/mycontainer?restype=container&comp=list&delimiter=/&maxresults=4", &[], "ListBlobs"),
        ("PUT", "/mycontainer/myblockblob", block_blob, "PutBlob"),
        ("PUT", "/$root/myblockblob", block_blob, "PutBlob"),
        ("PUT", "/myblockblob", block_blob, "PutBlob"),
        ("GET", "/myblob", &[], "GetBlob"),
        ("PUT", "/myblob?comp=metadata", &[], "SetBlobMetadata"),
        ("GET", "/mycontainer/myblob", &[("x-ms-range", "bytes=0-1")], "GetBlob"),
        ("HEAD", "/mycontainer/my/blob", &[], "GetBlobProperties"),
        ("GET", "/mycontainer/myblob?comp=metadata", &[], "GetBlobMetadata"),
        ("HEAD", "/mycontainer/myblob?comp=metadata", &[], "GetBlobMetadata"),
        ("PUT", "/mycontainer/myblob?comp=metadata", &[], "SetBlobMetadata"),
        ("PUT", "/mycontainer/myblob?comp=properties", &[], "SetBlobProperties"),
        ("DELETE", "/mycontainer/myblob", &[("x-ms-delete-snapshots", "include")], "DeleteBlob"),
        ("GET", "/mycontainer/myblob?snapshot=2026-01-02T03:04:05.1234567Z", &[], "GetBlob"),
        ("HEAD", "/mycontainer/myblob?versionid=2026-01-02T03:04:05.1234567Z", &[], "GetBlobProperties"),
        ("DELETE", "/mycontainer/myblob?snapshot=2026-01-02T03:04:05.1234567Z", &[], "DeleteBlob"),
        ("DELETE", "/c/b?versionid=2026-01-02T03:04:05.1234567Z&deletetype=permanent", &[], "DeleteBlob"),
        ("PUT", "/mycontainer/myblob?comp=snapshot", &[], "SnapshotBlob"),
        ("PUT", "/mycontainer/myblob?comp=undelete", &[], "UndeleteBlob"),
        ("PUT", "/mycontainer?restype=container&comp=undelete", &[], "RestoreContainer"),
        ("PUT", "/mycontainer?restype=container&comp=rename", &[], "RenameContainer"),
        ("PUT", "/mycontainer/myblob?comp=lease", &[("x-ms-lease-action", "Acquire")], "AcquireBlobLease"),
        ("PUT", "/mycontainer/myblob?comp=lease", &[("x-ms-lease-action", "break")], "BreakBlobLease"),
        ("PUT", "/c?restype=container&comp=lease", &[("x-ms-lease-action", "renew")], "RenewContainerLease"),
        ("PUT", "/mycontainer/myblob?comp=tier", &[], "SetBlobTier"),
        ("PUT", "/mycontainer/myblob?comp=expiry", &[], "SetBlobExpiry"),
        ("PUT", "/mycontainer/myblob?comp=immutabilityPolicies", &[], "SetBlobImmutabilityPolicy"),
        ("DELETE", "/mycontainer/myblob?comp=immutabilityPolicies", &[], "DeleteBlobImmutabilityPolicy"),
        ("PUT", "/mycontainer/myblob?comp=legalhold", &[], "SetBlobLegalHold"),
        ("PUT", "/mycontainer/myblob?comp=block&blockid=AAAAAA%3D%3D", &[], "PutBlock"),
        ("PUT", "/mycontainer/myblob?comp=blocklist", &[], "PutBlockList"),
        ("GET", "/mycontainer/myblob?comp=blocklist&blocklisttype=all", &[], "GetBlockList"),
    ] {
        assert_eq!(named(method, path, headers), Ok(name), "{method} {path}");
    }
}

#[test]
fn requests_for_append_and_page_blobs_mean_their_operations() {
    for (method, path, headers, name) in [
        ("PUT", "/mycontainer/myappendblob", &[("x-ms-blob-type", "AppendBlob")][..], "PutBlob"),
        ("PUT", "/mycontainer/mypageblob", &[("x-ms-blob-type", "PageBlob")], "PutBlob"),
        ("PUT", "/mycontainer/myblob?comp=appendblock", &[], "AppendBlock"),
        ("PUT", "/mycontainer/myblob?comp=seal", &[], "AppendBlobSeal"),
        ("PUT", "/mycontainer/myblob?comp=page", &[("x-ms-page-write", "Update")], "PutPage"),
        ("PUT", "/mycontainer/myblob?comp=page", &[("x-ms-page-write", "clear")], "ClearPage"),
        ("GET", "/myc/myblob?comp=pagelist&snapshot=2026-01-02T03:04:05.1234567Z", &[], "GetPageRanges"),
        ("GET", "/mycontainer/myblob?comp=pagelist&prevsnapshot=x", &[], "GetPageRangesDiff"),
        ("GET", "/c/b?comp=pagelist", &[("x-ms-previous-snapshot-url", "http://x/y")], "GetPageRangesDiff"),
    ] {
        assert_eq!(named(method, path, headers), Ok(name), "{method} {path}");
    }
}

#[test]
fn a_source_makes_another_operation_of_a_write() {
    let source = ("x-ms-copy-source", "https://x/y");
    for (path, headers, name) in [
        ("/c/b", &[source][..], "CopyBlob"),
        ("/c/b", &[source, ("x-ms-requires-sync", "false")], "CopyBlob"),
        ("/c/b", &[source, ("x-ms-requires-sync", "true")], "CopyBlobFromUrl"),
        ("/c/b", &[source, ("x-ms-blob-type", "BlockBlob")], "PutBlobFromUrl"),
        ("/c/b?comp=copy&copyid=x", &[("x-ms-copy-action", "abort")], "AbortCopyBlob"),
        ("/c/b?comp=block&blockid=AAAA", &[source], "PutBlockFromUrl"),
        ("/c/b?comp=appendblock", &[source], "AppendBlockFromUrl"),
        ("/c/b?comp=page", &[source, ("x-ms-page-write", "update")], "PutPageFromUrl"),
    ] {
        assert_eq!(named("PUT", path, headers), Ok(name), "{path} {headers:?}");
    }
}

#[test]
fn what_is_not_built_is_said_not_to_be() {
    let clear = [("x-ms-copy-source", "https://x/y"), ("x-ms-page-write", "clear")];
    assert!(named("PUT", "/c/b?comp=page", &clear).is_err());
    assert_eq!(named("PUT", "/c/b?comp=incrementalcopy", &clear), Ok("IncrementalCopyBlob"));
    for (method, path) in [
        ("PUT", "/c/b?comp=metadata&snapshot=2026-01-02T03:04:05.1234567Z"),
        ("PUT", "/c/b?comp=lease&versionid=2026-01-02T03:04:05.1234567Z"),
    ] {
        assert_eq!(named(method, path, &[]), Err(ErrorCode::InvalidQueryParameterValue), "{method} {path}");
    }
}

#[test]
fn a_past_state_is_never_written_to() {
    let source = ("x-ms-copy-source", "https://x/y");
    for (query, headers) in [
        ("", &[("x-ms-blob-type", "BlockBlob")][..]),
        ("", &[("x-ms-blob-type", "AppendBlob")]),
        ("", &[("x-ms-blob-type", "PageBlob")]),
        ("", &[source]),
        ("", &[source, ("x-ms-requires-sync", "true")]),
        ("", &[source, ("x-ms-blob-type", "BlockBlob")]),
        ("comp=appendblock", &[]),
        ("comp=appendblock", &[source]),
        ("comp=block&blockid=AAAA", &[]),
        ("comp=block&blockid=AAAA", &[source]),
        ("comp=blocklist", &[]),
        ("comp=copy&copyid=x", &[("x-ms-copy-action", "abort")]),
        ("comp=page", &[("x-ms-page-write", "update")]),
        ("comp=page", &[("x-ms-page-write", "update"), source]),
        ("comp=page", &[("x-ms-page-write", "clear")]),
        ("comp=seal", &[]),
    ] {
        assert!(named("PUT", &format!("/c/b?{query}"), headers).is_ok(), "{query} {headers:?}");
        for state in ["snapshot", "versionid"] {
            let path = format!("/c/b?{query}&{state}=2026-01-02T03:04:05.1234567Z");
            let refused = named("PUT", &path, headers);
            assert_eq!(refused, Err(ErrorCode::InvalidQueryParameterValue), "{path} {headers:?}");
        }
    }
}

#[test]
fn a_website_has_pages_whatever_the_query_says_and_nothing_else() {
    let named = |method: &str, path: &str| {
        let head = testing::head(ServiceKind::Blob, method, &format!("http://acc.web.localhost{path}"), &[]);
        resolve(OPERATIONS, &head).map(|row| row.name).map_err(|error| error.code)
    };
    assert_eq!(named("GET", "/"), Ok("GetWebContent"));
    assert_eq!(named("HEAD", "/a/b.html?comp=list&v=1"), Ok("GetWebContent"));
    assert_eq!(named("OPTIONS", "/a"), Ok("PreflightBlobRequest"));
    assert_eq!(named("PUT", "/a"), Err(ErrorCode::UnsupportedHttpVerb));
}

#[test]
fn only_reads_are_for_the_secondary_address() {
    for row in OPERATIONS {
        // Keys are asked for and contents queried with a POST, which changes nothing.
        let reads = matches!(row.method, "GET" | "HEAD" | "OPTIONS")
            || row.access == Access::DelegationKey
            || row.name == "QueryBlobContents";
        assert_eq!(row.writes(), !reads, "{}", row.name);
    }
}

#[test]
fn a_request_that_is_nearly_one_is_told_what_is_wrong() {
    assert_eq!(named("PUT", "/c/b", &[]), Err(ErrorCode::MissingRequiredHeader));
    assert_eq!(named("PUT", "/c/b", &[("x-ms-blob-type", "Other")]), Err(ErrorCode::InvalidHeaderValue));
    assert_eq!(named("PUT", "/c/b?comp=page", &[]), Err(ErrorCode::MissingRequiredHeader));
    assert_eq!(
        named("PUT", "/c/b?comp=page", &[("x-ms-page-write", "x")]),
        Err(ErrorCode::InvalidHeaderValue)
    );
    assert_eq!(named("POST", "/c/b", &[]), Err(ErrorCode::UnsupportedHttpVerb));
    assert_eq!(named("PUT", "/c/b?comp=lease", &[]), Err(ErrorCode::MissingRequiredHeader));
    let action = [("x-ms-lease-action", "steal")];
    assert_eq!(named("PUT", "/c/b?comp=lease", &action), Err(ErrorCode::InvalidHeaderValue));
}
