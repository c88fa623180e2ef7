//! What signatures are made of and what is made of them, piece by piece. Whether clients' signatures hold is a test
//! of its own, on fixtures: `tests/signatures.rs`.

use super::*;
use crate::testing;
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use storage_engine::name::Metadata;
use storage_engine::secret::Secret;

const KEY: &[u8] = b"key";

fn keys() -> AccountKeys {
    AccountKeys::new(vec![KEY.to_vec()])
}

fn claim(service: ServiceKind, url: &str) -> Result<Claim, StorageError> {
    verify(
        &testing::head(service, "GET", url, &[]),
        &keys(),
        Some(&DelegationKeys::new(Secret::new([7; 32]))),
    )
}

/// What was expected to be signed, as the refusal tells.
fn expected(service: ServiceKind, url: &str) -> String {
    let error = claim(service, url).unwrap_err();
    let detail = error.details.first().map(|(_, detail)| detail.clone()).unwrap_or_default();
    detail.strip_prefix("Signature did not match. String to sign used was ").unwrap_or(&detail).to_owned()
}

/// A genuine claim on a blob.
fn signed(fields: &[(&str, &str)]) -> Result<Claim, StorageError> {
    let encoded = |text: &str| text.replace('+', "%2B").replace('=', "%3D").replace(' ', "%20");
    let query: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let url = format!("/acc/con/b?{}", query.join("&"));
    let text = expected(ServiceKind::Blob, &format!("{url}&sig=AA%3D%3D"));
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(text.as_bytes());
    let signature = encoded(&STANDARD.encode(mac.finalize().into_bytes()));
    claim(ServiceKind::Blob, &format!("{url}&sig={signature}"))
}

fn at(text: &str) -> Timestamp {
    fields::moment(text).unwrap()
}

const NOW: &str = "2026-11-22T12:00:00Z";

fn refusal(claim: Result<Claim, StorageError>, policy: Option<StoredPolicy>) -> (ErrorCode, String) {
    let error = claim.and_then(|claim| claim.settle(policy, at(NOW))).unwrap_err();
    (error.code, error.details.first().map(|(_, detail)| detail.clone()).unwrap_or_default())
}

#[test]
fn the_pages_own_examples_sign_what_the_pages_say() {
    let blob = |query: &str| {
        expected(
            ServiceKind::Blob,
            &format!("http://myaccount.blob.core.windows.net/pictures/profile.jpg?{query}&sig=AA%3D%3D"),
        )
    };
    let times = "st=2009-02-09&se=2009-02-10&sr=c&sp=r&si=YWJjZGVmZw%3d%3d";
    let host = [("host", "myaccount.blob.core.windows.net")];
    let url = format!("/pictures/profile.jpg?sv=2012-02-12&{times}&sig=AA%3D%3D");
    let head = testing::head(ServiceKind::Blob, "GET", &url, &host);
    let error = verify(&head, &keys(), None).unwrap_err();
    assert!(
        error.details[0]
            .1
            .ends_with("r\n2009-02-09\n2009-02-10\n/myaccount/pictures\nYWJjZGVmZw==\n2012-02-12")
    );
    let headers = "rsct=binary&rscd=file;%20attachment";
    assert_eq!(
        blob(&format!("sv=2013-08-15&{times}&{headers}")),
        "r\n2009-02-09\n2009-02-10\n/myaccount/pictures\nYWJjZGVmZw==\n2013-08-15\n\nfile; attachment\n\n\nbinary"
    );
    assert_eq!(
        blob(&format!("sv=2015-02-21&{times}&{headers}")),
        "r\n2009-02-09\n2009-02-10\n/blob/myaccount/pictures\nYWJjZGVmZw==\n2015-02-21\n\nfile; attachment\n\n\nbinary"
    );
    let oldest = "r\n2009-02-09\n2009-02-10\n/myaccount/pictures\nYWJjZGVmZw==";
    assert_eq!(blob(times), oldest);
}

#[test]
fn what_is_signed_for_tables_and_accounts_ends_as_the_pages_have_it() {
    let table =
        "/acc/Employees()?tn=Employees&sv=2012-02-12&sp=rau&spk=a&epk=b&erk=9&se=2013-02-01&sig=AA%3D%3D";
    assert_eq!(
        expected(ServiceKind::Table, table),
        "rau\n\n2013-02-01\n/acc/employees\n\n2012-02-12\na\n\nb\n9"
    );
    let account = |version: &str| {
        let url = format!("/acc?ss=b&srt=s&sp=l&se=2026-11-23&sv={version}&ses=x&sig=AA%3D%3D");
        expected(ServiceKind::Blob, &url)
    };
    assert_eq!(account("2015-04-05"), "acc\nl\nb\ns\n\n2026-11-23\n\n\n2015-04-05\n");
    assert_eq!(account("2020-12-06"), "acc\nl\nb\ns\n\n2026-11-23\n\n\n2020-12-06\nx\n");
}

