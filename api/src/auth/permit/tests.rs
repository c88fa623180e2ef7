//! Who may do what, against the vendor's tables as they stand on its pages.

mod pages;

use super::*;
use crate::auth::Identity;
use crate::blob::operations::OPERATIONS as BLOB;
use crate::operation::resolve;
use crate::queue::operations::OPERATIONS as QUEUE;
use crate::table::operations::OPERATIONS as TABLE;
use crate::target::Resource;
use crate::testing;
use crate::version::Version;
use storage_engine::name::AccountName;

fn grant(scope: Scope, letters: &str) -> Grant {
    Grant {
        letters: Letters::of(letters),
        scope,
        version: Version::dated(2021, 12, 2),
        keys: None,
        overrides: Vec::new(),
        delegated_by: None,
        encryption_scope: None,
    }
}

fn account(services: &str, types: &str, letters: &str) -> Grant {
    grant(Scope::Account(Letters::of(services), Letters::of(types)), letters)
}

fn container(letters: &str) -> Grant {
    grant(Scope::Container("con".into()), letters)
}

/// What the request is answered with before anything is looked up; whether it may only create.
fn judged(
    service: ServiceKind,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    by: Caller,
) -> Result<bool, ErrorCode> {
    let mut head = testing::head(service, method, url, headers);
    head.caller = by;
    let asked = match service {
        ServiceKind::Blob => resolve(BLOB, &head).unwrap().asked(service),
        ServiceKind::Queue => resolve(QUEUE, &head).unwrap().asked(service),
        ServiceKind::Table => resolve(TABLE, &head).unwrap().asked(service),
    };
    admit(asked, &mut head).map(|()| head.caller.create_only()).map_err(|error| error.code)
}

fn by(grant: Grant) -> Caller {
    Caller::new(Principal::Signature(Arc::new(grant)), None)
}

const LETTERS: &str = "rwdxylacuptfi";

fn resource(service: ServiceKind, letters: &str) -> Grant {
    match service {
        Blob => container(letters),
        Queue => grant(Scope::Queue("con".into()), letters),
        Table => grant(Scope::Table("con".into()), letters),
    }
}

#[test]
fn half_of_an_upserts_rights_is_not_enough() {
    let url = "/acc/con(PartitionKey='p',RowKey='r')";
    for letters in ["a", "u"] {
        let refused = judged(Table, "PUT", url, &[], by(resource(Table, letters)));
        assert_eq!(refused, Err(ErrorCode::AuthorizationPermissionMismatch));
        assert_eq!(
            judged(Table, "PUT", url, &[("if-match", "*")], by(resource(Table, letters))).is_ok(),
            letters == "u"
        );
    }
}

#[test]
fn who_may_create_may_not_overwrite() {
    let put = |grant| judged(Blob, "PUT", "/acc/con/b", &[("x-ms-blob-type", "BlockBlob")], by(grant));
    assert_eq!(put(container("c")), Ok(true));
    assert_eq!(put(container("cw")), Ok(false));
    assert_eq!(put(account("b", "o", "c")), Ok(true));
    assert_eq!(put(container("a")), Err(ErrorCode::AuthorizationPermissionMismatch));
    let create = judged(Blob, "PUT", "/acc/con?restype=container", &[], by(account("b", "c", "c")));
    assert_eq!(create, Ok(false));
}

#[test]
fn a_snapshot_is_made_where_something_is() {
    let asked =
        |comp| Asked { service: Blob, method: "PUT", level: Level::Blob, access: Access::Create, comp };
    for (comp, create_only) in [(Some("snapshot"), false), (Some("incrementalcopy"), true), (None, true)] {
        let mut head = testing::head(Blob, "PUT", "/acc/con/b", &[]);
        head.caller = by(container("c"));
        admit(asked(comp), &mut head).unwrap();
        assert_eq!(head.caller.create_only(), create_only, "{comp:?}");
    }
}

#[test]
fn a_grant_ends_at_its_resource() {
    let get = |url: &str| judged(Blob, "GET", url, &[], by(container(LETTERS))).map(|_| ());
    assert_eq!(get("/acc/con/b"), Ok(()));
    assert_eq!(get("/acc/other/b"), Err(ErrorCode::AuthorizationFailure));
    let part = judged(
        Table,
        "DELETE",
        "/acc/other(PartitionKey='p',RowKey='r')",
        &[("if-match", "*")],
        by(resource(Table, LETTERS)),
    );
    assert_eq!(part, Err(ErrorCode::AuthorizationFailure));
}

