//! Names and small values that every layer of the engine shares.
//!
//! Each name is its own type, made only by `parse`, so that a function taking a [`BlobName`] need not ask
//! whether it is one. The rules are those of the vendor's naming pages; where the pages are silent the
//! reason stands at the rule.

use std::fmt;

/// Why a text is not a name of the wanted kind. The text says which rule it broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is shorter or longer than the kind allows.
    #[error("the name's length is out of range")]
    Length,
    /// The text has a character, or a sequence of them, that the kind does not allow.
    #[error("the name has characters that are not allowed")]
    Characters,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Accepts `text` if it keeps the rules of this kind of name.
            ///
            /// # Errors
            /// [`NameError`], saying which rule is broken.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<(), NameError> = $check;
                check(text).map(|()| Self(text.to_owned()))
            }

            /// The name as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type! {
    /// A storage account: 3 to 24 lower-case letters and digits.
    AccountName, |text| {
        length(text, 3, 24)?;
        all(text, |c| c.is_ascii_lowercase() || c.is_ascii_digit())
    }
}
name_type! {
    /// A container: 3 to 63 of `a-z`, `0-9` and single inner `-`; or one of the `$` containers.
    ContainerName, |text| match text {
        "$root" | "$web" | "$logs" | "$blobchangefeed" => Ok(()),
        _ => dns_label(text),
    }
}
name_type! {
    /// A queue: the rules of a container, without the `$` names.
    QueueName, dns_label
}
name_type! {
    /// A table: a letter and 2 to 62 letters and digits, compared without case; `tables` is reserved.
    TableName, |text| {
        length(text, 3, 63)?;
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) || text.eq_ignore_ascii_case("tables") {
            return Err(NameError::Characters);
        }
        all(text, |c| c.is_ascii_alphanumeric())
    }
}
name_type! {
    /// A blob: 1 to 1,024 UTF-16 units, at most 254 `/`-separated segments, no control characters.
    ///
    /// The name is kept as sent: `.` and `..` segments are not resolved, because two clients that spell a
    /// name differently would then overwrite each other's blob.
    BlobName, |text| {
        let units = text.encode_utf16().count();
        if units == 0 || units > 1024 || text.split('/').count() > 254 {
            return Err(NameError::Length);
        }
        all(text, |c| !c.is_control())
    }
}

impl TableName {
    /// The form under which a table is found: its letters lowered.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

fn length(text: &str, min: usize, max: usize) -> Result<(), NameError> {
    if (min..=max).contains(&text.len()) { Ok(()) } else { Err(NameError::Length) }
}

fn all(text: &str, allowed: fn(char) -> bool) -> Result<(), NameError> {
    if text.chars().all(allowed) { Ok(()) } else { Err(NameError::Characters) }
}

fn dns_label(text: &str) -> Result<(), NameError> {
    length(text, 3, 63)?;
    all(text, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')?;
    if text.starts_with('-') || text.ends_with('-') || text.contains("--") {
        return Err(NameError::Characters);
    }
    Ok(())
}

/// The id of a block inside one blob: 1 to 64 bytes, opaque.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(Vec<u8>);

impl BlockId {
    /// Most bytes that an id may have (page "Put Block").
    pub const BYTES_MAX: usize = 64;

    /// Accepts 1 to [`Self::BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`NameError::Length`].
    pub fn new(bytes: &[u8]) -> Result<Self, NameError> {
        if bytes.is_empty() || bytes.len() > Self::BYTES_MAX {
            return Err(NameError::Length);
        }
        Ok(Self(bytes.to_vec()))
    }

    /// The id's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// User metadata: names and values in the order they were given.
pub type Metadata = Vec<(String, String)>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_dns_labels_or_one_of_the_system_names() {
        for good in ["abc", "a-b-c", "0aa", "$root", "$web"] {
            assert!(ContainerName::parse(good).is_ok(), "{good}");
        }
        for bad in ["ab", "Abc", "a--b", "-abc", "abc-", "a_b", "$other", &"a".repeat(64)] {
            assert!(ContainerName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn blob_names_are_counted_in_utf16_units() {
        assert!(BlobName::parse(&"😀".repeat(512)).is_ok());
        assert!(BlobName::parse(&"😀".repeat(513)).is_err());
        assert!(BlobName::parse("a\u{1}b").is_err());
        assert!(BlobName::parse(&"a/".repeat(254)).is_err());
    }

    #[test]
    fn the_name_of_the_table_resource_is_reserved() {
        assert!(TableName::parse("Tables").is_err());
        assert_eq!(TableName::parse("MyTable").unwrap().folded(), "mytable");
    }
}
