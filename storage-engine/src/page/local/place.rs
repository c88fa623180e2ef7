//! Where a page is: areas, units, slots, and how they number each other.
//!
//! ```text
//! volume  ── areas of 4 MiB ── units of 64 KiB ── pages of 512 bytes
//! unit u of the volume ── lives in a slot: 64 KiB of a file; slot u is its *home*, every other one a *spare*
//! slot s ── file s / FILE_SLOTS, at byte (s % FILE_SLOTS) * 64 KiB
//! ```
//!
//! # Why 64 KiB
//! The unit is what is copied when a page shared with a snapshot is first written, and what is written aside by a
//! durable write of several pages: it should be small. It is what a map names and what is punched: it should be
//! large. 64 KiB is copied in the time of one sync, and makes 64 entries an area. Units need not be large for the
//! sake of neighbours: they live at home, so what is next to each other in the volume is so in the file.
//!
//! # Why homes
//! A volume without snapshots is then a plain sparse image: no table to look up, no allocator to disturb the
//! order, and one request to the device for a long read. Spares begin behind the last home that any volume has.

use crate::page::{AREA_BYTES, PAGE_BYTES, PageRange, VOLUME_BYTES_MAX};
use std::ops::Range;

pub(super) const PAGE: u64 = PAGE_BYTES as u64;
/// Bytes of a unit and of a slot.
pub(super) const UNIT_BYTES: usize = 64 << 10;
pub(super) const AREA: u64 = AREA_BYTES as u64;
/// Pages of an area.
pub(super) const AREA_PAGES: u32 = 8192;
/// Pages of a unit.
pub(super) const UNIT_PAGES: u32 = 128;
/// Units of an area.
pub(super) const AREA_UNITS: u32 = AREA_PAGES / UNIT_PAGES;
/// The first slot that is nobody's home.
pub(super) const SPARES: u64 = VOLUME_BYTES_MAX / UNIT_BYTES as u64;
/// Slots of a file: 64 GiB.
pub(super) const FILE_SLOTS: u64 = 1 << 20;

const _: () = assert!(AREA_PAGES as usize * PAGE_BYTES == AREA_BYTES);
const _: () = assert!(UNIT_PAGES as usize * PAGE_BYTES == UNIT_BYTES);

/// The part of a range that is in one area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) area: u32,
    /// Pages, counted from the area's first.
    pub(super) pages: Range<u32>,
}

/// The areas that a range touches, and what of each.
pub(super) fn parts(range: PageRange) -> impl Iterator<Item = Part> {
    let areas = range.offset() / AREA..range.end().div_ceil(AREA);
    areas.map(move |area| {
        let first = area * AREA;
        let pages_at = |byte: u64| number(byte.clamp(first, first + AREA) - first) / PAGE_BYTES_U32;
        Part { area: number(area), pages: pages_at(range.offset())..pages_at(range.end()) }
    })
}

/// Bytes of a page, as the type in which places inside an area are counted.
const PAGE_BYTES_U32: u32 = 512;

/// A number that is small because volumes are bounded: of an area, or of a byte inside one.
pub(super) fn number(small: u64) -> u32 {
    u32::try_from(small).unwrap_or(u32::MAX)
}

/// The units that pages of an area touch, each with what of its pages, counted from the area's first.
pub(super) fn units(pages: Range<u32>) -> impl Iterator<Item = (u32, Range<u32>)> {
    let units = pages.start / UNIT_PAGES..pages.end.div_ceil(UNIT_PAGES);
    units.map(move |unit| {
        let whole = unit_pages(unit);
        (unit, whole.start.max(pages.start)..whole.end.min(pages.end))
    })
}

/// The pages of a unit, counted from the area's first.
pub(super) fn unit_pages(unit: u32) -> Range<u32> {
    unit * UNIT_PAGES..(unit + 1) * UNIT_PAGES
}

/// The slot that is a unit's home.
pub(super) fn home(area: u32, unit: u32) -> u64 {
    u64::from(area) * u64::from(AREA_UNITS) + u64::from(unit)
}

/// Bytes of so many pages.
pub(super) fn bytes_of(pages: u32) -> usize {
    pages as usize * PAGE_BYTES
}

/// The first byte of a page of a unit inside its slot.
pub(super) fn offset_in_slot(page: u32) -> u64 {
    u64::from(page % UNIT_PAGES) * PAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_fall_into_areas_and_units() {
        let range = PageRange::new(AREA - 1024, 3 * AREA).unwrap();
        let found: Vec<_> = parts(range).map(|part| (part.area, part.pages)).collect();
        assert_eq!(found, [(0, 8190..8192), (1, 0..8192), (2, 0..8192), (3, 0..8190)]);
        let found: Vec<_> = units(100..300).collect();
        assert_eq!(found, [(0, 100..128), (1, 128..256), (2, 256..300)]);
        assert_eq!(home(2, 3), 131);
        assert_eq!(offset_in_slot(130), 1024);
    }
}
