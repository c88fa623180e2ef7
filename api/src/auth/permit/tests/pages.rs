//! The vendor's tables, request by request: page "Create an account SAS" says which type and letters suffice for each,
//! page "Create a service SAS" which do on the resource itself. Written from the pages, not from [`REQUIREMENTS`].

use super::*;

/// Requests: service, verb, address, resource type and letters that suffice for an account's signature, and those that
/// suffice for one on the resource.
type Case =
    (ServiceKind, &'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const CASES: &[Case] = &[
    (Blob, "GET", "/acc?comp=list", "s", &["l"], &[]),
    (Blob, "PUT", "/acc/con?restype=container", "c", &["c", "w"], &[]),
    (Blob, "GET", "/acc/con?restype=container", "c", &["r"], &[]),
    (Blob, "PUT", "/acc/con?restype=container&comp=metadata", "c", &["w"], &[]),
    (Blob, "DELETE", "/acc/con?restype=container", "c", &["d"], &[]),
    (Blob, "GET", "/acc/con?restype=container&comp=list", "c", &["l"], &["l"]),
    (Blob, "PUT", "/acc/con/b", "o", &["c", "w"], &["c", "w"]),
    (Blob, "PUT", "/acc/con/b?comp=block&blockid=AA", "o", &["w"], &["w"]),
    (Blob, "PUT", "/acc/con/b?comp=blocklist", "o", &["w"], &["w"]),
    (Blob, "PUT", "/acc/con/b?comp=metadata", "o", &["w"], &["w"]),
    (Blob, "GET", "/acc/con/b", "o", &["r"], &["r"]),
    (Blob, "HEAD", "/acc/con/b", "o", &["r"], &["r"]),
    (Blob, "GET", "/acc/con/b?comp=blocklist", "o", &["r"], &["r"]),
    (Blob, "DELETE", "/acc/con/b", "o", &["d"], &["d"]),
    (Queue, "GET", "/acc?comp=list", "s", &["l"], &[]),
    (Queue, "PUT", "/acc/con", "c", &["c", "w"], &[]),
    (Queue, "DELETE", "/acc/con", "c", &["d"], &[]),
    (Queue, "GET", "/acc/con?comp=metadata", "c", &["r"], &["r"]),
    (Queue, "PUT", "/acc/con?comp=metadata", "c", &["w"], &[]),
    (Queue, "POST", "/acc/con/messages", "o", &["a"], &["a"]),
    (Queue, "GET", "/acc/con/messages", "o", &["p"], &["p"]),
    (Queue, "GET", "/acc/con/messages?peekonly=true", "o", &["r"], &["r"]),
    (Queue, "DELETE", "/acc/con/messages", "o", &["d"], &[]),
    (Queue, "PUT", "/acc/con/messages/1?popreceipt=a&visibilitytimeout=1", "o", &["u"], &["u"]),
    (Queue, "DELETE", "/acc/con/messages/1?popreceipt=a", "o", &["p"], &["p"]),
    (Table, "GET", "/acc/Tables", "c", &["l"], &[]),
    (Table, "POST", "/acc/Tables", "c", &["c", "w"], &[]),
    (Table, "DELETE", "/acc/Tables('con')", "c", &["d"], &[]),
    (Table, "GET", "/acc/con()", "o", &["r"], &["r"]),
    (Table, "GET", "/acc/con(PartitionKey='p',RowKey='r')", "o", &["r"], &["r"]),
    (Table, "POST", "/acc/con", "o", &["a"], &["a"]),
    (Table, "PUT", "/acc/con(PartitionKey='p',RowKey='r')", "o", &["au"], &["au"]),
    (Table, "MERGE", "/acc/con(PartitionKey='p',RowKey='r')", "o", &["au"], &["au"]),
];

/// Headers without which an address means no operation.
fn headers(method: &str, url: &str) -> Vec<(&'static str, &'static str)> {
    let puts_blob = method == "PUT" && url.ends_with("/b");
    if puts_blob { vec![(header::X_MS_BLOB_TYPE, "BlockBlob")] } else { Vec::new() }
}

fn without(letters: &str) -> String {
    LETTERS.chars().filter(|letter| !letters.contains(*letter)).collect()
}

#[test]
fn every_letter_of_the_pages_suffices_and_all_others_together_do_not() {
    for (service, method, url, types, of_account, of_resource) in CASES {
        let headers = headers(method, url);
        let judge = |grant| judged(*service, method, url, &headers, by(grant)).map(|_| ());
        let all: String = of_account.concat();
        for letters in *of_account {
            assert_eq!(judge(account("bqt", types, letters)), Ok(()), "{method} {url} {letters}");
        }
        let refused = Err(ErrorCode::AuthorizationPermissionMismatch);
        assert_eq!(judge(account("bqt", types, &without(&all))), refused, "{method} {url}");
        for letters in *of_resource {
            assert_eq!(judge(resource(*service, letters)), Ok(()), "{method} {url} {letters}");
        }
        let others = judge(resource(*service, &without(&all)));
        let expected = if of_resource.is_empty() { Err(ErrorCode::AuthorizationFailure) } else { refused };
        assert_eq!(others, expected, "{method} {url}");
        if of_resource.is_empty() {
            assert_eq!(judge(resource(*service, LETTERS)), expected, "{method} {url}");
        }
    }
}

#[test]
fn services_and_types_are_judged_before_letters() {
    for (service, method, url, types, ..) in CASES {
        let headers = headers(method, url);
        let judge = |grant| judged(*service, method, url, &headers, by(grant)).map(|_| ());
        let others = "bqt".replace(service_letter(*service), "");
        let wrong = judge(account(&others, "sco", LETTERS));
        assert_eq!(wrong, Err(ErrorCode::AuthorizationServiceMismatch), "{method} {url}");
        let others: String = "sco".chars().filter(|letter| !types.contains(*letter)).collect();
        let wrong = judge(account("bqt", &others, LETTERS));
        if !url.contains("Tables") {
            assert_eq!(wrong, Err(ErrorCode::AuthorizationResourceTypeMismatch), "{method} {url}");
        }
    }
}
