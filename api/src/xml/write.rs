//! Writing documents.

/// A document being written. Elements are opened and closed by name; the caller nests them.
#[derive(Debug)]
pub struct XmlWriter(String);

impl XmlWriter {
    /// A document with its declaration.
    pub fn new() -> Self {
        Self::with_capacity(64)
    }

    /// A document that is expected to have about so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes);
        text.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
        Self(text)
    }

    /// Opens an element.
    pub fn open(&mut self, name: &str) {
        self.0.extend(["<", name, ">"]);
    }

    /// Opens an element with attributes.
    pub fn open_with(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.0.extend(["<", name]);
        for (key, value) in attributes {
            self.0.extend([" ", key, "=\""]);
            escape(value, &mut self.0);
            self.0.push('"');
        }
        self.0.push('>');
    }

    /// Closes an element.
    pub fn close(&mut self, name: &str) {
        self.0.extend(["</", name, ">"]);
    }

    /// Writes an element with nothing inside.
    pub fn empty(&mut self, name: &str) {
        self.0.extend(["<", name, " />"]);
    }

    /// Writes an element with a text inside.
    pub fn text(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            return self.empty(name);
        }
        self.open(name);
        escape(text, &mut self.0);
        self.close(name);
    }

    /// Writes an element with attributes and a text inside.
    pub fn text_with(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.open_with(name, attributes);
        escape(text, &mut self.0);
        self.close(name);
    }

    /// The document.
    pub fn finish(self) -> String {
        self.0
    }
}

impl Default for XmlWriter {
    fn default() -> Self {
        Self::new()
    }
}

/// Escapes what must not stand in text or attributes. A carriage return is written as a reference, because
/// parsers turn a bare one into a line feed.
fn escape(text: &str, out: &mut String) {
    for part in text.split_inclusive(['&', '<', '>', '"', '\r']) {
        let replaced = match part.as_bytes().last() {
            Some(b'&') => "&amp;",
            Some(b'<') => "&lt;",
            Some(b'>') => "&gt;",
            Some(b'"') => "&quot;",
            Some(b'\r') => "&#xD;",
            _ => {
                out.push_str(part);
                continue;
            }
        };
        out.push_str(part.get(..part.len() - 1).unwrap_or_default());
        out.push_str(replaced);
    }
}

/// Whether XML 1.0 can hold the text at all.
pub(crate) fn representable(text: &str) -> bool {
    text.chars()
        .all(|c| matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{FFFE}' | '\u{FFFF}')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_nothing_else_is_touched() {
        let mut xml = XmlWriter::new();
        xml.open_with("A", &[("k", "\"<")]);
        xml.text("B", "a&b<c>\r\n é");
        xml.text("C", "");
        xml.close("A");
        let expected = "<A k=\"&quot;&lt;\"><B>a&amp;b&lt;c&gt;&#xD;\n é</B><C /></A>";
        assert_eq!(xml.finish(), format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>{expected}"));
    }

    #[test]
    fn control_characters_are_not_representable() {
        assert!(representable("tab\tand é"));
        assert!(!representable("\u{1}"));
        assert!(!representable("\u{FFFE}"));
    }
}
