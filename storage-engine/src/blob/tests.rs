//! Tests of all verbs together; those of one file stand at its end or beside it.
//!
//! [`fixture`] is what all of them stand on, those of other services too. Two models run random verbs and compare what
//! is there with plain maps; what they leave out is spelled out in `verbs`, and what listings may cost in `cost`.

mod cost;
pub(crate) mod fixture;
mod holds;
mod model;
mod model_states;
mod verbs;
