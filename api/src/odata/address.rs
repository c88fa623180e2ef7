//! Addresses of entities, `t(PartitionKey='p',RowKey='r')`, and the rules for keys.
//!
//! A key may hold quotes (doubled), commas, equal signs and parentheses, so the inner part is read from left to
//! right and never split at a character.

use super::invalid;
use crate::error::{ErrorCode, StorageError};
use std::fmt::Write as _;
use storage_engine::table::EntityKey;

/// Most UTF-16 units of a key: 1 KiB.
const KEY_UNITS_MAX: usize = 512;

/// Reads what stands between the parentheses, decoded. The two keys may come in either order.
///
/// # Errors
/// `InvalidInput` if it is not two keys; the key's own error if one breaks its rules.
pub(crate) fn parse(inner: &str) -> Result<EntityKey, StorageError> {
    let malformed = || invalid("The address must be of the form (PartitionKey='..',RowKey='..').");
    let (first_name, first, rest) = pair(inner).ok_or_else(malformed)?;
    let rest = rest.trim_start().strip_prefix(',').ok_or_else(malformed)?;
    let (second_name, second, rest) = pair(rest).ok_or_else(malformed)?;
    let (partition, row) = match (first_name, second_name, rest.trim()) {
        ("PartitionKey", "RowKey", "") => (first, second),
        ("RowKey", "PartitionKey", "") => (second, first),
        _ => return Err(malformed()),
    };
    check_key(&partition)?;
    check_key(&row)?;
    Ok(EntityKey { partition, row })
}

/// `Name='text'` at the front, and what is behind it.
fn pair(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = text.split_once('=')?;
    let (value, rest) = quoted(rest.trim_start())?;
    Some((name.trim(), value, rest))
}

/// A text in quotes at the front, its doubled quotes made single, and what is behind it.
pub(super) fn quoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('\'')?;
    let mut value = String::new();
    loop {
        let (part, behind) = rest.split_once('\'')?;
        value.push_str(part);
        let Some(behind_both) = behind.strip_prefix('\'') else { return Some((value, behind)) };
        value.push('\'');
        rest = behind_both;
    }
}

/// Judges a partition or row key.
///
/// # Errors
/// `KeyValueTooLarge` above 1 KiB, `OutOfRangeInput` for characters that keys cannot have.
pub(crate) fn check_key(key: &str) -> Result<(), StorageError> {
    if key.len() > KEY_UNITS_MAX && key.encode_utf16().count() > KEY_UNITS_MAX {
        return Err(StorageError::new(ErrorCode::KeyValueTooLarge));
    }
    if key.chars().any(|c| matches!(c, '/' | '\\' | '#' | '?') || c.is_control()) {
        let mut error = StorageError::new(ErrorCode::OutOfRangeInput);
        let message = error.code.message();
        error.message =
            Some(format!("{message} A key must not have control characters, '/', '\\', '#', '?'."));
        return Err(error);
    }
    Ok(())
}

/// The entity's address below the service's, escaped for a URL. The quotes around the keys stay bare: clients
/// look for them.
pub(crate) fn print(table: &str, key: &EntityKey) -> String {
    let mut out = String::with_capacity(table.len() + key.partition.len() + key.row.len() + 32);
    out.extend([table, "(PartitionKey='"]);
    escape(&key.partition, &mut out);
    out.push_str("',RowKey='");
    escape(&key.row, &mut out);
    out.push_str("')");
    out
}

fn escape(key: &str, out: &mut String) {
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b'\'' => out.push_str("%27%27"),
            // Writing to a string cannot fail.
            _ => _ = write!(out, "%{byte:02X}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{Resource, ServiceKind, Target};
    use proptest::prelude::*;

    fn key(partition: &str, row: &str) -> EntityKey {
        EntityKey { partition: partition.into(), row: row.into() }
    }

    #[test]
    fn keys_come_in_either_order_and_may_hold_anything_in_quotes() {
        assert_eq!(parse("PartitionKey='p',RowKey='r'").unwrap(), key("p", "r"));
        assert_eq!(parse(" RowKey = 'r' , PartitionKey = 'p' ").unwrap(), key("p", "r"));
        assert_eq!(parse("PartitionKey='',RowKey=''").unwrap(), key("", ""));
        assert_eq!(
            parse("PartitionKey='O''Brien',RowKey='a,RowKey=(''b'')'").unwrap(),
            key("O'Brien", "a,RowKey=('b')")
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "'p'",
            "PartitionKey='p'",
            "PartitionKey='p',PartitionKey='q'",
            "PartitionKey='p',RowKey='r",
            "PartitionKey=p,RowKey='r'",
            "PartitionKey='p',RowKey='r'x",
            "PartitionKey='p'RowKey='r'",
            "PartitionKey='p'',RowKey='r'",
            "partitionkey='p',rowkey='r'",
        ] {
            assert_eq!(parse(bad).unwrap_err().code, ErrorCode::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn keys_have_a_size_and_forbidden_characters() {
        assert!(check_key(&"é".repeat(512)).is_ok());
        assert!(check_key("O'Brien %+ \u{e000}").is_ok());
        assert_eq!(check_key(&"é".repeat(513)).unwrap_err().code, ErrorCode::KeyValueTooLarge);
        for bad in ["a/b", "a\\b", "#", "?", "\t", "\u{7f}", "\u{9f}", "\0"] {
            assert_eq!(check_key(bad).unwrap_err().code, ErrorCode::OutOfRangeInput, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_address_leads_back(partition in "[ -.0->@-\\[\\]-~é😀']{0,20}", row in "[(),='%a-c]{0,20}") {
            let (wanted, path) = (key(&partition, &row), print("tab", &key(&partition, &row)));
            let target = Target::parse(ServiceKind::Table, None, &format!("/acc/{path}")).unwrap();
            let Resource::Entity(table, inner) = target.resource else { panic!("no entity: {path}") };
            prop_assert_eq!(table, "tab");
            match parse(&inner) {
                Ok(read) => prop_assert_eq!(read, wanted),
                Err(error) => prop_assert!(check_key(&partition).is_err(), "{}", error),
            }
        }

        #[test]
        fn nothing_is_too_odd_to_be_refused(inner in "(PartitionKey|RowKey|=|'|,|.){0,12}") {
            let _ = parse(&inner);
        }
    }
}
