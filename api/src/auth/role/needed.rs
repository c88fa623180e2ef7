//! Which actions an operation needs: a function of its row (pages "Authorize with Microsoft Entra ID" of the Blob,
//! Queue and Table services).
//!
//! The answer is a list of ways in, each a list of actions of which the caller must hold *all*. One way is enough. So
//! `[[]]` lets everybody in who is known, and `[]` nobody: that is an operation which cannot be asked for with a token.
//! A row that is not listed here has no answer at all, which refuses it, and fails a test.

use super::action::Action as A;
use crate::operation::{Access, Asked};
use crate::target::{Level, ServiceKind};

/// Ways in, each of which needs all of its actions.
pub type Ways = &'static [&'static [A]];

const EVERYBODY: Ways = &[&[]];
const NOBODY: Ways = &[];

/// The ways in to what is asked for; none if there is no such row. Where one access stands for reading and for setting
/// (tags, policies), the verb tells which it is.
pub fn actions(asked: Asked) -> Option<Ways> {
    let Asked { service, level, access, .. } = asked;
    if matches!(access, Access::Open | Access::Known | Access::Batch) {
        return Some(EVERYBODY);
    }
    match service {
        ServiceKind::Blob => of_blobs(level, access, matches!(asked.method, "GET" | "HEAD")),
        ServiceKind::Queue => of_queues(level, access),
        ServiceKind::Table => of_tables(level, access),
    }
}

fn of_blobs(level: Level, access: Access, reads: bool) -> Option<Ways> {
    Some(match (level, access) {
        (Level::Service, Access::List) | (Level::Container, Access::Read) => &[&[A::ContainersRead]],
        (Level::Service, Access::Read) => &[&[A::BlobServiceRead]],
        (Level::Service, Access::Write) => &[&[A::BlobServiceWrite]],
        (Level::Service, Access::DelegationKey) => &[&[A::BlobDelegationKey]],
        (Level::Service | Level::Container, Access::Filter) => &[&[A::BlobsFilter]],
        (Level::Container, Access::Write | Access::Create | Access::BreakLease) => &[&[A::ContainersWrite]],
        (Level::Container, Access::Delete) => &[&[A::ContainersDelete]],
        (Level::Container, Access::Policies) if reads => &[&[A::ContainersGetAcl]],
        (Level::Container, Access::Policies) => &[&[A::ContainersSetAcl]],
        (Level::Container, Access::List) | (Level::Blob, Access::Read | Access::List) => &[&[A::BlobsRead]],
        (Level::Blob, Access::Write | Access::BreakLease) => &[&[A::BlobsWrite]],
        (Level::Blob, Access::Create | Access::Append) => &[&[A::BlobsWrite], &[A::BlobsAdd]],
        (Level::Blob, Access::Delete) => &[&[A::BlobsDelete]],
        (Level::Blob, Access::DeleteVersion) => &[&[A::BlobsDeleteVersion]],
        (Level::Blob, Access::PermanentDelete) => &[&[A::BlobsPermanentDelete]],
        (Level::Blob, Access::Tags) if reads => &[&[A::TagsRead]],
        (Level::Blob, Access::Tags) => &[&[A::TagsWrite]],
        (Level::Blob, Access::Immutability) => &[&[A::BlobsImmutability]],
        _ => return None,
    })
}

fn of_queues(level: Level, access: Access) -> Option<Ways> {
    Some(match (level, access) {
        (Level::Service, Access::List) | (Level::Queue, Access::Read) => &[&[A::QueuesRead]],
        (Level::Service, Access::Read) => &[&[A::QueueServiceRead]],
        (Level::Service, Access::Write) => &[&[A::QueueServiceWrite]],
        (Level::Service, Access::DelegationKey) => &[&[A::QueueDelegationKey]],
        (Level::Queue, Access::Write | Access::Create) => &[&[A::QueuesWrite]],
        (Level::Queue, Access::Delete) => &[&[A::QueuesDelete]],
        (Level::Queue, Access::Policies) => NOBODY,
        (Level::Messages, Access::Read) => &[&[A::MessagesRead]],
        (Level::Messages, Access::Add) => &[&[A::MessagesAdd], &[A::MessagesWrite]],
        (Level::Messages, Access::Process) => &[&[A::MessagesProcess], &[A::MessagesRead, A::MessagesDelete]],
        (Level::Messages, Access::Delete) => &[&[A::MessagesDelete]],
        (Level::Message, Access::Process | Access::Delete) => &[&[A::MessagesProcess], &[A::MessagesDelete]],
        (Level::Message, Access::Update) => &[&[A::MessagesWrite]],
        _ => return None,
    })
}

fn of_tables(level: Level, access: Access) -> Option<Ways> {
    Some(match (level, access) {
        (Level::Service, Access::Read) => &[&[A::TableServiceRead]],
        (Level::Service, Access::Write) => &[&[A::TableServiceWrite]],
        (Level::Tables, Access::List) | (Level::TableItem, Access::List | Access::Read) => {
            &[&[A::TablesRead]]
        }
        (Level::Tables, Access::Create) => &[&[A::TablesWrite]],
        (Level::TableItem, Access::Delete) => &[&[A::TablesDelete]],
        (Level::Table, Access::Policies) => NOBODY,
        (Level::Table | Level::Entity, Access::Read) => &[&[A::EntitiesRead]],
        (Level::Table, Access::Add) => &[&[A::EntitiesAdd], &[A::EntitiesWrite]],
        (Level::Entity, Access::Update) => &[&[A::EntitiesUpdate], &[A::EntitiesWrite]],
        (Level::Entity, Access::Upsert) => &[&[A::EntitiesAdd, A::EntitiesUpdate], &[A::EntitiesWrite]],
        (Level::Entity, Access::Delete) => &[&[A::EntitiesDelete]],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Row;

    fn unmapped<S: Sync + 'static>(service: ServiceKind, table: &[Row<S>]) -> Vec<&'static str> {
        let missing = table.iter().filter(|row| actions(row.asked(service)).is_none());
        missing.map(|row| row.name).collect()
    }

    #[test]
    fn every_row_of_every_table_has_an_answer() {
        assert_eq!(unmapped(ServiceKind::Blob, crate::blob::operations::OPERATIONS), [""; 0]);
        assert_eq!(unmapped(ServiceKind::Queue, crate::queue::operations::OPERATIONS), [""; 0]);
        assert_eq!(unmapped(ServiceKind::Table, crate::table::operations::OPERATIONS), [""; 0]);
    }

    #[test]
    fn a_row_that_nobody_thought_of_has_none() {
        let ways =
            |service, level, access, method| actions(Asked { service, method, level, access, comp: None });
        assert_eq!(ways(ServiceKind::Queue, Level::Blob, Access::Read, "GET"), None);
        assert_eq!(ways(ServiceKind::Table, Level::Service, Access::DelegationKey, "POST"), None);
        let tags = |method| ways(ServiceKind::Blob, Level::Blob, Access::Tags, method);
        assert_ne!(tags("GET"), tags("PUT"), "reading is another action than setting");
    }
}
