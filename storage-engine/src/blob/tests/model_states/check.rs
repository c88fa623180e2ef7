//! What is compared with the model of all states: listings, contents, searches by tags.

use super::{Blob, Kind, Run, tag_expression};
use crate::blob::fixture::read_all;
use crate::blob::{BlobEntry, BlobKind, Conditions, FindBlobs, Include, ListBlobs, Which};
use futures_executor::block_on;

impl Run {
    /// Everything that a listing is to show: name, which, deleted, length, metadata, tag, etag, version.
    pub(super) fn expected(&self) -> Vec<String> {
        let mut all = Vec::new();
        let line = |name: &str, what: String, blob: &Blob, deleted: bool| {
            let Blob { kind, bytes, metadata, tag, etag, version, sealed, .. } = blob;
            format!(
                "{name} {what} {deleted} {kind:?} {} {metadata} {tag:?} {etag} {version:?} {sealed}",
                bytes.len()
            )
        };
        for (name, states) in &self.names {
            for ((id, version), (blob, deleted)) in &states.past {
                let what = if *version { "version" } else { "snapshot" };
                all.push(line(name, format!("{what} {id:?}"), blob, deleted.is_some()));
            }
            all.extend(states.base.iter().map(|blob| line(name, "base".to_owned(), blob, false)));
            all.extend(states.deleted.iter().map(|(blob, _)| line(name, "base".to_owned(), blob, true)));
            if states.base.is_none() && !states.staged.is_empty() {
                all.push(format!("{name} staged"));
            }
            let mut versions = states.past.iter().rev();
            let newest = versions.find(|((_, version), _)| *version);
            if let (None, Some((_, (blob, _)))) = (&states.base, newest) {
                all.push(format!("{name} versions only, of {} the newest", blob.etag));
            }
        }
        all
    }

    pub(super) fn listed(&self, limit: usize) -> Vec<String> {
        let include = Include {
            uncommitted: true,
            snapshots: true,
            versions: true,
            deleted: true,
            deleted_with_versions: true,
        };
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let list = ListBlobs { after, limit, include, ..ListBlobs::default() };
            let page =
                block_on(self.store.blobs.list(&self.store.account, &self.store.container, list)).unwrap();
            assert!(page.entries.len() <= limit);
            for entry in page.entries {
                all.push(match entry {
                    BlobEntry::Uncommitted(name) => format!("{name} staged"),
                    BlobEntry::VersionsOnly(name, newest) => {
                        assert!(newest.current, "shown as the blob was");
                        format!("{name} versions only, of {} the newest", newest.etag.0)
                    }
                    BlobEntry::Prefix(prefix) => panic!("{prefix}"),
                    BlobEntry::Blob(name, blob) => {
                        let (kind, sealed) = match blob.kind {
                            BlobKind::Block => (Kind::Block, false),
                            BlobKind::Append { sealed, .. } => (Kind::Append, sealed),
                            BlobKind::Page { .. } => (Kind::Page, false),
                        };
                        let base = blob.current
                            || (blob.deletion.is_some() && blob.snapshot.is_none() && blob.version.is_none());
                        let what = match (base, blob.snapshot, blob.version) {
                            (true, ..) | (false, None, None) => "base".to_owned(),
                            (false, Some(id), _) => format!("snapshot {id:?}"),
                            (false, None, Some(id)) => format!("version {id:?}"),
                        };
                        let tag = blob.tags.get("t").map(ToOwned::to_owned);
                        format!(
                            "{name} {what} {} {kind:?} {} {} {tag:?} {} {:?} {sealed}",
                            blob.deletion.is_some(),
                            blob.length,
                            blob.metadata[0].1,
                            blob.etag.0,
                            blob.version,
                        )
                    }
                });
            }
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    }

    pub(super) fn check(&mut self) {
        let limit = usize::try_from(1 + self.dice.roll(7)).unwrap();
        let (mut listed, mut expected) = (self.listed(limit), self.expected());
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected);
        for (name, states) in &self.names {
            let at = self.store.at(name);
            let past = states.past.iter().filter(|(_, (_, deleted))| deleted.is_none()).map(
                |((id, version), (blob, _))| {
                    (if *version { Which::Version(*id) } else { Which::Snapshot(*id) }, blob)
                },
            );
            for (which, blob) in past.chain(states.base.iter().map(|base| (Which::Base, base))) {
                let read = self.store.blobs.read(&at, which, None, Conditions::default());
                assert_eq!(read_all(block_on(read).unwrap()).unwrap(), blob.bytes, "{name} {which:?}");
            }
        }
        self.check_tags();
        self.store.check_chunks();
    }

    pub(super) fn check_tags(&self) {
        for value in ["0", "1", "2"] {
            for versions in [false, true] {
                let (mut found, mut after) = (Vec::new(), None);
                loop {
                    let expression = tag_expression(value);
                    let find = FindBlobs { container: None, expression, versions, after, limit: 2 };
                    let page = block_on(self.store.blobs.find_by_tags(&self.store.account, find)).unwrap();
                    found.extend(
                        page.entries
                            .into_iter()
                            .map(|found| (found.blob.as_str().to_owned(), found.current, found.version)),
                    );
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                let mut expected = Vec::new();
                for (name, states) in &self.names {
                    let base = states.base.iter().map(|blob| (blob, true));
                    let past = states
                        .past
                        .iter()
                        .filter(|((_, version), (_, deleted))| versions && *version && deleted.is_none());
                    let all = base.chain(past.map(|(_, (blob, _))| (blob, false)));
                    let tagged = all.filter(|(blob, _)| blob.tag.as_deref() == Some(value));
                    expected
                        .extend(tagged.map(|(blob, current)| ((*name).to_owned(), current, blob.version)));
                }
                found.sort();
                expected.sort();
                assert_eq!(found, expected);
            }
        }
    }
}
