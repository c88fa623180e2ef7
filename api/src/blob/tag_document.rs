//! Index tags as documents. Pages "Set Blob Tags" and "Get Blob Tags".
//!
//! The order of elements carries no meaning, but every element does: one that is not known is refused, because tags
//! are replaced together and a set without it would be another one.

use crate::error::{ErrorCode, StorageError};
use crate::tags::checked;
use crate::xml::{self, Element, XmlWriter};
use storage_engine::blob::Tags;

/// Most bytes of a document of tags: ten of the longest, each character as a reference, and room for white space.
pub(super) const DOCUMENT_BYTES_MAX: u64 = 64 << 10;

/// Reads a document of tags.
///
/// # Errors
/// `InvalidXmlDocument` for another document, `MissingRequiredXmlNode`, or as [`checked`].
pub(super) fn read(document: &[u8]) -> Result<Tags, StorageError> {
    let root = xml::parse(document)?;
    only(&root, "Tags")?;
    let [set] = root.children.as_slice() else { return Err(missing("TagSet")) };
    only(set, "TagSet")?;
    checked(set.children.iter().map(read_tag).collect::<Result<_, _>>()?)
}

fn read_tag(tag: &Element) -> Result<(String, String), StorageError> {
    only(tag, "Tag")?;
    let known = |child: &Element| matches!(child.name.as_str(), "Key" | "Value");
    if tag.children.len() > 2 || !tag.children.iter().all(known) {
        return Err(StorageError::new(ErrorCode::InvalidXmlDocument));
    }
    let text =
        |name: &'static str| tag.child(name).map(|child| child.text.clone()).ok_or_else(|| missing(name));
    Ok((text("Key")?, text("Value")?))
}

fn only(element: &Element, name: &str) -> Result<(), StorageError> {
    if element.name == name { Ok(()) } else { Err(StorageError::new(ErrorCode::InvalidXmlDocument)) }
}

fn missing(name: &'static str) -> StorageError {
    StorageError::new(ErrorCode::MissingRequiredXmlNode).with("XmlNodeName", name)
}

/// Writes tags, of which there may be none.
pub(super) fn write<'a>(xml: &mut XmlWriter, tags: impl Iterator<Item = (&'a str, &'a str)>) {
    xml.open("Tags");
    xml.open("TagSet");
    for (name, value) in tags {
        xml.open("Tag");
        xml.text("Key", name);
        xml.text("Value", value);
        xml.close("Tag");
    }
    xml.close("TagSet");
    xml.close("Tags");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(name: &str, value: &str) -> String {
        format!("<Tag><Key>{name}</Key><Value>{value}</Value></Tag>")
    }

    fn code(tags: &str) -> Option<ErrorCode> {
        read(format!("<Tags><TagSet>{tags}</TagSet></Tags>").as_bytes()).err().map(|error| error.code)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let pairs = vec![("b c".to_owned(), String::new()), ("a+-./:=_".to_owned(), "V 1".to_owned())];
        let tags = checked(pairs).unwrap();
        let mut xml = XmlWriter::new();
        write(&mut xml, tags.iter());
        let text = xml.finish();
        assert!(text.contains("<Tag><Key>b c</Key><Value /></Tag>"), "{text}");
        assert_eq!(read(text.as_bytes()).unwrap(), tags);
        assert!(read(b"<Tags><TagSet/></Tags>").unwrap().is_empty());
    }

    #[test]
    fn each_broken_rule_has_its_code() {
        assert_eq!(code(&tag("", "v")), Some(ErrorCode::EmptyTagName));
        assert_eq!(code(&tag("a#", "v")), Some(ErrorCode::InvalidTag));
        assert_eq!(code(&tag("a", "é")), Some(ErrorCode::InvalidTag));
        assert_eq!(code(&(tag("a", "1") + &tag("a", "2"))), Some(ErrorCode::DuplicateTagNames));
        assert_eq!(code(&(tag("a", "1") + &tag("A", "2"))), None, "names differ by case");
        assert_eq!(code("<Tag><Key>a</Key></Tag>"), Some(ErrorCode::MissingRequiredXmlNode));
        assert_eq!(code("<Tag><Key>a</Key><Key>a</Key><Value/></Tag>"), Some(ErrorCode::InvalidXmlDocument));
        assert_eq!(code("<Other/>"), Some(ErrorCode::InvalidXmlDocument));
        assert_eq!(read(b"<Tags/>").err().unwrap().code, ErrorCode::MissingRequiredXmlNode);
        assert_eq!(read(b"<TagSet/>").err().unwrap().code, ErrorCode::InvalidXmlDocument);
    }
}
