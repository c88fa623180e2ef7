//! Who holds which role where: role assignments.
//!
//! The engine knows an assignment as four facts (account, place in it, holder, role) and not what a role allows; that
//! is the wire's business. An assignment is its key, so granting twice is granting once.
//!
//! | record | family | key | fields, version 1 |
//! |---|---|---|---|
//! | an assignment | `Access` | `assignment`, account, kind of place, its name, holder, role | none |
//!
//! # In memory
//! Every request with a token asks for its holder's roles, so all assignments are held in memory: they are made by
//! people and by the hundred, not by the million. A write throws the copy away; the next question reads it anew.
//! The copy must never be older than a write that was answered, also if whoever wrote stopped waiting in the middle:
//! so the verb itself carries a note that throws the copy away when the store is done with it, and a reader keeps what
//! it read only if nothing was thrown away since it began.

use crate::error::{EngineError, Result};
use crate::meta::key::{KeyBuilder, KeyReader, successor};
use crate::meta::record::{Decoder, Encoder};
use crate::meta::{self, Family, MetaStore, Scope, Step, Transaction, View, Weight};
use crate::name::{AccountName, ContainerName, NameError, QueueName, TableName};
use crate::wait::wait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

const KIND: &str = "assignment";
const VERSION: u8 = 1;

/// The part of an account that an assignment is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// All of it.
    Account,
    /// One container and its blobs. The container need not exist yet.
    Container(ContainerName),
    /// One queue and its messages.
    Queue(QueueName),
    /// One table and its entities; its name's case does not matter.
    Table(TableName),
}

/// A role held at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Where.
    pub place: Place,
    /// The role's id: a GUID's bits, in the order in which its digits are written.
    pub role: u128,
}

/// That somebody holds a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The account.
    pub account: AccountName,
    /// Who holds it: an object id. Compared without regard to ASCII case.
    pub principal: String,
    /// What, and where in the account.
    pub grant: Grant,
}

type Held = HashMap<AccountName, HashMap<String, Arc<[Grant]>>>;

/// What is in memory, and how often it has been thrown away.
#[derive(Debug, Default)]
struct Copy {
    held: Option<Arc<Held>>,
    thrown_away: u64,
}

/// The role assignments of all accounts.
#[derive(Debug, Clone)]
pub struct AssignmentStore {
    meta: Arc<dyn MetaStore>,
    copy: Arc<Mutex<Copy>>,
}

impl AssignmentStore {
    /// The assignments whose records are in `meta`. One store at a time, or copies grow old.
    pub fn new(meta: Arc<dyn MetaStore>) -> Self {
        Self { meta, copy: Arc::default() }
    }

    /// Grants a role; `false` if it was granted before. *Role Assignments - Create*.
    ///
    /// # Errors
    /// The store's.
    pub async fn put(&self, assignment: &Assignment) -> Result<bool> {
        let key = key(assignment);
        self.write(Scope(key.clone().into()), move |transaction| {
            let new = transaction.get(Family::Access, &key)?.is_none();
            transaction.put(Family::Access, &key, &Encoder::new(VERSION).finish());
            Ok(new)
        })
        .await
    }

    /// Takes a role away; `false` if it was not held. *Role Assignments - Delete*.
    ///
    /// # Errors
    /// The store's.
    pub async fn remove(&self, assignment: &Assignment) -> Result<bool> {
        let key = key(assignment);
        self.write(Scope(key.clone().into()), move |transaction| {
            let held = transaction.get(Family::Access, &key)?.is_some();
            transaction.delete(Family::Access, &key);
            Ok(held)
        })
        .await
    }

    /// Takes all roles in `account` away, so that a later account of its name begins without any.
    ///
    /// # Errors
    /// The store's.
    pub async fn remove_all(&self, account: &AccountName) -> Result<()> {
        let prefix = account_key(account);
        self.write(Scope(prefix.clone().into()), move |transaction| {
            meta::delete_beginning(transaction, Family::Access, &prefix)
        })
        .await
    }

