//! Whether a verb may go on, and with which key: the rules that verbs ask and none of them repeats.
//!
//! A rule reads what there is and answers; it changes nothing but what is over anyway. [`condition`] compares with what
//! a request brings, [`guard`] says in which order a blob is asked, [`encryption`] finds the key. Rules know records
//! and states, never a verb.

pub mod condition;
pub(super) mod encryption;
pub(super) mod guard;
