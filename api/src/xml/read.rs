//! Reading documents.

use crate::error::{ErrorCode, StorageError};
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

/// Elements inside elements: no document of the services has more.
const DEPTH_MAX: usize = 16;

/// An element: its name, its text, and the elements in it, in their order. Attributes are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name, without a prefix.
    pub name: String,
    /// Its text, exactly as written, white space included.
    pub text: String,
    /// The elements in it.
    pub children: Vec<Element>,
}

impl Element {
    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }
}

/// Reads a document's root element.
///
/// # Errors
/// `InvalidXmlDocument` if it is not well-formed, not UTF-8, or nested deeper than any document of ours.
pub fn parse(document: &[u8]) -> Result<Element, StorageError> {
    let text = std::str::from_utf8(document).map_err(invalid)?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        match reader.read_event().map_err(invalid)? {
            Event::Start(start) => {
                if open.len() >= DEPTH_MAX || root.is_some() {
                    return Err(StorageError::new(ErrorCode::InvalidXmlDocument));
                }
                open.push(named(start.local_name().as_ref()));
            }
            Event::Empty(start) => {
                let element = named(start.local_name().as_ref());
                place(element, &mut open, &mut root)?;
            }
            Event::End(_) => {
                let element = open.pop().ok_or_else(|| StorageError::new(ErrorCode::InvalidXmlDocument))?;
                place(element, &mut open, &mut root)?;
            }
            Event::Text(text) => add_text(&mut open, &text)?,
            Event::CData(data) => add_text(&mut open, &data)?,
            Event::GeneralRef(reference) => add_text(&mut open, &resolve(&reference)?)?,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::DocType(_) => return Err(StorageError::new(ErrorCode::InvalidXmlDocument)),
            Event::Eof => break,
        }
    }
    match root {
        Some(root) if open.is_empty() => Ok(root),
        _ => Err(StorageError::new(ErrorCode::InvalidXmlDocument)),
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StorageError {
    StorageError::new(ErrorCode::InvalidXmlDocument).caused_by(error)
}

fn named(name: &str) -> Element {
    Element { name: name.to_owned(), ..Element::default() }
}

fn place(element: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), StorageError> {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_none() => *root = Some(element),
        None => return Err(StorageError::new(ErrorCode::InvalidXmlDocument)),
    }
    Ok(())
}

fn add_text(open: &mut [Element], text: &str) -> Result<(), StorageError> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(StorageError::new(ErrorCode::InvalidXmlDocument)),
    }
    Ok(())
}

fn resolve(reference: &BytesRef<'_>) -> Result<String, StorageError> {
    if let Some(character) = reference.resolve_char_ref().map_err(invalid)? {
        return Ok(character.to_string());
    }
    let text = match &**reference {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        _ => return Err(StorageError::new(ErrorCode::InvalidXmlDocument)),
    };
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_keep_their_order_and_text_its_white_space() {
        let root = parse(b"<?xml version='1.0'?>\n<L><A> x&amp;&#xD;y </A><B/><A>2</A></L>").unwrap();
        let names: Vec<_> = root.children.iter().map(|child| child.name.as_str()).collect();
        assert_eq!(names, ["A", "B", "A"]);
        assert_eq!(root.child("A").unwrap().text, " x&\ry ");
    }

    #[test]
    fn what_is_not_one_well_formed_element_is_refused() {
        let deep = "<a>".repeat(40) + &"</a>".repeat(40);
        for bad in [
            "",
            "x",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a>&foo;</a>",
            "<!DOCTYPE a><a/>",
            deep.as_str(),
            "<a></a>x",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"<a>\xff</a>").is_err());
    }
}
