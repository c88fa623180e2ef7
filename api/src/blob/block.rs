//! Operations on the blocks of block blobs.

mod get_block_list;
pub(super) mod put_block;
mod put_block_list;

pub(super) use get_block_list::GetBlockList;
pub(super) use put_block::PutBlock;
pub(super) use put_block_list::PutBlockList;
