//! Operations on an account's queues as a whole. One file, one operation; those that the services share are in
//! [`service`](crate::service).

mod list_queues;

pub(super) use list_queues::ListQueues;
