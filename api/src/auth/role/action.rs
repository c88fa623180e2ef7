//! Actions: what roles are made of, spelled as everywhere in the vendor's role definitions.

macro_rules! actions {
    ($($variant:ident $text:literal;)+) => {
        /// Something that a role allows, or does not (page "Azure permissions for Storage").
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $(#[doc = concat!("`Microsoft.Storage/storageAccounts/", $text, "`")] $variant,)+
        }

        impl Action {
            /// All actions.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The action as role definitions spell it.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => concat!("Microsoft.Storage/storageAccounts/", $text),)+ }
            }
        }
    };
}

actions! {
    BlobServiceRead "blobServices/read";
    BlobServiceWrite "blobServices/write";
    BlobDelegationKey "blobServices/generateUserDelegationKey/action";
    ContainersRead "blobServices/containers/read";
    ContainersWrite "blobServices/containers/write";
    ContainersDelete "blobServices/containers/delete";
    ContainersGetAcl "blobServices/containers/getAcl/action";
    ContainersSetAcl "blobServices/containers/setAcl/action";
    BlobsRead "blobServices/containers/blobs/read";
    BlobsWrite "blobServices/containers/blobs/write";
    BlobsAdd "blobServices/containers/blobs/add/action";
    BlobsDelete "blobServices/containers/blobs/delete";
    BlobsDeleteVersion "blobServices/containers/blobs/deleteBlobVersion/action";
    BlobsPermanentDelete "blobServices/containers/blobs/permanentDelete/action";
    BlobsFilter "blobServices/containers/blobs/filter/action";
    BlobsImmutability "blobServices/containers/blobs/immutableStorage/runAsSuperUser/action";
    TagsRead "blobServices/containers/blobs/tags/read";
    TagsWrite "blobServices/containers/blobs/tags/write";
    QueueServiceRead "queueServices/read";
    QueueServiceWrite "queueServices/write";
    QueueDelegationKey "queueServices/generateUserDelegationKey/action";
    QueuesRead "queueServices/queues/read";
    QueuesWrite "queueServices/queues/write";
    QueuesDelete "queueServices/queues/delete";
    MessagesRead "queueServices/queues/messages/read";
    MessagesWrite "queueServices/queues/messages/write";
    MessagesDelete "queueServices/queues/messages/delete";
    MessagesAdd "queueServices/queues/messages/add/action";
    MessagesProcess "queueServices/queues/messages/process/action";
    TableServiceRead "tableServices/read";
    TableServiceWrite "tableServices/write";
    TablesRead "tableServices/tables/read";
    TablesWrite "tableServices/tables/write";
    TablesDelete "tableServices/tables/delete";
    EntitiesRead "tableServices/tables/entities/read";
    EntitiesWrite "tableServices/tables/entities/write";
    EntitiesDelete "tableServices/tables/entities/delete";
    EntitiesAdd "tableServices/tables/entities/add/action";
    EntitiesUpdate "tableServices/tables/entities/update/action";
}

impl Action {
    /// Whether a role's pattern, in which `*` stands for any text, allows this action. Case does not count.
    pub fn matches(self, pattern: &str) -> bool {
        wildcard(&pattern.to_ascii_lowercase(), &self.text().to_ascii_lowercase())
    }
}

/// Whether `text` is `pattern`, in which `*` stands for any text.
fn wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_does() {
        for (pattern, text, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("a/*", "a/", true),
            ("a/*", "a/b/c", true),
            ("a/*", "a", false),
            ("*", "", true),
            ("*/read", "a/b/read", true),
            ("*/read", "a/b/reader", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(wildcard(pattern, text), expected, "{pattern} {text}");
        }
        assert!(Action::BlobsRead.matches("microsoft.storage/storageaccounts/BLOBSERVICES/containers/*"));
    }
}
