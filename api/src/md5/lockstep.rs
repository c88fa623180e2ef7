//! MD5's compression of eight streams side by side, one stream in each 32-bit lane of a vector.
//!
//! Every step of MD5 needs the result of the step before, so one stream leaves most of a core idle and no
//! instruction set changes that; eight streams in one vector take hardly longer than one alone. Eight is one
//! AVX2 register; where vectors are narrower (SSE2, NEON) two of them stand for it and still fill each other's
//! gaps. Sixteen lanes were measured too: with AVX-512 half as fast again, with AVX2 no better, and never full.
//!
//! The vectors are `fearless_simd`'s, which depends on nothing: it picks the instruction set when the program runs, and
//! keeps the `unsafe` of doing so on its side. Leaving it to the optimiser to find the vectors in loops over arrays
//! needs the same dispatch and breaks with any change to either.
#![expect(clippy::inline_always, reason = "code that is not inlined into the dispatch has no wide vectors")]
#![expect(clippy::many_single_char_names, reason = "the names of the standard")]

use fearless_simd::prelude::{SimdBase as _, SimdFrom as _};
use fearless_simd::{Level, Simd, dispatch, u32x8};

/// How many streams go side by side.
pub(super) const LANES: usize = 8;

/// What MD5 knows of the blocks so far.
pub(super) type State = [u32; 4];

/// What MD5 takes at a time.
pub(super) type Block = [u8; 64];

/// The state before the first block.
pub(super) const START: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// Blocks of one stream that lie together, and its state before them.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) state: &'a mut State,
    pub(super) blocks: &'a [Block],
}

/// From so many streams on a vector pays. Never without optimisation: then every operation on a vector is a
/// call and all of it a hundred times slower, while the crate for one stream is optimised in every build.
const TOGETHER_MIN: usize = if cfg!(debug_assertions) { LANES + 1 } else { 2 };