#[test]
fn a_header_may_ask_for_another_right() {
    let put = |letters, header: &str| {
        let headers = [("x-ms-blob-type", "BlockBlob"), (header, "x")];
        judged(Blob, "PUT", "/acc/con/b", &headers, by(container(letters))).is_ok()
    };
    assert!(put("w", "x-ms-meta-a") && !put("w", "x-ms-tags") && put("wt", "x-ms-tags"));
    assert!(!put("w", "x-ms-legal-hold") && put("wi", "x-ms-legal-hold"));
}

#[test]
fn old_signatures_are_told_that_there_is_nothing() {
    let old = Grant { version: Version::dated(2014, 2, 14), ..container("r") };
    let refused = judged(Blob, "DELETE", "/acc/con/b", &[], by(old.clone()));
    assert_eq!(refused, Err(ErrorCode::ResourceNotFound));
    let refused = judged(Blob, "GET", "/acc/con?restype=container", &[], by(old));
    assert_eq!(refused, Err(ErrorCode::ResourceNotFound));
}

#[test]
fn policies_and_delegation_keys_are_nothing_for_signatures() {
    for access in [Access::Policies, Access::DelegationKey] {
        let asked = Asked { service: Blob, method: "GET", level: Level::Container, access, comp: None };
        for grant in [account("b", "sco", LETTERS), container(LETTERS)] {
            let mut head = testing::head(Blob, "GET", "/acc/con?restype=container", &[]);
            head.caller = by(grant);
            assert_eq!(admit(asked, &mut head).unwrap_err().code, ErrorCode::AuthorizationFailure);
        }
    }
}

#[test]
fn a_signature_s_encryption_scope_leaves_no_choice_of_another() {
    let scoped = || by(Grant { encryption_scope: Some("scope".into()), ..container("rw") });
    let put = |headers: &[(&str, &str)]| {
        let headers = [&[("x-ms-blob-type", "BlockBlob")], headers].concat();
        judged(Blob, "PUT", "/acc/con/b", &headers, scoped())
    };
    assert_eq!(put(&[]), Ok(false));
    assert_eq!(put(&[("x-ms-encryption-scope", "scope")]), Ok(false));
    assert_eq!(put(&[("x-ms-encryption-scope", "other")]), Err(ErrorCode::InvalidHeaderValue));
    assert_eq!(judged(Blob, "GET", "/acc/con/b", &[], scoped()), Ok(false));
}

/// Lets one user read, one write as well, and one write and set tags.
struct Readers;

fn tags(identity: &Identity, asked: Asked) -> bool {
    identity.object == "tagger" && [Access::Create, Access::Tags].contains(&asked.access)
}

impl Roles for Readers {
    fn allows(&self, identity: &Identity, _: &AccountName, asked: Asked, _: &Resource) -> bool {
        let may =
            |access| access == Access::Read || (identity.object == "writer" && access == Access::Create);
        ["reader", "writer", "tagger"].contains(&&*identity.object)
            && (may(asked.access) || tags(identity, asked))
    }
}

#[test]
fn a_delegated_signature_grants_what_it_says_and_its_user_may() {
    let delegated = |object: &str, roles| {
        let identity = Identity { object: object.into(), tenant: "t".into() };
        let grant = Grant { delegated_by: Some(identity), ..container("rw") };
        Caller::new(Principal::Signature(Arc::new(grant)), roles)
    };
    let readers = || Some(Arc::new(Readers) as Arc<dyn Roles>);
    let get = |caller| judged(Blob, "GET", "/acc/con/b", &[], caller);
    let put = |caller| judged(Blob, "PUT", "/acc/con/b?comp=metadata", &[], caller);
    let refused = Err(ErrorCode::AuthorizationPermissionMismatch);
    assert_eq!(get(delegated("reader", readers())), Ok(false));
    assert_eq!(put(delegated("reader", readers())), refused);
    assert_eq!(get(delegated("other", readers())), refused);
    assert_eq!(get(delegated("reader", None)), refused);
    let token = |object: &str| {
        let identity = Identity { object: object.into(), tenant: "t".into() };
        Caller::new(Principal::Identity(identity), readers())
    };
    assert_eq!(get(token("reader")), Ok(false));
    assert_eq!(put(token("reader")), refused);
}

