//! The document of a query: the statement, and what comes in and goes out.

use super::answer::{Input, Output, Query};
use crate::error::{ErrorCode, StorageError};
use crate::sql;
use crate::sql::format::arrow;
use crate::sql::format::delimited::Dialect;
use crate::xml::Element;

/// Most bytes of an expression.
const EXPRESSION_BYTES_MAX: usize = 256 << 10;
/// Most fields of an Arrow schema.
const FIELDS_MAX: usize = 1000;

/// Reads a `QueryRequest`.
///
/// # Errors
/// `InvalidXmlDocument`, `MissingRequiredXmlNode`, `InvalidXmlNodeValue` with what is wrong.
pub(super) fn read(document: &Element) -> Result<Query, StorageError> {
    if document.name != "QueryRequest" {
        return Err(StorageError::new(ErrorCode::InvalidXmlDocument));
    }
    if let Some(kind) = document.child("QueryType").filter(|kind| kind.text.trim() != "SQL") {
        return Err(invalid("QueryType", &kind.text, "The only type of a query is SQL."));
    }
    let expression = &document.child("Expression").ok_or_else(|| missing("Expression"))?.text;
    if expression.len() > EXPRESSION_BYTES_MAX {
        return Err(invalid("Expression", "", "The expression is too long."));
    }
    let statement =
        sql::parse(expression).map_err(|reason| invalid("Expression", &shortened(expression), &reason))?;
    let input = match format(document, "InputSerialization")? {
        Some(format) => input(format)?,
        None => Input::Delimited(Dialect::default()),
    };
    let output = match format(document, "OutputSerialization")? {
        Some(format) => output(format)?,
        None => match input {
            Input::Delimited(dialect) => Output::Delimited(Dialect { headers: false, ..dialect }),
            Input::Json(separator) => Output::Json(separator),
            Input::Parquet => Output::Delimited(Dialect::default()),
        },
    };
    Query::new(statement, input, output)
        .map_err(|reason| invalid("Expression", &shortened(expression), &reason))
}

fn format<'d>(document: &'d Element, side: &str) -> Result<Option<&'d Element>, StorageError> {
    let Some(side) = document.child(side) else { return Ok(None) };
    side.child("Format").map(Some).ok_or_else(|| missing("Format"))
}

fn input(format: &Element) -> Result<Input, StorageError> {
    Ok(match kind(format)? {
        "delimited" => Input::Delimited(dialect(format)?),
        "json" => Input::Json(separator(format, "JsonTextConfiguration")?),
        "parquet" => Input::Parquet,
        other => return Err(invalid("Type", other, "A blob is read as delimited, json or parquet.")),
    })
}

fn output(format: &Element) -> Result<Output, StorageError> {
    Ok(match kind(format)? {
        "delimited" => Output::Delimited(dialect(format)?),
        "json" => Output::Json(separator(format, "JsonTextConfiguration")?),
        "arrow" => Output::Arrow(fields(format)?),
        other => return Err(invalid("Type", other, "An answer is written as delimited, json or arrow.")),
    })
}

fn kind(format: &Element) -> Result<&str, StorageError> {
    Ok(format.child("Type").ok_or_else(|| missing("Type"))?.text.trim())
}

fn dialect(format: &Element) -> Result<Dialect, StorageError> {
    let Some(given) = format.child("DelimitedTextConfiguration") else { return Ok(Dialect::default()) };
    let default = Dialect::default();
    let headers = ["HasHeaders", "HeadersPresent"].iter().find_map(|name| given.child(name));
    Ok(Dialect {
        column: character(given, "ColumnSeparator")?.unwrap_or(default.column),
        quote: match given.child("FieldQuote") {
            Some(_) => character(given, "FieldQuote")?,
            None => default.quote,
        },
        record: separator(format, "DelimitedTextConfiguration")?,
        escape: character(given, "EscapeChar")?,
        headers: match headers.map(|flag| flag.text.trim()) {
            None | Some("" | "false" | "False" | "0") => false,
            Some("true" | "True" | "1") => true,
            Some(other) => return Err(invalid("HasHeaders", other, "A flag is true or false.")),
        },
    })
}

/// What stands behind records. A carriage return with a line feed is taken for the line feed, as when reading.
fn separator(format: &Element, configuration: &str) -> Result<u8, StorageError> {
    let given = format.child(configuration).and_then(|given| given.child("RecordSeparator"));
    match given.map(|given| given.text.as_str()) {
        None | Some("" | "\r\n") => Ok(b'\n'),
        Some(text) => one_byte("RecordSeparator", text),
    }
}

fn character(given: &Element, name: &str) -> Result<Option<u8>, StorageError> {
    match given.child(name).map(|child| child.text.as_str()) {
        None | Some("") => Ok(None),
        Some(text) => one_byte(name, text).map(Some),
    }
}

fn one_byte(name: &str, text: &str) -> Result<u8, StorageError> {
    match text.as_bytes() {
        [only] => Ok(*only),
        _ => Err(invalid(name, text, "It must be one ASCII character.")),
    }
}

fn fields(format: &Element) -> Result<Vec<arrow_schema::Field>, StorageError> {
    let configuration = format.child("ArrowConfiguration").ok_or_else(|| missing("ArrowConfiguration"))?;
    let schema = configuration.child("Schema").ok_or_else(|| missing("Schema"))?;
    if schema.children.is_empty() || schema.children.len() > FIELDS_MAX {
        return Err(invalid("Schema", "", "A schema has at least one field, and not thousands."));
    }
    schema.children.iter().map(field).collect()
}

fn field(field: &Element) -> Result<arrow_schema::Field, StorageError> {
    let text = |name: &str| field.child(name).map_or("", |child| child.text.trim());
    let (precision, scale) = (number(field, "Precision")?, number(field, "Scale")?);
    arrow::field(text("Type"), text("Name"), precision, scale)
        .map_err(|reason| invalid("Field", text("Type"), &reason))
}

fn number<N: std::str::FromStr>(field: &Element, name: &str) -> Result<Option<N>, StorageError> {
    match field.child(name).map(|child| child.text.trim()) {
        None | Some("") => Ok(None),
        Some(text) => {
            text.parse().map(Some).map_err(|_| invalid(name, text, "It is no number that there could be."))
        }
    }
}

fn missing(node: &str) -> StorageError {
    StorageError::new(ErrorCode::MissingRequiredXmlNode).with("XmlNodeName", node)
}

fn invalid(node: &str, value: &str, reason: &str) -> StorageError {
    StorageError::new(ErrorCode::InvalidXmlNodeValue)
        .with("XmlNodeName", node)
        .with("XmlNodeValue", value)
        .with("Reason", reason)
}

fn shortened(text: &str) -> String {
    text.chars().take(256).collect()
}