    /// All assignments, or those in one account, by account, place and holder. *Role Assignments - List*.
    ///
    /// # Errors
    /// The store's, or [`EngineError::Corrupt`].
    pub async fn list(&self, account: Option<&AccountName>) -> Result<Vec<Assignment>> {
        let prefix = account.map_or_else(|| KeyBuilder::new().text(KIND).finish(), account_key);
        meta::read(&*self.meta, Weight::Scan, move |view| read_all(view, &prefix)).await
    }

    /// What `principal` holds in `account`, from memory if nothing was written since the last time. After a write the
    /// first to ask waits on its own thread for all assignments to be read: milliseconds, and seldom. A future would be
    /// waited for by every request, for the sake of that one.
    ///
    /// # Errors
    /// As [`AssignmentStore::list`].
    pub fn held(&self, account: &AccountName, principal: &str) -> Result<Arc<[Grant]>> {
        let held = self.all_held()?;
        let holders = held.get(account);
        Ok(holders.and_then(|holders| holders.get(&folded(principal))).map_or_else(|| [].into(), Arc::clone))
    }

    fn all_held(&self) -> Result<Arc<Held>> {
        let before = {
            let copy = self.copy.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(held) = &copy.held {
                return Ok(Arc::clone(held));
            }
            copy.thrown_away
        };
        let held = Arc::new(by_holder(wait(self.list(None))?));
        let mut copy = self.copy.lock().unwrap_or_else(PoisonError::into_inner);
        if copy.thrown_away == before {
            copy.held = Some(Arc::clone(&held));
        }
        Ok(held)
    }

    async fn write<T: Send + 'static>(
        &self,
        scope: Scope,
        verb: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let note = ThrowAway(Arc::clone(&self.copy));
        let answer = meta::commit(&*self.meta, scope, None, move |transaction| {
            let _carried = &note;
            verb(transaction)
        })
        .await;
        // The note may come a moment behind the answer, so whoever was answered throws the copy away as well.
        drop(ThrowAway(Arc::clone(&self.copy)));
        answer
    }
}

/// Throws the copy away when it is dropped.
struct ThrowAway(Arc<Mutex<Copy>>);

impl Drop for ThrowAway {
    fn drop(&mut self) {
        let mut copy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        copy.held = None;
        copy.thrown_away += 1;
    }
}

fn folded(principal: &str) -> String {
    principal.to_ascii_lowercase()
}

fn by_holder(assignments: Vec<Assignment>) -> Held {
    let mut gathered: HashMap<AccountName, HashMap<String, Vec<Grant>>> = HashMap::new();
    for Assignment { account, principal, grant } in assignments {
        gathered.entry(account).or_default().entry(principal).or_default().push(grant);
    }
    let shared = |holders: HashMap<String, Vec<Grant>>| {
        holders.into_iter().map(|(holder, grants)| (holder, grants.into())).collect()
    };
    gathered.into_iter().map(|(account, holders)| (account, shared(holders))).collect()
}

fn account_key(account: &AccountName) -> Vec<u8> {
    KeyBuilder::new().text(KIND).text(account.as_str()).finish()
}

fn key(assignment: &Assignment) -> Vec<u8> {
    let (kind, name) = match &assignment.grant.place {
        Place::Account => (0, String::new()),
        Place::Container(name) => (1, name.as_str().to_owned()),
        Place::Queue(name) => (2, name.as_str().to_owned()),
        Place::Table(name) => (3, name.folded()),
    };
    KeyBuilder::behind(&account_key(&assignment.account))
        .u8(kind)
        .text(&name)
        .text(&folded(&assignment.principal))
        .u128(assignment.grant.role)
        .finish()
}

fn read_all(view: &dyn View, prefix: &[u8]) -> Result<Vec<Assignment>> {
    let mut found = Vec::new();
    view.scan(Family::Access, prefix, successor(prefix).as_deref(), &mut |key, value| {
        Decoder::versioned(KIND, VERSION, value)?.1.finish()?;
        found.push(decode(key)?);
        Ok(Step::Next)
    })?;
    Ok(found)
}