#[test]
fn who_writes_with_a_token_may_not_set_tags_for_that() {
    let put = |object: &str, headers: &[(&str, &str)]| {
        let identity = Identity { object: object.into(), tenant: "t".into() };
        let caller = Caller::new(Principal::Identity(identity), Some(Arc::new(Readers)));
        judged(Blob, "PUT", "/acc/con/b", &[&[("x-ms-blob-type", "BlockBlob")], headers].concat(), caller)
    };
    let refused = Err(ErrorCode::AuthorizationPermissionMismatch);
    assert_eq!(put("writer", &[]), Ok(false));
    assert_eq!(put("writer", &[("x-ms-tags", "a=b")]), refused);
    assert_eq!(put("tagger", &[("x-ms-tags", "a=b")]), Ok(false));
    assert_eq!(put("tagger", &[("x-ms-legal-hold", "true")]), refused);
}

#[test]
fn anybody_may_read_what_is_public_and_no_more() {
    let anybody = |public, method, url: &str| {
        judged(
            Blob,
            method,
            url,
            &[("x-ms-version", "2021-12-02")],
            Caller::new(Principal::Anonymous(public), None),
        )
        .is_ok()
    };
    let (none, blob, container) = (PublicAccess::None, PublicAccess::Blob, PublicAccess::Container);
    for (method, url, least) in [
        ("GET", "/acc/con/b", Some(blob)),
        ("HEAD", "/acc/con/b", Some(blob)),
        ("GET", "/acc/con/b?comp=metadata", Some(blob)),
        ("GET", "/acc/con/b?comp=blocklist", Some(blob)),
        ("GET", "/acc/con?restype=container", Some(container)),
        ("GET", "/acc/con?restype=container&comp=list", Some(container)),
        ("PUT", "/acc/con/b?comp=metadata", None),
        ("DELETE", "/acc/con/b", None),
        ("GET", "/acc?comp=list", None),
        ("PUT", "/acc/con?restype=container", None),
    ] {
        assert!(!anybody(none, method, url), "{method} {url}");
        assert_eq!(anybody(blob, method, url), least == Some(blob), "{method} {url}");
        assert_eq!(anybody(container, method, url), least.is_some(), "{method} {url}");
    }
}

#[test]
fn what_is_open_is_open_to_anybody() {
    let asked =
        Asked { service: Blob, method: "OPTIONS", level: Level::Blob, access: Access::Open, comp: None };
    for caller in [Caller::default(), by(container("r")), by(account("q", "s", "r"))] {
        let mut head = testing::head(Blob, "OPTIONS", "/acc/con/b", &[]);
        head.caller = caller;
        assert!(admit(asked, &mut head).is_ok());
    }
}

#[test]
fn every_operation_has_a_requirement_and_no_line_stands_twice() {
    for (name, asked) in crate::operations() {
        assert!(requirement(asked.service, asked.level, asked.access).is_some(), "{name}");
    }
    for (index, line) in REQUIREMENTS.iter().enumerate() {
        let again = REQUIREMENTS
            .iter()
            .skip(index + 1)
            .any(|other| (other.0, other.1, other.2) == (line.0, line.1, line.2));
        assert!(!again, "{:?} {:?} {:?}", line.0, line.1, line.2);
        let known = Letters::of("rwdxylacuptfi");
        assert!(line.3.account.iter().chain(line.3.resource).all(|set| known.contains(Letters::of(set))));
    }
}

/// Lets everybody do anything in one container.
struct InOne(&'static str);

impl Roles for InOne {
    fn allows(&self, _: &Identity, _: &AccountName, _: Asked, resource: &Resource) -> bool {
        matches!(resource, Resource::Container(name) if name == self.0)
    }
}

#[test]
fn who_may_write_one_container_may_not_give_its_name_to_another() {
    let rename = |owned, from: &str, to: &str| {
        let identity = Identity { object: "o".into(), tenant: "t".into() };
        let caller = Caller::new(Principal::Identity(identity), Some(Arc::new(InOne(owned))));
        let url = format!("/acc/{to}?restype=container&comp=rename");
        judged(Blob, "PUT", &url, &[("x-ms-source-container-name", from)], caller)
    };
    let refused = Err(ErrorCode::AuthorizationPermissionMismatch);
    assert_eq!(rename("own", "secret", "own"), refused);
    assert_eq!(rename("own", "own", "other"), refused);
    assert_eq!(rename("own", "own", "own"), Ok(false));
    let signed = |letters| {
        let url = "/acc/new?restype=container&comp=rename";
        judged(Blob, "PUT", url, &[("x-ms-source-container-name", "old")], by(account("b", "c", letters)))
    };
    assert_eq!(signed("w"), Ok(false));
    assert_eq!(signed("crdl"), refused);
    let url = "/acc/con?restype=container&comp=rename";
    let resource = judged(Blob, "PUT", url, &[("x-ms-source-container-name", "old")], by(container(LETTERS)));
    assert_eq!(resource, Err(ErrorCode::AuthorizationFailure));
}
