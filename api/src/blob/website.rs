//! The account's static website: the container `$web`, shown to browsers under a host of its own.

mod get_web_content;

pub(super) use get_web_content::GetWebContent;
