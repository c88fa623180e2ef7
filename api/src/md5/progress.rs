//! One stream's MD5 as far as it has come: all but the blocks themselves, which are hashed where they lie.
//!
//! Only a block that lies in two pieces is copied, and so is the rest behind the last whole block.

use super::lockstep::{Block, START, State, one};
use bytes::Bytes;

const BLOCK_BYTES: usize = size_of::<Block>();

/// How far a stream has come. Always at the edge of a block, but for `carried_bytes` behind it.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    /// What the whole blocks so far make.
    pub(super) state: State,
    carry: Block,
    carried_bytes: usize,
}

impl Progress {
    /// Before the first byte.
    pub(super) fn new() -> Self {
        Self { state: START, carry: [0; BLOCK_BYTES], carried_bytes: 0 }
    }

    /// Makes `piece` begin at the edge of a block, and says whether a whole block is left of it. If not, then
    /// all of it is taken.
    pub(super) fn align(&mut self, piece: &mut Bytes) -> bool {
        while !piece.is_empty() && (self.carried_bytes > 0 || piece.len() < BLOCK_BYTES) {
            let (_, room) = self.carry.split_at_mut(self.carried_bytes);
            let taken = piece.split_to(room.len().min(piece.len()));
            room.split_at_mut(taken.len()).0.copy_from_slice(&taken);
            self.carried_bytes += taken.len();
            if self.carried_bytes == BLOCK_BYTES {
                one(&mut self.state, std::slice::from_ref(&self.carry));
                self.carried_bytes = 0;
            }
        }
        !piece.is_empty()
    }

    /// Takes a whole piece, here and now.
    pub(super) fn update(&mut self, mut piece: Bytes) {
        if self.align(&mut piece) {
            let (blocks, rest) = piece.as_chunks();
            one(&mut self.state, blocks);
            self.align(&mut piece.slice_ref(rest));
        }
    }

    /// The MD5 of all that came, which was `bytes` long.
    pub(super) fn finish(mut self, bytes: u64) -> [u8; 16] {
        let mut tail = self.carry.split_at(self.carried_bytes).0.to_vec();
        tail.push(0x80);
        let whole = (tail.len() + size_of::<u64>()).next_multiple_of(BLOCK_BYTES);
        tail.resize(whole - size_of::<u64>(), 0);
        tail.extend(bytes.wrapping_mul(8).to_le_bytes());
        one(&mut self.state, tail.as_chunks().0);
        let mut sum = [0; 16];
        for (bytes, word) in sum.as_chunks_mut().0.iter_mut().zip(self.state) {
            *bytes = word.to_le_bytes();
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum;
    use proptest::prelude::*;

    fn hash(pieces: &[&[u8]]) -> [u8; 16] {
        let mut progress = Progress::new();
        let mut bytes = 0;
        for piece in pieces {
            progress.update(Bytes::copy_from_slice(piece));
            bytes += piece.len() as u64;
        }
        progress.finish(bytes)
    }

    #[test]
    fn the_vectors_of_the_standard_hold() {
        let vectors: [(&str, u128); 7] = [
            ("", 0xd41d_8cd9_8f00_b204_e980_0998_ecf8_427e),
            ("a", 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661),
            ("abc", 0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72),
            ("message digest", 0xf96b_697d_7cb7_938d_525a_2f31_aaf1_61d0),
            ("abcdefghijklmnopqrstuvwxyz", 0xc3fc_d3d7_6192_e400_7dfb_496c_ca67_e13b),
            (
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                0xd174_ab98_d277_d9f5_a561_1c2c_9f41_9d9f,
            ),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                0x57ed_f4a2_2be3_c955_ac49_da2e_2107_b67a,
            ),
        ];
        for (text, sum) in vectors {
            assert_eq!(hash(&[text.as_bytes()]), sum.to_be_bytes(), "of {text:?}");
        }
    }

    #[test]
    fn every_length_around_a_block_is_padded_right() {
        let data = [0x5a; 200];
        for length in 0..data.len() {
            assert_eq!(hash(&[&data[..length]]), checksum::md5(&data[..length]), "of {length} bytes");
        }
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_a_stream_is_cut(
            data in prop::collection::vec(any::<u8>(), 0..1000),
            mut cuts in prop::collection::vec(0_usize..1000, 0..12),
        ) {
            cuts.retain(|cut| *cut <= data.len());
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut rest = data.as_slice();
            for cut in cuts.into_iter().rev() {
                let (before, piece) = rest.split_at(cut);
                pieces.insert(0, piece);
                rest = before;
            }
            pieces.insert(0, rest);
            prop_assert_eq!(hash(&pieces), checksum::md5(&data));
        }
    }
}