fn decode(key: &[u8]) -> Result<Assignment> {
    let damaged = |_: NameError| EngineError::corrupt("the key of an assignment");
    let mut pieces = KeyReader::new(key);
    pieces.text()?;
    let account = AccountName::parse(&pieces.text()?).map_err(damaged)?;
    let (kind, name) = (pieces.u8()?, pieces.text()?);
    let place = match kind {
        0 => Place::Account,
        1 => Place::Container(ContainerName::parse(&name).map_err(damaged)?),
        2 => Place::Queue(QueueName::parse(&name).map_err(damaged)?),
        3 => Place::Table(TableName::parse(&name).map_err(damaged)?),
        _ => return Err(EngineError::corrupt("the key of an assignment")),
    };
    let principal = pieces.text()?;
    let role = pieces.u128()?;
    pieces.finish()?;
    Ok(Assignment { account, principal, grant: Grant { place, role } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::meta::memory::MemoryMeta;
    use futures_executor::block_on;

    fn account(name: &str) -> AccountName {
        AccountName::parse(name).unwrap()
    }

    fn assignment(name: &str, place: Place, principal: &str, role: u128) -> Assignment {
        Assignment { account: account(name), principal: principal.into(), grant: Grant { place, role } }
    }

    #[test]
    fn every_place_comes_back_as_it_was_given() {
        let places = [
            Place::Account,
            Place::Container(ContainerName::parse("$root").unwrap()),
            Place::Queue(QueueName::parse("q-1").unwrap()),
            Place::Table(TableName::parse("people").unwrap()),
        ];
        for place in places {
            let given = assignment("acc", place, "who", u128::MAX - 7);
            assert_eq!(decode(&key(&given)).unwrap(), given);
        }
        for bad in [&b""[..], b"assignment\0acc\0\x09\0who\0", b"assignment\0A\0\0\0who\0"] {
            assert!(decode(bad).is_err());
        }
    }

    #[test]
    fn what_is_held_is_what_was_granted_and_not_taken_away() {
        let store = store();
        let at = Place::Container(ContainerName::parse("abc").unwrap());
        let (one, two) = (assignment("acc", at, "Who", 7), assignment("acc", Place::Account, "who", 8));
        block_on(async {
            assert!(store.held(&account("acc"), "who").unwrap().is_empty());
            assert!(store.put(&one).await.unwrap() && store.put(&two).await.unwrap());
            assert!(!store.put(&one).await.unwrap());
            let roles = |grants: &[Grant]| grants.iter().map(|grant| grant.role).collect::<Vec<_>>();
            assert_eq!(roles(&store.held(&account("acc"), "WHO").unwrap()), [8, 7]);
            assert!(store.held(&account("acc1"), "who").unwrap().is_empty());
            assert!(store.remove(&one).await.unwrap() && !store.remove(&one).await.unwrap());
            assert_eq!(roles(&store.held(&account("acc"), "who").unwrap()), [8]);
            assert_eq!(store.list(None).await.unwrap(), std::slice::from_ref(&two));
        });
    }

    #[test]
    fn an_account_s_end_takes_its_roles_and_no_other_account_s() {
        let store = store();
        let (one, two) =
            (assignment("acc", Place::Account, "who", 7), assignment("acc1", Place::Account, "who", 7));
        block_on(async {
            store.put(&one).await.unwrap();
            store.put(&two).await.unwrap();
            store.remove_all(&account("acc")).await.unwrap();
            assert_eq!(store.list(None).await.unwrap(), std::slice::from_ref(&two));
            assert!(store.list(Some(&account("acc"))).await.unwrap().is_empty());
            assert!(store.held(&account("acc"), "who").unwrap().is_empty());
        });
    }

    #[test]
    fn a_writer_who_stops_waiting_leaves_no_old_copy() {
        let store = store();
        let one = assignment("acc", Place::Account, "who", 7);
        block_on(async {
            assert!(store.held(&account("acc"), "who").unwrap().is_empty());
            // Polled once, so that the verb is submitted, and then dropped.
            let mut writing = Box::pin(store.put(&one));
            let _ = writing.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
            drop(writing);
            // The store runs verbs one after another: behind this one the first is done.
            store.remove(&assignment("acc", Place::Account, "nobody", 1)).await.unwrap();
            assert_eq!(store.held(&account("acc"), "who").unwrap().len(), 1);
        });
    }

    fn store() -> AssignmentStore {
        AssignmentStore::new(MemoryMeta::new(Arc::new(ManualClock::default())))
    }
}
