//! The document both ways, in its versions.

use super::*;
use crate::error::ErrorCode;
use crate::target::ServiceKind;
use crate::version::Version;

const NEWEST: &str = "2026-10-06";
const LOGGING: &str = "<Logging><Version>1.0</Version><Delete>true</Delete><Read>false</Read><Write>true</Write>\
    <RetentionPolicy><Enabled>true</Enabled><Days>7</Days></RetentionPolicy></Logging>";
const OFF: &str = "<Version>1.0</Version><Enabled>false</Enabled>\
    <RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>";
const RULE: &str = "<CorsRule><AllowedMethods>GET,PUT</AllowedMethods><AllowedOrigins>http://a,http://b</AllowedOrigins>\
    <AllowedHeaders>x-ms-*</AllowedHeaders><ExposedHeaders>etag</ExposedHeaders><MaxAgeInSeconds>5</MaxAgeInSeconds>\
    </CorsRule>";

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn read_as(service: ServiceKind, at: &str, inner: &str) -> Result<Change, ErrorCode> {
    let document = format!("<StorageServiceProperties>{inner}</StorageServiceProperties>");
    Change::read(document.as_bytes(), service, version(at)).map_err(|error| error.code)
}

fn read(inner: &str) -> Result<Change, ErrorCode> {
    read_as(ServiceKind::Blob, NEWEST, inner)
}

fn rule_with(name: &str, value: &str) -> String {
    let (before, rest) = RULE.split_once(&format!("<{name}>")).unwrap();
    let (_, behind) = rest.split_once(&format!("</{name}>")).unwrap();
    format!("<Cors>{before}<{name}>{value}</{name}>{behind}</Cors>")
}

#[test]
fn what_is_written_reads_back_whatever_it_was() {
    let cors = format!("<Cors>{RULE}{RULE}</Cors>");
    let website = "<StaticWebsite><Enabled>true</Enabled><IndexDocument>index.html</IndexDocument>\
        <ErrorDocument404Path>404.html</ErrorDocument404Path></StaticWebsite>";
    let hours = "<HourMetrics><Version>1.0</Version><Enabled>true</Enabled><IncludeAPIs>false</IncludeAPIs>\
        <RetentionPolicy><Enabled>true</Enabled><Days>365</Days></RetentionPolicy></HourMetrics>";
    let minutes = format!("<MinuteMetrics>{OFF}</MinuteMetrics>");
    let default = "<DefaultServiceVersion>2015-04-05</DefaultServiceVersion>";
    let deleted = "<DeleteRetentionPolicy><Enabled>true</Enabled><Days>1</Days>\
        <AllowPermanentDelete>true</AllowPermanentDelete></DeleteRetentionPolicy>";
    let all = [LOGGING, hours, &minutes, &cors, default, deleted, website].concat();
    let mut settings = ServiceSettings::default();
    read(&all).unwrap().apply(&mut settings);
    let written = write(&settings, ServiceKind::Blob, version(NEWEST));
    assert!(
        written.ends_with(&format!("<StorageServiceProperties>{all}</StorageServiceProperties>")),
        "{written}"
    );
    let reversed = [website, deleted, default, &cors, &minutes, hours, LOGGING].concat();
    assert_eq!(read(&reversed), read(&all));
}

#[test]
fn what_is_left_out_stays_and_an_empty_list_of_rules_clears_it() {
    let mut settings = ServiceSettings::default();
    read(&format!("<Cors>{RULE}</Cors>{LOGGING}")).unwrap().apply(&mut settings);
    read("").unwrap().apply(&mut settings);
    assert_eq!((settings.cors.len(), settings.logging.retention), (1, Some(7)));
    read("<Cors/>").unwrap().apply(&mut settings);
    assert_eq!((settings.cors.len(), settings.logging.retention), (0, Some(7)));
}

