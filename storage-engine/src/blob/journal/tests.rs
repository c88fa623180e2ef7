//! What the journal holds.
