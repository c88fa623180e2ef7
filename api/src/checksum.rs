//! Checksums of bodies: MD5, and CRC-64/NVME as eight bytes little-endian; both in Base64.
//!
//! A client gives at most one of the two. MD5 is slow, so it is computed only where one was given or has to be
//! kept; the CRC falls out of writing the bytes and costs nothing here.

use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm::Crc64Nvme;
use md5::{Digest as _, Md5};

/// An MD5.
pub(crate) type Md5Sum = [u8; 16];

/// What the client says of its body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Checksums {
    /// `Content-MD5`.
    pub(crate) md5: Option<Md5Sum>,
    /// `x-ms-content-crc64`.
    pub(crate) crc64: Option<u64>,
}

impl Checksums {
    /// Reads what the client says.
    ///
    /// # Errors
    /// `BothCrc64AndMd5HeaderPresent`, `InvalidMd5`, `InvalidHeaderValue`.
    pub(crate) fn read(head: &Head) -> Result<Self, StorageError> {
        Self::named(head, header::CONTENT_MD5, header::X_MS_CONTENT_CRC64)
    }

    /// Reads what the client says of the source of a copy.
    ///
    /// # Errors
    /// As [`Checksums::read`].
    pub(crate) fn of_source(head: &Head) -> Result<Self, StorageError> {
        Self::named(head, header::X_MS_SOURCE_CONTENT_MD5, header::X_MS_SOURCE_CONTENT_CRC64)
    }

    fn named(head: &Head, md5: &'static str, crc64: &'static str) -> Result<Self, StorageError> {
        let md5 = md5_header(head, md5)?;
        let name = crc64;
        let crc64 = match head.text(name)? {
            None => None,
            Some(text) => {
                let bytes = STANDARD.decode(text).ok().and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
                let invalid = || StorageError::invalid_header(name, text);
                Some(u64::from_le_bytes(bytes.ok_or_else(invalid)?))
            }
        };
        if md5.is_some() && crc64.is_some() {
            return Err(StorageError::new(ErrorCode::BothCrc64AndMd5HeaderPresent));
        }
        Ok(Self { md5, crc64 })
    }

    /// Compares with what came. `md5` is looked at only if the client gave one.
    ///
    /// # Errors
    /// `Md5Mismatch`, `Crc64Mismatch`.
    pub(crate) fn verify(&self, md5: Option<Md5Sum>, crc64: u64) -> Result<(), StorageError> {
        if let Some(given) = self.md5 {
            verify_md5(given, md5.unwrap_or_default())?;
        }
        match self.crc64 {
            Some(given) if given != crc64 => Err(crc64_mismatch(given, crc64)),
            _ => Ok(()),
        }
    }

    /// Compares with a document at hand.
    ///
    /// # Errors
    /// As [`Checksums::verify`].
    pub(crate) fn verify_whole(&self, document: &[u8]) -> Result<(), StorageError> {
        self.verify(self.md5.map(|_| md5(document)), crc64(document))
    }
}

/// The header's MD5.
///
/// # Errors
/// `InvalidMd5` if it is not 16 bytes in Base64.
pub(crate) fn md5_header(head: &Head, name: &'static str) -> Result<Option<Md5Sum>, StorageError> {
    let parse = |text| {
        let bytes = STANDARD.decode(text).ok().and_then(|bytes| Md5Sum::try_from(bytes).ok());
        bytes.ok_or_else(|| StorageError::new(ErrorCode::InvalidMd5).with("HeaderName", name))
    };
    head.text(name)?.map(parse).transpose()
}

/// Compares an MD5 that the client gave with the one that was computed.
///
/// # Errors
/// `Md5Mismatch`.
pub(crate) fn verify_md5(given: Md5Sum, calculated: Md5Sum) -> Result<(), StorageError> {
    if given == calculated {
        return Ok(());
    }
    Err(StorageError::new(ErrorCode::Md5Mismatch)
        .with("UserSpecifiedMd5", md5_text(given))
        .with("ServerCalculatedMd5", md5_text(calculated)))
}

/// `Crc64Mismatch`, with both.
pub(crate) fn crc64_mismatch(given: u64, calculated: u64) -> StorageError {
    StorageError::new(ErrorCode::Crc64Mismatch)
        .with("UserSpecifiedCrc", crc64_text(given))
        .with("ServerCalculatedCrc", crc64_text(calculated))
}

/// The MD5 of bytes at hand.
pub(crate) fn md5(bytes: &[u8]) -> Md5Sum {
    Md5::digest(bytes).into()
}

/// The CRC of bytes at hand.
pub(crate) fn crc64(bytes: &[u8]) -> u64 {
    crc_fast::checksum(Crc64Nvme, bytes)
}

/// A CRC of bytes to come.
pub(crate) fn crc64_digest() -> crc_fast::Digest {
    crc_fast::Digest::new(Crc64Nvme)
}

/// As headers spell it.
pub(crate) fn md5_text(md5: Md5Sum) -> String {
    STANDARD.encode(md5)
}

/// As headers spell it.
pub(crate) fn crc64_text(crc64: u64) -> String {
    STANDARD.encode(crc64.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    fn read(headers: &[(&str, &str)]) -> Result<Checksums, ErrorCode> {
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/c/b", headers);
        Checksums::read(&head).map_err(|error| error.code)
    }

    #[test]
    fn the_check_value_of_the_crc_is_the_published_one() {
        assert_eq!(crc64(b"123456789"), 0xAE8B_1486_0A79_9888);
        assert_eq!(crc64_text(crc64(b"123456789")), "iJh5CoYUi64=");
        assert_eq!(crc64(b""), 0);
    }

    #[test]
    fn a_document_is_compared_with_what_was_said_of_it() {
        let md5 = read(&[("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")]).unwrap();
        assert!(md5.verify_whole(b"hello").is_ok());
        let error = md5.verify_whole(b"hellO").unwrap_err();
        assert_eq!(error.code, ErrorCode::Md5Mismatch);
        assert_eq!(error.details.first(), Some(&("UserSpecifiedMd5", "XUFAKrxLKna5cZ2REBfFkg==".to_owned())));
        let crc = read(&[("x-ms-content-crc64", "iJh5CoYUi64=")]).unwrap();
        assert!(crc.verify_whole(b"123456789").is_ok());
        assert_eq!(crc.verify_whole(b"12345678").unwrap_err().code, ErrorCode::Crc64Mismatch);
        assert!(read(&[]).unwrap().verify_whole(b"anything").is_ok());
    }

    #[test]
    fn a_checksum_that_is_none_is_refused() {
        for bad in ["x", "AAAA", "XUFAKrxLKna5cZ2REBfFkg"] {
            assert_eq!(read(&[("content-md5", bad)]), Err(ErrorCode::InvalidMd5), "{bad}");
        }
        assert_eq!(read(&[("x-ms-content-crc64", "AAAA")]), Err(ErrorCode::InvalidHeaderValue));
        let both = [("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="), ("x-ms-content-crc64", "iJh5CoYUi64=")];
        assert_eq!(read(&both), Err(ErrorCode::BothCrc64AndMd5HeaderPresent));
    }
}
