//! *List Queues*: the account's queues by name, a page at a time.

use crate::body::{Body, Payload};
use crate::condition;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::queue::QueueService;
use crate::reply;
use crate::xml::XmlWriter;
use storage_engine::name::AccountName;
use storage_engine::queue::Queue;

/// Most queues of one page.
const PAGE_MAX: usize = 5000;

/// *List Queues*.
pub(crate) struct ListQueues;

/// Which queues.
#[derive(Debug)]
pub(crate) struct Request {
    account: AccountName,
    limit: usize,
    echo: Echo,
}

/// What the listing repeats of its request.
#[derive(Debug)]
struct Echo {
    endpoint: String,
    prefix: String,
    marker: Option<String>,
    max_results: Option<String>,
    metadata: bool,
}

/// A page of the listing.
#[derive(Debug)]
pub(crate) struct Response {
    queues: Vec<Queue>,
    next: String,
    echo: Echo,
}

impl Operation for ListQueues {
    type Service = QueueService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        condition::none(head)?;
        let query = |name| head.query.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let limit = head.max_results(PAGE_MAX)?;
        let include = query("include").unwrap_or_default();
        if let Some(other) = include.split(',').find(|part| !matches!(*part, "" | "metadata")) {
            return Err(StorageError::invalid_query("include", other, "Only metadata can be included."));
        }
        let echo = Echo {
            endpoint: head.endpoint(),
            prefix: query("prefix").unwrap_or_default(),
            marker: query("marker"),
            max_results: query("maxresults"),
            metadata: !include.is_empty(),
        };
        Ok(Request { account: head.account.clone(), limit, echo })
    }

    async fn execute(service: &QueueService, request: Request) -> Result<Response, StorageError> {
        let Request { account, limit, echo } = request;
        let page = service
            .store
            .list(&account, echo.prefix.clone(), echo.marker.clone(), limit)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Read))?;
        // Names of queues are ASCII, so the place to go on is its own marker.
        let next = page.next.map(|next| String::from_utf8_lossy(&next).into_owned()).unwrap_or_default();
        Ok(Response { queues: page.entries, next, echo })
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { queues, next, echo } = response;
        let mut xml = XmlWriter::new();
        xml.open_with("EnumerationResults", &[("ServiceEndpoint", &echo.endpoint)]);
        xml.text("Prefix", &echo.prefix);
        if let Some(marker) = &echo.marker {
            xml.text("Marker", marker);
        }
        if let Some(max_results) = &echo.max_results {
            xml.text("MaxResults", max_results);
        }
        xml.open("Queues");
        for queue in &queues {
            write_queue(&mut xml, queue, echo.metadata);
        }
        xml.close("Queues");
        xml.text("NextMarker", &next);
        xml.close("EnumerationResults");
        reply::xml(xml.finish())
    }
}

fn write_queue(xml: &mut XmlWriter, queue: &Queue, with_metadata: bool) {
    xml.open("Queue");
    xml.text("Name", queue.name.as_str());
    if with_metadata {
        xml.open("Metadata");
        for (name, value) in &queue.metadata {
            xml.text(name, value);
        }
        xml.close("Metadata");
    }
    xml.close("Queue");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::reply::tests::text;
    use crate::target::ServiceKind;
    use crate::testing::head;
    use storage_engine::name::QueueName;

    fn decode(query: &str) -> Result<Request, StorageError> {
        let url = format!("http://h:1/acc?comp=list{query}");
        ListQueues::decode(&head(ServiceKind::Queue, "GET", &url, &[("host", "h:1")]), Payload::None)
    }

    #[test]
    fn the_page_tells_its_request_and_where_to_go_on() {
        let request = decode("&prefix=a&maxResults=9000&include=metadata").unwrap();
        assert_eq!(request.limit, 5000);
        let queue =
            Queue { name: QueueName::parse("abc").unwrap(), metadata: vec![("k".into(), "<".into())] };
        let page = Response { queues: vec![queue], next: "abd".into(), echo: request.echo };
        let body = text(ListQueues::encode(page));
        assert!(body.contains("ServiceEndpoint=\"http://h:1/acc/\"><Prefix>a</Prefix><MaxResults>9000<"));
        assert!(body.contains("<Queue><Name>abc</Name><Metadata><k>&lt;</k></Metadata></Queue>"));
        assert!(body.contains("<NextMarker>abd</NextMarker>"));
    }

    #[test]
    fn sizes_of_nothing_and_unknown_parts_are_refused() {
        let code = |query| decode(query).unwrap_err().code;
        assert_eq!(code("&maxresults=0"), ErrorCode::OutOfRangeQueryParameterValue);
        assert_eq!(code("&maxresults=x"), ErrorCode::InvalidQueryParameterValue);
        assert_eq!(code("&include=acl"), ErrorCode::InvalidQueryParameterValue);
    }
}