#[test]
fn a_root_directory_is_spelled_in_two_ways() {
    let fields = [("sv", "2020-02-10"), ("sr", "d"), ("sdd", "0"), ("sp", "r"), ("se", "2026-11-23")];
    assert!(signed(&fields).is_ok());
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(b"r\n\n2026-11-23\n/blob/acc/con/\n\n\n\n2020-02-10\nd\n\n\n\n\n\n");
    let signature = STANDARD.encode(mac.finalize().into_bytes()).replace('+', "%2B");
    let url = format!("/acc/con/b?sv=2020-02-10&sr=d&sdd=0&sp=r&se=2026-11-23&sig={signature}");
    assert!(claim(ServiceKind::Blob, &url).is_ok());
    assert!(
        expected(ServiceKind::Blob, "/acc/con/b?sv=2020-02-10&sr=d&sdd=2&sp=r&se=2026-11-23&sig=AA")
            .contains("address")
    );
}

#[test]
fn fields_that_a_version_or_a_kind_does_not_have_are_refused() {
    let url = |query: &str| format!("/acc/con/b?{query}&sp=r&se=2026-11-23&sig=AA%3D%3D");
    for (query, reason) in [
        ("sv=2014-02-14&ss=b&srt=o", "no account signatures"),
        ("sv=2020-02-10&ss=bx&srt=o", "ss cannot be read"),
        ("sv=2020-02-10&ss=b&srt=", "srt cannot be read"),
        ("sv=2020-02-10&ss=b&srt=o&si=p", "cannot name a stored access policy"),
        ("sv=2018-03-28&sr=bs&snapshot=x", "sr cannot be read"),
        ("sv=2018-11-09&sr=bv&versionid=x", "sr cannot be read"),
        ("sv=2019-12-12&sr=d&sdd=1", "sr cannot be read"),
        ("sv=2020-02-10&sr=bs", "resource of the address"),
        ("sv=2020-02-10", "sr cannot be read"),
        ("sv=2026-04-06&sr=b&srh=host", "srh is only known"),
        ("sv=2017-07-29&sr=b&skoid=o", "no user delegation signatures"),
        ("sv=2020-02-10&sr=b&skoid=o&suoid=u&sks=b", "hierarchical namespace"),
        ("sv=2020-02-10&sr=b&skoid=o&si=p&sks=b", "cannot name a stored access policy"),
        ("sv=2020-02-10&sr=b&skoid=o&sks=q", "not for this service"),
        ("sv=2020-02-10&sr=b&skoid=o&sks=b", "skt cannot be read"),
        ("sv=2020-02-10&sr=b&skoid=o&sks=b&skt=2020-01-01&ske=2020-01-02", "not valid at this time"),
    ] {
        assert!(
            expected(ServiceKind::Blob, &url(query)).contains(reason),
            "{query}: {}",
            expected(ServiceKind::Blob, &url(query))
        );
    }
    let table = "/acc/tab?sv=2020-02-10&sp=r&se=2026-11-23&sig=AA%3D%3D";
    assert_eq!(expected(ServiceKind::Table, table), "tn is missing.");
    assert!(expected(ServiceKind::Table, &format!("{table}&tn=other")).contains("address"));
    assert!(
        expected(ServiceKind::Table, &format!("{table}&tn=tab&srk=1")).contains("srk stands without spk")
    );
}

#[test]
fn a_policy_gives_what_the_signature_leaves_open_and_nothing_else() {
    let base = [("sv", "2020-02-10"), ("sr", "b"), ("si", "read")];
    let policy =
        || StoredPolicy { start: None, expiry: Some(at("2026-11-23")), permissions: Some("rw".into()) };
    assert_eq!(signed(&base).unwrap().policy(), Some((&PolicyHolder::Container("con".into()), "read")));
    let grant = signed(&base).unwrap().settle(Some(policy()), at(NOW)).unwrap();
    assert_eq!(grant.letters, Letters::of("rw"));
    let (code, reason) = refusal(signed(&base), None);
    assert_eq!(code, ErrorCode::AuthenticationFailed);
    assert!(reason.contains("'read' does not exist"), "{reason}");
    for (field, value) in [("se", "2026-11-23"), ("sp", "r"), ("st", "2026-11-21")] {
        let both = [base.as_slice(), &[(field, value)]].concat();
        let stored = StoredPolicy { start: Some(at("2026-11-21")), ..policy() };
        let (_, reason) = refusal(signed(&both), Some(stored));
        assert!(reason.starts_with(field) && reason.contains("and in its stored"), "{reason}");
    }
    let open = StoredPolicy { permissions: None, ..policy() };
    assert_eq!(refusal(signed(&base), Some(open)).1, "sp is missing.");
    let endless = StoredPolicy { expiry: None, ..policy() };
    assert_eq!(refusal(signed(&base), Some(endless)).1, "se is missing.");
    let over = StoredPolicy { expiry: Some(at("2026-11-22")), ..policy() };
    assert!(refusal(signed(&base), Some(over)).1.contains("time frame"));
}

