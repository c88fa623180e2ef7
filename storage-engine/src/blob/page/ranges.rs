//! Which pages of a page blob are valid, or have changed since a snapshot.

use super::{PAGE, moment};
use crate::blob::record::Form;
use crate::blob::record::place::{Route, State};
use crate::blob::record::properties::{BlobKind, BlobProperties, Which};
use crate::blob::rule::guard;
use crate::blob::{BlobAddress, BlobStore, ByteRange, Conditions, read, state};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::{self, View, Weight};
use crate::page::{Epoch, PageRange, Run, VOLUME_BYTES_MAX, VolumeId};
use std::num::NonZeroUsize;

/// Which pages to tell.
#[derive(Debug, Clone, Copy)]
pub struct PageQuery {
    /// Of which state.
    pub which: Which,
    /// Only what has changed since this snapshot.
    pub since: Option<Timestamp>,
    /// Only inside this range; widened to whole pages.
    pub range: Option<ByteRange>,
    /// From this byte on: the [`PageRuns::next`] of the part before.
    pub after: Option<u64>,
    /// At most so many runs.
    pub limit: NonZeroUsize,
}

/// Pages of a blob.
#[derive(Debug, Clone)]
pub struct PageRuns {
    /// The blob.
    pub properties: BlobProperties,
    /// Valid pages, and with [`PageQuery::since`] also pages that were valid and are not any more.
    pub runs: Vec<Run>,
    /// Where to go on; none at the end.
    pub next: Option<u64>,
}

impl BlobStore {
    /// The valid pages of a page blob, or those that differ from a snapshot. *Get Page Ranges*, also its diff.
    ///
    /// # Errors
    /// [`EngineError::PreviousSnapshotNotFound`], [`EngineError::PreviousSnapshotNewer`],
    /// [`EngineError::BlobOverwritten`], [`EngineError::RangeNotSatisfiable`].
    pub async fn page_runs(
        &self,
        at: &BlobAddress,
        query: PageQuery,
        conditions: Conditions,
    ) -> Result<PageRuns> {
        let pages = self.pages()?;
        let (at, now) = (at.clone(), self.clock.now());
        let looking = move |view: &dyn View| look(view, &Route::find(view, &at)?, query, (&conditions, now));
        let Looked { properties, volume, epoch, since } =
            meta::read(self.meta.as_ref(), Weight::Point, looking).await?;
        let Some(within) = within(&query, properties.length)? else {
            return Ok(PageRuns { properties, runs: Vec::new(), next: None });
        };
        // A shorter blob has no pages where a longer snapshot had some.
        let end = properties.length;
        let (mut runs, mut next) = (Vec::new(), Some(within.offset()));
        while let Some(from) = next.filter(|from| *from < within.end()) {
            let Some(wanted) = NonZeroUsize::new(query.limit.get().saturating_sub(runs.len())) else { break };
            let rest = PageRange::new(from, within.end() - from)?;
            let found = pages.store.runs(volume, since, moment(epoch), rest, wanted).await?;
            found.runs.into_iter().filter_map(|run| cut(run, end)).for_each(|run| join(&mut runs, run));
            next = found.next;
        }
        Ok(PageRuns { properties, runs, next: next.filter(|next| *next < within.end()) })
    }
}

/// What of a run is before `end`.
fn cut(run: Run, end: u64) -> Option<Run> {
    let length = run.range.end().min(end).saturating_sub(run.range.offset());
    Some(Run { range: PageRange::new(run.range.offset(), length).ok()?, valid: run.valid })
}

/// Puts a run behind others: into the last of them, if it goes on with it.
fn join(runs: &mut Vec<Run>, run: Run) {
    if let Some(last) = runs.last_mut()
        && last.valid == run.valid
        && last.range.end() == run.range.offset()
        && let Ok(range) = PageRange::new(last.range.offset(), last.range.length() + run.range.length())
    {
        last.range = range;
    } else {
        runs.push(run);
    }
}

struct Looked {
    properties: BlobProperties,
    volume: VolumeId,
    epoch: Option<Epoch>,
    since: Option<Epoch>,
}

fn look(
    view: &dyn View,
    route: &Route,
    query: PageQuery,
    (conditions, now): (&Conditions, Timestamp),
) -> Result<Looked> {
    let record = read::find(view, route, query.which, conditions, now)?;
    guard::not_incremental(&record.properties)?;
    conditions.check_customer_key(&record.properties)?;
    let (BlobKind::Page { .. }, Form::Volume(volume, epoch)) = (record.properties.kind, record.form) else {
        return Err(EngineError::BlobKindMismatch);
    };
    let since = query.since.map(|id| -> Result<Epoch> {
        let newer = match query.which {
            Which::Snapshot(at) | Which::Version(at) => id > at,
            Which::Base => false,
        };
        if newer {
            return Err(EngineError::PreviousSnapshotNewer);
        }
        let previous = state::get(view, &route.place, State::Snapshot(id))?;
        let previous = previous.filter(|previous| previous.properties.is_live(now));
        match previous.ok_or(EngineError::PreviousSnapshotNotFound)?.form {
            Form::Volume(other, Some(epoch)) if other == volume => Ok(epoch),
            _ => Err(EngineError::BlobOverwritten),
        }
    });
    let since = since.transpose()?;
    Ok(Looked { properties: record.properties, volume, epoch, since })
}

/// The pages asked for; none if there are none.
fn within(query: &PageQuery, length: u64) -> Result<Option<PageRange>> {
    let (first, last) = match query.range {
        Some(range) if range.first >= length => return Err(EngineError::RangeNotSatisfiable { length }),
        Some(range) => (range.first, range.last.unwrap_or(VOLUME_BYTES_MAX - 1)),
        None => (0, VOLUME_BYTES_MAX - 1),
    };
    let from = first.max(query.after.unwrap_or(0));
    let from = from - from % PAGE;
    let end = last.saturating_add(1).min(length).next_multiple_of(PAGE);
    if from >= end { Ok(None) } else { PageRange::new(from, end - from).map(Some) }
}
