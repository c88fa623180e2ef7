//! From typed closures to the stores' untyped verbs, and back as futures.
//!
//! A verb and what it stands on (an uploaded body's chunks) travel together: whoever waits may stop waiting
//! at any time, and the verb still takes effect as a whole or not at all, with nothing leaked.

use super::{EngineError, Future, Inquiry, MetaStore, Result, Scope, Transaction, Verb, View, Weight};
use crate::chunk::Staged;
use futures_channel::oneshot;

/// Runs `verb` in `scope`. `staged` is the content that the verb names in the records it writes: kept when
/// the verb commits, given back when it fails.
///
/// The verb takes effect even if the future is dropped.
///
/// # Errors
/// The verb's own, or the store's.
pub fn commit<T, F>(
    store: &dyn MetaStore,
    scope: Scope,
    staged: Option<Staged>,
    verb: F,
) -> impl Future<Output = Result<T>> + Send + use<T, F>
where
    T: Send + 'static,
    F: Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
{
    let (answer, waiter) = oneshot::channel();
    store.submit(scope, Box::new(Committing { verb, staged, result: None, answer }));
    async move { waiter.await.unwrap_or(Err(EngineError::Closed)) }
}

/// Runs `inquiry` on the newest committed state.
///
/// # Errors
/// The inquiry's own, or the store's.
pub fn read<T, F>(
    store: &dyn MetaStore,
    weight: Weight,
    inquiry: F,
) -> impl Future<Output = Result<T>> + Send + use<T, F>
where
    T: Send + 'static,
    F: Fn(&dyn View) -> Result<T> + Send + 'static,
{
    let (answer, waiter) = oneshot::channel();
    store.inquire(weight, Box::new(Reading { inquiry, result: None, answer }));
    async move { waiter.await.unwrap_or(Err(EngineError::Closed)) }
}

struct Committing<T, F> {
    verb: F,
    staged: Option<Staged>,
    result: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T, F> Verb for Committing<T, F>
where
    T: Send,
    F: Fn(&mut dyn Transaction) -> Result<T> + Send,
{
    fn run(&mut self, transaction: &mut dyn Transaction) -> bool {
        let result = (self.verb)(transaction);
        let commit = result.is_ok();
        self.result = Some(result);
        commit
    }

    fn finish(self: Box<Self>, outcome: Result<()>) {
        let Self { staged, result, answer, .. } = *self;
        // The chunks of a verb whose commit failed stay too: whether it took effect is known only after
        // reopening, which finds out whether a record names them.
        if let (Some(staged), Some(Ok(_))) = (staged, &result) {
            staged.adopted();
        }
        // An error here means that nobody waits any more, which is no concern of the verb's.
        let _ = answer.send(outcome.and_then(|()| result.unwrap_or(Err(EngineError::Closed))));
    }
}

struct Reading<T, F> {
    inquiry: F,
    result: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T, F> Inquiry for Reading<T, F>
where
    T: Send,
    F: Fn(&dyn View) -> Result<T> + Send,
{
    fn run(&mut self, view: &dyn View) {
        self.result = Some((self.inquiry)(view));
    }

    fn finish(self: Box<Self>, outcome: Result<()>) {
        let Self { result, answer, .. } = *self;
        let _ = answer.send(outcome.and_then(|()| result.unwrap_or(Err(EngineError::Closed))));
    }
}