#[test]
fn times_have_a_beginning_and_an_end_that_is_not_theirs() {
    let fields = |st, se| [("sv", "2020-02-10"), ("sr", "b"), ("sp", "r"), ("st", st), ("se", se)];
    let holds = |st, se| signed(&fields(st, se)).unwrap().settle(None, at(NOW)).is_ok();
    assert!(holds("2026-11-22T12:00:00Z", "2026-11-22T12:00:01Z"));
    assert!(!holds("2026-11-22T12:00:01Z", "2026-11-23"));
    assert!(!holds("2026-11-22", "2026-11-22T12:00:00Z"));
    assert!(holds("", "2026-11-22T12:01Z"));
    let reason = refusal(signed(&fields("", "2026-11-22")), None).1;
    assert!(
        reason.contains("Expiry [Sun, 22 Nov 2026 00:00:00 GMT] - Current [Sun, 22 Nov 2026 12:00:00 GMT]"),
        "{reason}"
    );
}

#[test]
fn the_oldest_form_holds_for_an_hour() {
    let fields = |st, se| [("sr", "b"), ("sp", "r"), ("st", st), ("se", se)];
    let settle = |st, se| signed(&fields(st, se)).unwrap().settle(None, at(NOW));
    assert!(settle("2026-11-22T11:30:00Z", "2026-11-22T12:30:00Z").is_ok());
    assert!(settle("2026-11-22T11:30:00Z", "2026-11-22T12:30:01Z").is_err());
    assert!(settle("", "2026-11-22T13:00:00Z").is_ok() && settle("", "2026-11-22T13:00:01Z").is_err());
    let kept = [("sr", "b"), ("si", "p")];
    let policy = StoredPolicy { start: None, expiry: Some(at("2027-01-01")), permissions: Some("r".into()) };
    assert!(signed(&kept).unwrap().settle(Some(policy), at(NOW)).is_ok());
}

#[test]
fn letters_mean_nothing_before_they_were_made() {
    let letters = |version: &str, letters: &str| {
        let fields = [("sv", version), ("sr", "b"), ("sp", letters), ("se", "2026-11-23")];
        signed(&fields).unwrap().settle(None, at(NOW)).unwrap().letters
    };
    assert_eq!(letters("2014-02-14", "racwd"), Letters::of("rwd"));
    assert_eq!(letters("2018-11-09", "racwdxyti"), Letters::of("racwd"));
    assert_eq!(letters("2019-12-12", "racwdxyti"), Letters::of("racwdxt"));
    assert_eq!(letters("2020-02-10", "dyi"), Letters::of("dy"));
    assert_eq!(letters("2020-06-12", "if"), Letters::of("i"));
    assert_eq!(letters("2021-04-10", "if"), Letters::of("if"));
}

#[test]
fn headers_of_the_answer_are_those_that_were_signed() {
    let fields = |version| {
        [
            ("sv", version),
            ("sr", "b"),
            ("sp", "r"),
            ("se", "2026-11-23"),
            ("rscd", "attachment"),
            ("rsct", "a b"),
        ]
    };
    let overrides = |version| signed(&fields(version)).unwrap().settle(None, at(NOW)).unwrap().overrides;
    let given: Metadata =
        overrides("2020-02-10").into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(given, [pair("content-disposition", "attachment"), pair("content-type", "a b")]);
    assert_eq!(overrides("2012-02-12"), []);
    let mut answered = http::HeaderMap::new();
    answered.insert(header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
    answered.insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-cache"));
    let grant = signed(&fields("2020-02-10")).unwrap().settle(None, at(NOW)).unwrap();
    override_headers(&grant, &mut answered);
    assert_eq!(answered.get(header::CONTENT_TYPE).unwrap(), "a b");
    assert_eq!(answered.get(header::CACHE_CONTROL).unwrap(), "no-cache");
}
