//! What a scenario does, drawn so that most of it succeeds and names meet again and again.

use crate::dice::Dice;
use crate::model::Model;
use bytes::Bytes;

pub(crate) const CONTAINERS: [&str; 2] = ["first", "second"];
const BLOBS: [&str; 3] = ["a", "a/b", "\u{10000}"];
const BLOCKS: [&str; 3] = ["x", "y", "z"];
pub(crate) const QUEUES: [&str; 2] = ["errands", "letters"];
pub(crate) const TABLE: &str = "people";
const PARTITIONS: [&str; 2] = ["p", "q"];
const SECTOR_BYTES: usize = 512;
const ROWS: [&str; 4] = ["1", "2", "3", "4"];

/// Content of one upload. No two of a scenario are alike.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The block's id, if it is one.
    pub(crate) id: &'static str,
    pub(crate) serial: u64,
    pub(crate) body: Bytes,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}#{} of {} bytes", self.id, self.serial, self.body.len())
    }
}

impl Part {
    fn draw(dice: &mut Dice, id: &'static str) -> Self {
        let len = match dice.below(32) {
            0 => 1_100_000,
            1..8 => dice.length(10..4097),
            8..18 => dice.length(4097..20_000),
            18..28 => dice.length(20_000..90_000),
            _ => dice.length(90_000..300_000),
        };
        let serial = dice.next();
        // Every sector is another one, so that none can stand in for its neighbour.
        let mut body = Vec::with_capacity(len + SECTOR_BYTES);
        for sector in 0_u64.. {
            if body.len() >= len {
                break;
            }
            let words = [serial, sector, serial ^ sector, !sector].map(u64::to_le_bytes).concat();
            body.extend_from_slice(&words.repeat(SECTOR_BYTES / words.len()));
        }
        body.truncate(len);
        Self { id, serial, body: body.into() }
    }
}

/// Which of the blocks with an id is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Committed,
    Staged,
    Latest,
}

/// A change of one entity.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    Insert(Vec<(String, i64)>),
    Replace(Vec<(String, i64)>),
    Merge(Vec<(String, i64)>),
    Delete,
}

/// Which blob: container and name.
pub(crate) type BlobAt = (&'static str, &'static str);

/// A verb of the engine.
#[derive(Debug, Clone)]
pub(crate) enum Verb {
    CreateContainer(&'static str),
    DeleteContainer(&'static str),
    PutBlob(BlobAt, Part),
    StageBlock(BlobAt, Part),
    CommitBlocks(BlobAt, Vec<(Choice, &'static str)>),
    DeleteBlob(BlobAt),
    CreateQueue(&'static str),
    DeleteQueue(&'static str),
    ClearQueue(&'static str),
    PutMessage {
        queue: &'static str,
        text: String,
        delay_seconds: u64,
    },
    GetMessages {
        queue: &'static str,
        count: usize,
        seconds: u64,
    },
    /// The message at this place, and its new text if it gets one.
    UpdateMessage {
        queue: &'static str,
        place: usize,
        text: Option<String>,
    },
    DeleteMessage {
        queue: &'static str,
        place: usize,
    },
    CreateTable,
    DeleteTable,
    ChangeEntity(&'static str, &'static str, Edit),
    ChangeEntities(&'static str, Vec<(&'static str, Edit)>),
    /// What the engine's own thread would do.
    Sweep,
}

impl Verb {
    /// The verb at position `turn` of a scenario.
    pub(crate) fn draw(dice: &mut Dice, turn: usize, model: &Model) -> Self {
        match turn {
            0 => return Self::CreateContainer(CONTAINERS[0]),
            1 => return Self::CreateQueue(QUEUES[0]),
            2 => return Self::CreateTable,
            _ => {}
        }
        match dice.below(20) {
            0..11 => Self::draw_of_blobs(dice, model),
            11..15 => Self::draw_of_queues(dice, model),
            15..19 => Self::draw_of_tables(dice),
            _ => Self::Sweep,
        }
    }

    fn draw_of_blobs(dice: &mut Dice, model: &Model) -> Self {
        let container = if dice.once_in(4) { CONTAINERS[1] } else { CONTAINERS[0] };
        if !model.containers.contains_key(container) {
            return Self::CreateContainer(container);
        }
        let at = (container, dice.pick(&BLOBS));
        match dice.below(16) {
            0..6 => Self::PutBlob(at, Part::draw(dice, "")),
            6..10 => {
                let id = dice.pick(&BLOCKS);
                Self::StageBlock(at, Part::draw(dice, id))
            }
            10..13 => {
                let staged: Vec<_> = model.containers[container]
                    .get(at.1)
                    .map(|blob| blob.staged.keys().map(|id| (Choice::Latest, *id)).collect())
                    .unwrap_or_default();
                let mut list = if dice.once_in(4) { Vec::new() } else { staged };
                if list.is_empty() || dice.once_in(2) {
                    let choice = dice.pick(&[Choice::Committed, Choice::Staged, Choice::Latest]);
                    list.push((choice, dice.pick(&BLOCKS)));
                }
                Self::CommitBlocks(at, list)
            }
            13..15 => Self::DeleteBlob(at),
            _ => Self::DeleteContainer(container),
        }
    }

    fn draw_of_queues(dice: &mut Dice, model: &Model) -> Self {
        let queue = if dice.once_in(4) { QUEUES[1] } else { QUEUES[0] };
        let Some(letters) = model.queues.get(queue) else { return Self::CreateQueue(queue) };
        let place = dice.length(0..letters.len().max(1));
        match dice.below(12) {
            _ if letters.is_empty() => Self::put_message(dice, queue),
            0..4 => Self::put_message(dice, queue),
            4..7 => {
                let seconds = dice.below(3) * 30;
                Self::GetMessages { queue, count: dice.length(1..4), seconds }
            }
            7..9 => Self::DeleteMessage { queue, place },
            9 => {
                let text = dice.once_in(2).then(|| format!("new text {}", dice.next()));
                Self::UpdateMessage { queue, place, text }
            }
            10 => Self::ClearQueue(queue),
            _ => Self::DeleteQueue(queue),
        }
    }

    fn put_message(dice: &mut Dice, queue: &'static str) -> Self {
        let text = format!("text {}", dice.next());
        Self::PutMessage { queue, text, delay_seconds: dice.below(2) * 60 }
    }

    fn draw_of_tables(dice: &mut Dice) -> Self {
        let partition = dice.pick(&PARTITIONS);
        match dice.below(12) {
            0..7 => Self::ChangeEntity(partition, dice.pick(&ROWS), Edit::draw(dice)),
            7..11 => {
                let rows = ROWS.into_iter().filter(|_| !dice.once_in(3)).collect::<Vec<_>>();
                Self::ChangeEntities(partition, rows.into_iter().map(|row| (row, Edit::draw(dice))).collect())
            }
            _ => Self::DeleteTable,
        }
    }
}

impl Edit {
    fn draw(dice: &mut Dice) -> Self {
        let name = dice.pick(&["age", "height"]).to_owned();
        let properties = vec![(name, i64::try_from(dice.below(1 << 40)).unwrap())];
        match dice.below(8) {
            0 => Self::Insert(properties),
            1..4 => Self::Replace(properties),
            4..7 => Self::Merge(properties),
            _ => Self::Delete,
        }
    }
}
