//! What the holder of a token may do: role-based access control, in the vendor's words.
//!
//! An operation needs [actions](Action); a [role](Role) allows some; an assignment says who holds a role, and where. A
//! request is let in when the roles that its sender holds at its resource, or above, *together* allow one of the ways
//! in that [`actions`] lists. There is no denying, so the order of assignments means nothing.
//!
//! An operation on a whole account (listing containers, a delegation key) needs a role on the account; one that is held
//! at a container does not count for it.

mod action;
mod built_in;
mod needed;

pub use action::Action;
pub use built_in::{ROLES, Role};
pub use needed::{Ways, actions};

use super::Identity;
use crate::operation::Asked;
use crate::target::Resource;
use storage_engine::assignment::{AssignmentStore, Place};
use storage_engine::name::AccountName;

/// What identities may do: the roles that they were given.
pub trait Roles: Send + Sync + 'static {
    /// Whether `identity` may do what is asked for to `resource`.
    fn allows(&self, identity: &Identity, account: &AccountName, asked: Asked, resource: &Resource) -> bool;
}

/// What the store's assignments say.
#[derive(Debug)]
pub struct AssignedRoles(AssignmentStore);

impl AssignedRoles {
    /// The roles that are assigned there.
    pub const fn new(assignments: AssignmentStore) -> Self {
        Self(assignments)
    }
}

impl Roles for AssignedRoles {
    fn allows(&self, identity: &Identity, account: &AccountName, asked: Asked, resource: &Resource) -> bool {
        let ways = actions(asked).unwrap_or_default();
        // Who needs no action need not be looked up.
        if ways.iter().any(|way| way.is_empty()) {
            return true;
        }
        let grants = match self.0.held(account, &identity.object) {
            Ok(grants) => grants,
            Err(error) => {
                tracing::error!(%error, "role assignments cannot be read, so nobody holds a role");
                return false;
            }
        };
        let here = grants.iter().filter(|grant| covers(&grant.place, resource));
        let roles: Vec<&Role> = here.filter_map(|grant| Role::of_id(grant.role)).collect();
        let held = |action: &Action| roles.iter().any(|role| role.allows(*action));
        ways.iter().any(|way| way.iter().all(held))
    }
}

/// Everybody may do all that can be done with a token: for a server that believes every token.
#[derive(Debug)]
pub struct EveryRole;

impl Roles for EveryRole {
    fn allows(&self, _: &Identity, _: &AccountName, asked: Asked, _: &Resource) -> bool {
        actions(asked).is_some_and(|ways| !ways.is_empty())
    }
}

/// Whether what is assigned at `place` counts for `resource`, of the same account.
fn covers(place: &Place, resource: &Resource) -> bool {
    match (place, resource) {
        (Place::Account, _) => true,
        (Place::Container(own), Resource::Container(name) | Resource::Blob(name, _)) => own.as_str() == name,
        (
            Place::Queue(own),
            Resource::Queue(name) | Resource::Messages(name) | Resource::Message(name, _),
        ) => own.as_str() == name,
        (
            Place::Table(own),
            Resource::TableItem(name) | Resource::Table(name) | Resource::Entity(name, _),
        ) => own.as_str().eq_ignore_ascii_case(name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Access;
    use crate::target::ServiceKind;
    use std::sync::Arc;
    use storage_engine::assignment::{Assignment, Grant};
    use storage_engine::clock::ManualClock;
    use storage_engine::meta::memory::MemoryMeta;
    use storage_engine::name::{ContainerName, TableName};

    fn account() -> AccountName {
        AccountName::parse("acc").unwrap()
    }

    fn asked(service: ServiceKind, resource: &Resource, access: Access) -> Asked {
        Asked { service, method: "PUT", level: resource.level(), access, comp: None }
    }

    fn me() -> Identity {
        Identity { object: "me".into(), tenant: "us".into() }
    }

    /// Whether holding these roles is enough.
    async fn may(held: &[(&str, Place)], resource: Resource, access: Access, service: ServiceKind) -> bool {
        let store = AssignmentStore::new(MemoryMeta::new(Arc::new(ManualClock::default())));
        for (role, place) in held {
            let grant = Grant { place: place.clone(), role: Role::named(role).unwrap().id };
            let assignment = Assignment { account: account(), principal: "ME".into(), grant };
            store.put(&assignment).await.unwrap();
        }
        AssignedRoles::new(store).allows(&me(), &account(), asked(service, &resource, access), &resource)
    }

    fn container(name: &str) -> Place {
        Place::Container(ContainerName::parse(name).unwrap())
    }

    #[tokio::test]
    async fn a_role_counts_where_it_is_held_and_below() {
        let reader = "Storage Blob Data Reader";
        let blob = || Resource::Blob("abc".into(), "b".into());
        let kind = ServiceKind::Blob;
        assert!(may(&[(reader, Place::Account)], blob(), Access::Read, kind).await);
        assert!(may(&[(reader, container("abc"))], blob(), Access::Read, kind).await);
        assert!(!may(&[(reader, container("abcd"))], blob(), Access::Read, kind).await);
        assert!(!may(&[(reader, container("abc"))], Resource::Service, Access::List, kind).await);
        assert!(!may(&[(reader, Place::Account)], blob(), Access::Write, kind).await);
        assert!(!may(&[], blob(), Access::Read, kind).await);
        assert!(may(&[], blob(), Access::Known, kind).await);
    }

    #[tokio::test]
    async fn roles_add_up_and_a_way_needs_all_its_actions() {
        let messages = || Resource::Messages("q-1".into());
        let kind = ServiceKind::Queue;
        let role = |name: &'static str| [(name, Place::Account)];
        assert!(may(&role("Storage Queue Data Message Processor"), messages(), Access::Process, kind).await);
        assert!(!may(&role("Storage Queue Data Reader"), messages(), Access::Process, kind).await);
        assert!(may(&role("Storage Queue Data Message Sender"), messages(), Access::Add, kind).await);
        assert!(!may(&role("Storage Queue Data Message Sender"), messages(), Access::Read, kind).await);
        assert!(
            !may(
                &role("Storage Queue Data Contributor"),
                Resource::Queue("q-1".into()),
                Access::Policies,
                kind
            )
            .await
        );
        let table = Place::Table(TableName::parse("People").unwrap());
        let reader = [("Storage Table Data Reader", table)];
        let kind = ServiceKind::Table;
        assert!(may(&reader, Resource::Table("PEOPLE".into()), Access::Read, kind).await);
        assert!(!may(&reader, Resource::Tables, Access::List, kind).await);
    }

    #[test]
    fn with_every_role_all_goes_that_goes_with_a_token() {
        let allows = |resource: &Resource, access| {
            EveryRole.allows(&me(), &account(), asked(ServiceKind::Queue, resource, access), resource)
        };
        let queue = Resource::Queue("q-1".into());
        assert!(allows(&queue, Access::Create) && !allows(&queue, Access::Policies));
        assert!(!allows(&queue, Access::Tags));
    }
}
