//! Operations on the blocks of block blobs.

mod get_block_list;
mod put_block;
mod put_block_list;

pub(super) use get_block_list::GetBlockList;
pub(super) use put_block::{PutBlock, block_id};
pub(super) use put_block_list::PutBlockList;