/// Takes each of at most [`LANES`] streams further by as many blocks as the shortest run has, and returns how
/// many that was.
pub(super) fn advance(runs: &mut [Run<'_>]) -> usize {
    if runs.len() >= TOGETHER_MIN { side_by_side(runs) } else { one_by_one(runs) }
}

fn shortest(runs: &[Run<'_>]) -> usize {
    runs.iter().map(|run| run.blocks.len()).min().unwrap_or(0)
}

fn one_by_one(runs: &mut [Run<'_>]) -> usize {
    let count = shortest(runs);
    for run in runs {
        one(run.state, run.blocks.get(..count).unwrap_or_default());
    }
    count
}

/// What [`advance`] does, always in one vector.
pub(super) fn side_by_side(runs: &mut [Run<'_>]) -> usize {
    debug_assert!(runs.len() <= LANES, "the others would stay where they are");
    let count = shortest(runs);
    // Lanes without a stream count along on nothing; their result is dropped.
    let mut states = [START; LANES];
    let mut blocks: [&[Block]; LANES] = [&[]; LANES];
    for ((state, blocks), run) in states.iter_mut().zip(&mut blocks).zip(runs.iter()) {
        (*state, *blocks) = (*run.state, run.blocks);
    }
    let states = dispatch!(Level::new(), simd => many(simd, states, blocks, count));
    for (run, state) in runs.iter_mut().zip(states) {
        *run.state = state;
    }
    count
}

/// Takes one stream further by all these blocks.
pub(super) fn one(state: &mut State, blocks: &[Block]) {
    ::md5::block_api::compress(state, blocks);
}

/// A word of each stream.
type Words<S> = u32x8<S>;

#[inline(always)]
fn many<S: Simd>(simd: S, states: [State; LANES], blocks: [&[Block]; LANES], count: usize) -> [State; LANES] {
    let mut lanes = [0, 1, 2, 3]
        .map(|word| Words::simd_from(simd, states.map(|state| state.get(word).copied().unwrap_or_default())));
    for at in 0..count {
        let words = words(simd, blocks.map(|blocks| blocks.get(at).unwrap_or(&[0; 64])));
        lanes = block(lanes, &words);
    }
    let [a, b, c, d] = lanes.map(|lane| *lane);
    let mut result = states;
    for ((((state, a), b), c), d) in result.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *state = [a, b, c, d];
    }
    result
}

/// The sixteen words of each block, first words first.
#[inline(always)]
fn words<S: Simd>(simd: S, blocks: [&Block; LANES]) -> [Words<S>; 16] {
    let [a, b, c, d, e, f, g, h] = transpose(blocks.map(|block| load(simd, block.split_at(32).0)));
    let [i, j, k, l, m, n, o, p] = transpose(blocks.map(|block| load(simd, block.split_at(32).1)));
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

#[inline(always)]
fn load<S: Simd>(simd: S, half: &[u8]) -> Words<S> {
    let mut words = [0; LANES];
    for (word, bytes) in words.iter_mut().zip(half.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    Words::simd_from(simd, words)
}

/// Rows become columns: what stood four rows apart is interleaved, three times.
#[inline(always)]
fn transpose<S: Simd>(rows: [Words<S>; LANES]) -> [Words<S>; LANES] {
    interleave(interleave(interleave(rows)))
}

#[inline(always)]
fn interleave<S: Simd>([a, b, c, d, e, f, g, h]: [Words<S>; LANES]) -> [Words<S>; LANES] {
    [
        a.zip_low(e),
        a.zip_high(e),
        b.zip_low(f),
        b.zip_high(f),
        c.zip_low(g),
        c.zip_high(g),
        d.zip_low(h),
        d.zip_high(h),
    ]
}

#[inline(always)]
fn block<S: Simd>(before: [Words<S>; 4], m: &[Words<S>; 16]) -> [Words<S>; 4] {
    let order = [
        m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], m[9], m[10], m[11], m[12], m[13], m[14], m[15],
    ];
    let after = round(before, order, &ADDED[0], [7, 12, 17, 22], |b, c, d| d ^ (b & (c ^ d)));
    let order = [
        m[1], m[6], m[11], m[0], m[5], m[10], m[15], m[4], m[9], m[14], m[3], m[8], m[13], m[2], m[7], m[12],
    ];
    let after = round(after, order, &ADDED[1], [5, 9, 14, 20], |b, c, d| c ^ (d & (b ^ c)));
    let order = [
        m[5], m[8], m[11], m[14], m[1], m[4], m[7], m[10], m[13], m[0], m[3], m[6], m[9], m[12], m[15], m[2],
    ];
    let after = round(after, order, &ADDED[2], [4, 11, 16, 23], |b, c, d| b ^ c ^ d);
    let order = [
        m[0], m[7], m[14], m[5], m[12], m[3], m[10], m[1], m[8], m[15], m[6], m[13], m[4], m[11], m[2], m[9],
    ];
    let after = round(after, order, &ADDED[3], [6, 10, 15, 21], |b, c, d| c ^ (b | !d));
    let ([a, b, c, d], [e, f, g, h]) = (before, after);
    [a + e, b + f, c + g, d + h]
}

/// Sixteen steps, four of which take the state once around.
#[inline(always)]
fn round<S: Simd>(
    state: [Words<S>; 4],
    order: [Words<S>; 16],
    added: &[[u32; 4]; 4],
    [s0, s1, s2, s3]: [u32; 4],
    mix: impl Fn(Words<S>, Words<S>, Words<S>) -> Words<S>,
) -> [Words<S>; 4] {
    let [mut a, mut b, mut c, mut d] = state;
    for ([m0, m1, m2, m3], [k0, k1, k2, k3]) in order.as_chunks::<4>().0.iter().zip(added) {
        a = step(a + mix(b, c, d), *m0 + *k0, s0, b);
        d = step(d + mix(a, b, c), *m1 + *k1, s1, a);
        c = step(c + mix(d, a, b), *m2 + *k2, s2, d);
        b = step(b + mix(c, d, a), *m3 + *k3, s3, c);
    }
    [a, b, c, d]
}

#[inline(always)]
fn step<S: Simd>(mixed: Words<S>, known: Words<S>, left: u32, next: Words<S>) -> Words<S> {
    let sum = known + mixed;
    ((sum << left) | (sum >> (32 - left))) + next
}

/// The whole parts of 2^32 times |sin 1|, |sin 2| and so on, by rounds.
const ADDED: [[[u32; 4]; 4]; 4] = [
    [
        [0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee],
        [0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501],
        [0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be],
        [0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821],
    ],
    [
        [0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa],
        [0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8],
        [0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed],
        [0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a],
    ],
    [
        [0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c],
        [0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70],
        [0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05],
        [0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665],
    ],
    [
        [0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039],
        [0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1],
        [0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1],
        [0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391],
    ],
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blocks(seed: u8, count: usize) -> Vec<Block> {
        let mut bytes = (0..=250).cycle().map(|byte: u8| byte.wrapping_mul(31) ^ seed);
        (0..count).map(|_| std::array::from_fn(|_| bytes.next().unwrap())).collect()
    }

    #[test]
    fn the_constants_are_those_of_the_sine() {
        for (step, added) in (1_u32..).zip(ADDED.as_flattened().as_flattened()) {
            let sine = (f64::from(step).sin().abs() * 4_294_967_296.0).floor();
            assert_eq!(f64::from(*added).to_bits(), sine.to_bits(), "of step {step}");
        }
    }

    #[test]
    fn every_instruction_set_of_this_machine_gives_the_same() {
        let data = [1, 2, 3, 4, 5, 6, 7, 8].map(|seed| blocks(seed, 3));
        let runs: [&[Block]; LANES] = data.each_ref().map(Vec::as_slice);
        let expected: [State; LANES] = runs.map(|run| {
            let mut state = START;
            one(&mut state, run);
            state
        });
        assert_eq!(dispatch!(Level::new(), simd => many(simd, [START; LANES], runs, 3)), expected);
        assert_eq!(dispatch!(Level::baseline(), simd => many(simd, [START; LANES], runs, 3)), expected);
    }

    proptest! {
        #[test]
        fn side_by_side_or_alone_is_the_same(lengths in prop::collection::vec(0_usize..9, 0..=LANES)) {
            let data: Vec<_> = lengths.iter().zip(0..).map(|(length, seed)| blocks(seed, *length)).collect();
            for advance in [advance, side_by_side, one_by_one] {
                let mut states = vec![START; data.len()];
                let mut runs: Vec<_> =
                    states.iter_mut().zip(&data).map(|(state, blocks)| Run { state, blocks }).collect();
                let count = advance(&mut runs);
                prop_assert_eq!(count, lengths.iter().copied().min().unwrap_or(0));
                for (state, data) in states.iter().zip(&data) {
                    let mut expected = START;
                    one(&mut expected, &data[..count]);
                    prop_assert_eq!(*state, expected);
                }
            }
        }
    }
}
