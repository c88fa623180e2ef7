//! A request for every row, made of the row's own columns.

use super::sign;
use api::ServiceKind;
use api::blob::operations::OPERATIONS as BLOB;
use api::operation::{Access, Guard, Row};
use api::queue::operations::OPERATIONS as QUEUE;
use api::table::operations::OPERATIONS as TABLE;
use api::target::Level;

/// A moment, as snapshots and versions are named.
pub(crate) const MOMENT: &str = "2026-01-01T00:00:00.0000000Z";

/// A row without how it is carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fact {
    pub(crate) service: ServiceKind,
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) level: Level,
    pub(crate) access: Access,
    restype: Option<&'static str>,
    comp: Option<&'static str>,
    guards: &'static [Guard],
}

/// Every row of every table.
pub(crate) fn facts() -> Vec<Fact> {
    fn of<S: Sync + 'static>(service: ServiceKind, table: &[Row<S>]) -> impl Iterator<Item = Fact> {
        table.iter().map(move |row| Fact {
            service,
            name: row.name,
            method: row.method,
            level: row.level,
            access: row.access,
            restype: row.restype,
            comp: row.comp,
            guards: row.guards,
        })
    }
    let blob = of(ServiceKind::Blob, BLOB);
    blob.chain(of(ServiceKind::Queue, QUEUE)).chain(of(ServiceKind::Table, TABLE)).collect()
}

/// A request that is not signed yet.
#[derive(Debug, Clone)]
pub(crate) struct Unsigned {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Fact {
    /// Whether it reads, as verbs say it.
    pub(crate) fn reads(&self) -> bool {
        ["GET", "HEAD"].contains(&self.method)
    }

    /// Whether `snapshot` or `versionid` may stand in the query, besides that the row may ask for it.
    pub(crate) fn may_name(&self, parameter: &str) -> bool {
        let forbids = |guard: &Guard| matches!(guard, Guard::LacksQuery(name) if *name == parameter);
        self.level == Level::Blob && !self.guards.iter().any(forbids)
    }

    /// The row's request on a container, queue or table of this name. `past` is the parameter that names a snapshot or
    /// a version.
    pub(crate) fn request(&self, account: &str, place: &str, past: Option<&'static str>) -> Unsigned {
        let path = match self.level {
            Level::Service => String::new(),
            Level::Container | Level::Queue | Level::Table => place.to_owned(),
            Level::Blob => format!("{place}/dir/blob"),
            Level::Website => "index.html".to_owned(),
            Level::Messages => format!("{place}/messages"),
            Level::Message => format!("{place}/messages/1"),
            Level::Tables => "Tables".to_owned(),
            Level::TableItem => format!("Tables('{place}')"),
            Level::Entity => format!("{place}(PartitionKey='p',RowKey='r')"),
            Level::Batch => "$batch".to_owned(),
        };
        let website = self.level == Level::Website;
        let host = if website { format!("{account}.web.localhost") } else { "localhost".to_owned() };
        let path = if website { format!("/{path}") } else { format!("/{account}/{path}") };
        let mut query: Vec<(&'static str, String)> = Vec::new();
        query.extend(self.restype.map(|restype| ("restype", restype.to_owned())));
        query.extend(self.comp.map(|comp| ("comp", comp.to_owned())));
        let mut headers = vec![("host", host), ("x-ms-version", sign::VERSION.to_owned())];
        for guard in self.guards {
            match *guard {
                Guard::Has(name) => headers.push((name, header_value(name).to_owned())),
                Guard::Is(name, value) => headers.push((name, value.to_owned())),
                Guard::HasQuery(name) => query.push((name, query_value(name).to_owned())),
                Guard::IsQuery(name, value) => query.push((name, value.to_owned())),
                Guard::Lacks(_) | Guard::IsNot(..) | Guard::LacksQuery(_) | Guard::IsNotQuery(..) => {}
            }
        }
        if let Some(past) = past.filter(|past| query.iter().all(|(name, _)| name != past)) {
            query.push((past, MOMENT.to_owned()));
        }
        if ["PUT", "POST"].contains(&self.method) {
            headers.push(("content-length", "0".to_owned()));
        }
        Unsigned { method: self.method, path, query, headers }
    }

    /// The row's request on `con` in `account`, signed with a key of somebody who says to be `signer`.
    pub(crate) fn with_key(
        &self,
        account: &str,
        lite: bool,
        date: &str,
        (signer, key): (&str, &[u8]),
    ) -> http::Request<()> {
        let mut unsigned = self.request(account, "con", None);
        unsigned.headers.push(("x-ms-date", date.to_owned()));
        let mut request = unsigned.build("");
        let table = self.service == ServiceKind::Table;
        let signature = sign::mac(key, &sign::string_to_sign(table, lite, &request, account, date));
        let scheme = if lite { "SharedKeyLite" } else { "SharedKey" };
        let value = format!("{scheme} {signer}:{signature}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        request
    }
}

/// A value that a header may have, where the row asks for any.
fn header_value(name: &str) -> &'static str {
    match name {
        "if-match" => "*",
        "x-ms-copy-source" => "http://localhost/devaccount/missing/blob",
        _ => "1",
    }
}

fn query_value(name: &str) -> &'static str {
    if ["snapshot", "versionid"].contains(&name) { MOMENT } else { "1" }
}

impl Unsigned {
    /// The request, with more behind its query.
    pub(crate) fn build(&self, more: &str) -> http::Request<()> {
        let mut query: Vec<String> =
            self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        query.extend((!more.is_empty()).then(|| more.to_owned()));
        let uri =
            if query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, query.join("&")) };
        let mut request = http::Request::builder().method(self.method).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(()).unwrap()
    }
}