#[test]
fn each_version_has_its_own_form() {
    let settings = ServiceSettings::default();
    let blob = |at: &str| write(&settings, ServiceKind::Blob, version(at));
    assert!(blob("2012-02-12").contains("<Metrics>") && !blob("2012-02-12").contains("Cors"));
    assert!(
        blob("2013-08-15").contains("<MinuteMetrics>")
            && !blob("2013-08-15").contains("DeleteRetentionPolicy")
    );
    assert!(
        blob("2017-07-29").contains("DeleteRetentionPolicy") && !blob("2017-07-29").contains("StaticWebsite")
    );
    assert!(blob("2018-03-28").contains("StaticWebsite"));
    assert!(!write(&settings, ServiceKind::Queue, version(NEWEST)).contains("DeleteRetentionPolicy"));

    let old = format!("{LOGGING}<Metrics>{OFF}</Metrics>");
    assert!(read_as(ServiceKind::Table, "2012-02-12", &old).is_ok());
    assert_eq!(read_as(ServiceKind::Table, "2012-02-12", LOGGING), Err(ErrorCode::MissingRequiredXmlNode));
    for (service, at, inner) in [
        (ServiceKind::Blob, NEWEST, old.as_str()),
        (ServiceKind::Blob, "2012-02-12", "<Cors/>"),
        (ServiceKind::Blob, "2018-01-01", "<StaticWebsite><Enabled>false</Enabled></StaticWebsite>"),
        (ServiceKind::Queue, NEWEST, "<DefaultServiceVersion>2015-04-05</DefaultServiceVersion>"),
    ] {
        assert_eq!(read_as(service, at, inner), Err(ErrorCode::InvalidXmlDocument), "{inner}");
    }
}

#[test]
fn what_is_there_must_be_whole_and_within_its_limits() {
    use ErrorCode::{InvalidXmlDocument, InvalidXmlNodeValue, MissingRequiredXmlNode};
    let logging_with = |from: &str, to: &str| LOGGING.replace(from, to);
    let many = format!("<Cors>{}</Cors>", RULE.repeat(6));
    for (inner, code) in [
        (logging_with("<Read>false</Read>", ""), MissingRequiredXmlNode),
        (logging_with("<Days>7</Days>", ""), MissingRequiredXmlNode),
        (logging_with(">7<", ">0<"), InvalidXmlNodeValue),
        (logging_with(">7<", ">366<"), InvalidXmlNodeValue),
        (logging_with(">1.0<", ">3.0<"), InvalidXmlNodeValue),
        (logging_with("<Read>false", "<Read>no"), InvalidXmlNodeValue),
        (LOGGING.repeat(2), InvalidXmlDocument),
        (many, InvalidXmlDocument),
        (rule_with("AllowedMethods", "GET,LIST"), InvalidXmlNodeValue),
        (rule_with("AllowedMethods", ""), InvalidXmlNodeValue),
        (rule_with("AllowedOrigins", ""), InvalidXmlNodeValue),
        (rule_with("AllowedOrigins", &"a".repeat(257)), InvalidXmlNodeValue),
        (rule_with("AllowedHeaders", "a*,b*,c*"), InvalidXmlNodeValue),
        (rule_with("ExposedHeaders", &"a,".repeat(65)), InvalidXmlNodeValue),
        (rule_with("ExposedHeaders", &"abcdefg,".repeat(260)), InvalidXmlDocument),
        (rule_with("MaxAgeInSeconds", "-1"), InvalidXmlNodeValue),
        ("<DefaultServiceVersion>new</DefaultServiceVersion>".to_owned(), InvalidXmlNodeValue),
        ("<Unknown/>".to_owned(), InvalidXmlDocument),
    ] {
        assert_eq!(read(&inner), Err(code), "{inner}");
    }
    assert_eq!(read("<Cors/>").map(|change| change.cors), Ok(Some(Vec::new())));
}

#[test]
fn a_website_has_one_kind_of_index() {
    let website =
        |inner: &str| read(&format!("<StaticWebsite><Enabled>true</Enabled>{inner}</StaticWebsite>"));
    let both = "<IndexDocument>i</IndexDocument><DefaultIndexDocumentPath>d</DefaultIndexDocumentPath>";
    assert_eq!(website(both), Err(ErrorCode::InvalidXmlNodeValue));
    assert_eq!(website("<IndexDocument>a/b</IndexDocument>"), Err(ErrorCode::InvalidXmlNodeValue));
    assert!(website("<DefaultIndexDocumentPath>a/b</DefaultIndexDocumentPath>").is_ok());
    let permanent = "<DeleteRetentionPolicy><Enabled>false</Enabled>\
        <AllowPermanentDelete>true</AllowPermanentDelete></DeleteRetentionPolicy>";
    assert_eq!(read(permanent), Err(ErrorCode::InvalidXmlNodeValue));
}
