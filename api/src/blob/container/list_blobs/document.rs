//! A listing as a document.

use super::entry::{self, Fields};
use super::{Request, listing};
use crate::blob::tag_document;
use crate::xml::XmlWriter;
use storage_engine::blob::{BlobEntry, Page};

/// About the bytes of one blob in the document.
const ENTRY_BYTES: usize = 720;

/// Writes a page.
pub(super) fn write(request: &Request, page: &Page<BlobEntry>) -> String {
    let mut xml = XmlWriter::with_capacity(512 + page.entries.len() * ENTRY_BYTES);
    let asked = &request.asked;
    let container = ("ContainerName", request.at.container.as_str());
    xml.open_with("EnumerationResults", &[("ServiceEndpoint", &asked.endpoint), container]);
    asked.echo(&mut xml);
    if let Some(delimiter) = &request.list.delimiter {
        listing::text(&mut xml, "Delimiter", delimiter);
    }
    xml.open("Blobs");
    for entry in &page.entries {
        write_entry(&mut xml, entry, request);
    }
    xml.close("Blobs");
    listing::next_marker(&mut xml, page.next.as_deref());
    xml.close("EnumerationResults");
    xml.finish()
}

fn write_entry(xml: &mut XmlWriter, entry: &BlobEntry, request: &Request) {
    if let BlobEntry::Prefix(prefix) = entry {
        xml.open("BlobPrefix");
        write_name(xml, prefix, request);
        return xml.close("BlobPrefix");
    }
    xml.open("Blob");
    match entry {
        BlobEntry::Prefix(_) => {}
        BlobEntry::Uncommitted(name) => {
            write_name(xml, name.as_str(), request);
            write_properties(xml, &entry::uncommitted());
        }
        BlobEntry::Blob(name, properties) | BlobEntry::VersionsOnly(name, properties) => {
            write_name(xml, name.as_str(), request);
            write_fields(xml, &entry::state_of(entry, properties, request.details));
            write_properties(xml, &entry::properties(properties, request.details, request.now));
            if request.details.metadata {
                listing::metadata(xml, &properties.metadata);
            }
            if request.details.tags && !properties.tags.is_empty() {
                tag_document::write(xml, properties.tags.iter());
            }
        }
    }
    xml.close("Blob");
}

/// Before names were escaped, one that XML cannot hold was written as it is, and still is to clients of that time: they
/// would take the escapes for its characters.
fn write_name(xml: &mut XmlWriter, name: &str, request: &Request) {
    if request.escapes_names {
        listing::text(xml, "Name", name);
    } else {
        xml.text("Name", name);
    }
}

fn write_properties(xml: &mut XmlWriter, fields: &Fields<'_>) {
    xml.open("Properties");
    write_fields(xml, fields);
    xml.close("Properties");
}

fn write_fields(xml: &mut XmlWriter, fields: &Fields<'_>) {
    for (name, value) in fields {
        xml.text(name, &value.spelled());
    }
}
