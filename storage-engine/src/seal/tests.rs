//! Sealed chunks and pages: any range comes back, nothing shows, and changes are found out.

use super::unit::{FILLED_BYTES, SALT_BYTES, Sealer, content_bytes, open_whole};
use super::{CustomerKey, Framing, SealKey, SealedReader, page::PageCipher};
use crate::blob::fixture::MemoryChunks;
use crate::chunk::{CHUNK_BYTES_MAX, ChunkRef, ChunkStore, Content, Upload};
use crate::clock::SeededEntropy;
use crate::error::{EngineError, Result};
use crate::page::{PAGE_BYTES, VolumeId};
use bytes::Bytes;
use futures_executor::block_on;
use proptest::prelude::*;
use std::sync::Arc;
use zeroize::Zeroizing;

fn key(byte: u8) -> SealKey {
    CustomerKey::new(Zeroizing::new([byte; 32])).seal_key()
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

fn store(chunks: &MemoryChunks) -> Arc<dyn ChunkStore> {
    Arc::new(chunks.clone())
}

/// The chunks that an upload in pieces of so many bytes becomes.
fn upload(chunks: &MemoryChunks, content: &[u8], piece: usize) -> Vec<ChunkRef> {
    let sealer = Sealer::new(key(1), Arc::new(SeededEntropy::new(7)));
    let mut upload = Upload::new(store(chunks)).sealed(Some(sealer));
    for piece in content.chunks(piece) {
        block_on(upload.write(Bytes::copy_from_slice(piece))).unwrap();
    }
    let staged = block_on(upload.finish_in_chunks()).unwrap();
    assert_eq!((staged.length, staged.sealed()), (content.len() as u64, Some(key(1).name())));
    let Content::Chunks(named) = staged.content.clone() else { panic!("not in chunks") };
    staged.adopted();
    named
}

fn read(
    chunks: &MemoryChunks,
    named: &[ChunkRef],
    key: SealKey,
    (first, length): (u64, u64),
) -> Result<Vec<u8>> {
    let floor = (store(chunks), store(chunks).pin());
    let mut reader = SealedReader::new(floor, key, named.to_vec(), (first, length));
    let mut all = Vec::new();
    while let Some(piece) = block_on(reader.next())? {
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

#[test]
fn any_range_of_sealed_content_is_what_was_written() {
    let chunks = MemoryChunks::default();
    let most = usize::try_from(content_bytes(u32::try_from(CHUNK_BYTES_MAX).unwrap())).unwrap();
    for length in [1, 5000, FILLED_BYTES - SALT_BYTES, FILLED_BYTES, most, most + 1, 2 * most + 70_000] {
        let content = content(length);
        let named = upload(&chunks, &content, 100_000);
        assert_eq!(named.len(), length.div_ceil(most));
        let told: u64 = named.iter().map(|chunk| Framing::Sealed.content_bytes(chunk.len)).sum();
        assert_eq!(told, length as u64);
        assert_eq!(read(&chunks, &named, key(1), (0, length as u64)).unwrap(), content);
        let first_bytes = Framing::Sealed.content_bytes(named[0].len);
        proptest!(ProptestConfig::with_cases(30), |(a in 0..first_bytes, b in 0..length as u64)| {
            let (first, last) = (a, a.max(b));
            let part = &content[usize::try_from(first).unwrap()..=usize::try_from(last).unwrap()];
            prop_assert_eq!(&read(&chunks, &named, key(1), (first, last - first + 1)).unwrap(), part);
        });
    }
}

#[test]
fn what_is_stored_shows_nothing_and_never_repeats() {
    let chunks = MemoryChunks::default();
    let named = upload(&chunks, &vec![7; 3 << 20], 1 << 20);
    let units = named.iter().flat_map(|chunk| {
        let bytes = block_on(store(&chunks).read(*chunk, 0, chunk.len)).unwrap();
        bytes.chunks(16).map(<[u8]>::to_vec).collect::<Vec<_>>()
    });
    let units: Vec<_> = units.collect();
    let different: std::collections::HashSet<_> = units.iter().collect();
    assert_eq!(different.len(), units.len(), "blocks of one content look alike");
}

#[test]
fn another_key_and_a_changed_byte_are_found_out() {
    let chunks = MemoryChunks::default();
    let named = upload(&chunks, &content(200_000), 64_000);
    let wrong = read(&chunks, &named, key(2), (0, 200_000));
    assert!(matches!(wrong, Err(EngineError::Corrupt { .. })));
    let whole = block_on(store(&chunks).read(named[0], 0, named[0].len)).unwrap();
    for at in [0, SALT_BYTES, 70_000, whole.len() - 1] {
        let mut changed = whole.to_vec();
        changed[at] ^= 1;
        let appending = store(&chunks).append(vec![changed.into()], Vec::new());
        let changed = [block_on(appending).unwrap()];
        assert!(read(&chunks, &changed, key(1), (0, 200_000)).is_err(), "{at}");
    }
    // Cut off where a unit ends.
    let appending = store(&chunks).append(vec![whole.slice(..2 * 65_536)], Vec::new());
    let cut = [block_on(appending).unwrap()];
    assert!(read(&chunks, &cut, key(1), (0, 100_000)).is_err());
}

#[test]
fn small_content_is_sealed_inline() {
    let chunks = MemoryChunks::default();
    let sealer = || Some(Sealer::new(key(1), Arc::new(SeededEntropy::new(7))));
    let mut upload = Upload::new(store(&chunks)).sealed(sealer());
    block_on(upload.write(Bytes::from_static(b"a secret"))).unwrap();
    let staged = block_on(upload.finish()).unwrap();
    let Content::Inline(bytes) = &staged.content else { panic!("not inline") };
    assert!(!bytes.windows(8).any(|window| window == b"a secret"));
    assert_eq!(open_whole(&key(1), bytes).unwrap(), "a secret");
    assert!(open_whole(&key(2), bytes).is_err());
    let empty = block_on(Upload::new(store(&chunks)).sealed(sealer()).finish()).unwrap();
    assert_eq!(empty.content, Content::Inline(Bytes::new()));
}

#[test]
fn pages_are_sealed_by_place_and_those_never_written_stay_zeros() {
    let cipher = PageCipher::new(&key(1), VolumeId(5)).unwrap();
    let pages = content(4 * PAGE_BYTES);
    let sealed = cipher.seal(1024, &[Bytes::from(pages.clone())]);
    assert_ne!(sealed, pages);
    assert_eq!(cipher.open(1024, &sealed), pages);
    assert_eq!(cipher.open(1536, &sealed[PAGE_BYTES..]), &pages[PAGE_BYTES..]);
    assert_ne!(cipher.open(0, &sealed), pages);
    assert_ne!(PageCipher::new(&key(1), VolumeId(6)).unwrap().open(1024, &sealed), pages);
    assert_eq!(cipher.open(0, &[0; PAGE_BYTES]), vec![0; PAGE_BYTES]);
    let zeros = cipher.seal(0, &[Bytes::from(vec![0; PAGE_BYTES])]);
    assert_ne!(zeros, vec![0; PAGE_BYTES]);
    assert_eq!(cipher.open(0, &zeros), vec![0; PAGE_BYTES]);
}

#[test]
fn pages_are_those_of_the_standard() {
    use aes::cipher::KeyInit;
    // The first vector of IEEE 1619 for XTS-AES-256 (vector 10), of one sector of 512 bytes.
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let one =
        aes::Aes256::new_from_slice(&hex("2718281828459045235360287471352662497757247093699959574966967627"));
    let two =
        aes::Aes256::new_from_slice(&hex("3141592653589793238462643383279502884197169399375105820974944592"));
    let xts = xts_mode::Xts128::new(one.unwrap(), two.unwrap());
    let mut sector: Vec<u8> = (0..512).map(|at| u8::try_from(at % 256).unwrap()).collect();
    xts.encrypt_sector(&mut sector, xts_mode::get_tweak_default(0xFF));
    assert_eq!(sector[..16], hex("1c3b3a102f770386e4836c99e370cf9b"));
}

#[test]
fn keys_are_not_printed() {
    let customer = CustomerKey::new(Zeroizing::new([0xAB; 32]));
    assert_eq!(format!("{customer:?}"), "CustomerKey");
    assert!(!format!("{:?}", customer.seal_key()).contains("171, 171"));
}
