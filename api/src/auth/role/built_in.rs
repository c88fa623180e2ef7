//! The vendor's built-in roles for data, by their ids, which are the same everywhere (page "Azure built-in roles for
//! Storage"). Roles of one's own are not built: nothing here speaks of them.

use super::action::Action;

/// A role.
#[derive(Debug, PartialEq, Eq)]
pub struct Role {
    /// Its id: a GUID's bits, in the order in which its digits are written.
    pub id: u128,
    /// Its name.
    pub name: &'static str,
    /// The actions that it allows; `*` stands for any text.
    pub patterns: &'static [&'static str],
}

macro_rules! patterns {
    ($($pattern:literal),+ $(,)?) => { &[$(concat!("Microsoft.Storage/storageAccounts/", $pattern)),+] };
}

/// All of them.
pub static ROLES: &[Role] = &[
    Role {
        id: 0xb7e6_dc6d_f1e8_4753_8033_0f27_6bb0_955b,
        name: "Storage Blob Data Owner",
        patterns: patterns![
            "blobServices/containers/*",
            "blobServices/generateUserDelegationKey/action",
            "blobServices/containers/blobs/*",
        ],
    },
    Role {
        id: 0xba92_f5b4_2d11_453d_a403_e96b_0029_c9fe,
        name: "Storage Blob Data Contributor",
        patterns: patterns![
            "blobServices/containers/delete",
            "blobServices/containers/read",
            "blobServices/containers/write",
            "blobServices/generateUserDelegationKey/action",
            "blobServices/containers/blobs/delete",
            "blobServices/containers/blobs/read",
            "blobServices/containers/blobs/write",
            "blobServices/containers/blobs/move/action",
            "blobServices/containers/blobs/add/action",
        ],
    },
    Role {
        id: 0x2a2b_9908_6ea1_4ae2_8e65_a410_df84_e7d1,
        name: "Storage Blob Data Reader",
        patterns: patterns![
            "blobServices/containers/read",
            "blobServices/generateUserDelegationKey/action",
            "blobServices/containers/blobs/read",
        ],
    },
    Role {
        id: 0xdb58_b8e5_c6ad_4a2a_8342_4190_687c_bf4a,
        name: "Storage Blob Delegator",
        patterns: patterns!["blobServices/generateUserDelegationKey/action"],
    },
    Role {
        id: 0x974c_5e8b_45b9_4653_ba55_5f85_5dd0_fb88,
        name: "Storage Queue Data Contributor",
        patterns: patterns![
            "queueServices/queues/delete",
            "queueServices/queues/read",
            "queueServices/queues/write",
            "queueServices/queues/messages/delete",
            "queueServices/queues/messages/read",
            "queueServices/queues/messages/write",
            "queueServices/queues/messages/process/action",
        ],
    },
    Role {
        id: 0x19e7_f393_937e_4f77_808e_9453_5e29_7925,
        name: "Storage Queue Data Reader",
        patterns: patterns!["queueServices/queues/read", "queueServices/queues/messages/read"],
    },
    Role {
        id: 0x8a0f_0c08_91a1_4084_bc3d_661d_6723_3fed,
        name: "Storage Queue Data Message Processor",
        patterns: patterns![
            "queueServices/queues/messages/read",
            "queueServices/queues/messages/process/action",
        ],
    },
    Role {
        id: 0xc6a8_9b2d_59bc_44d0_9896_0f6e_12d7_b80a,
        name: "Storage Queue Data Message Sender",
        patterns: patterns!["queueServices/queues/messages/add/action"],
    },
    Role {
        id: 0x7ee3_86e9_84f0_448e_80a6_f185_f653_3131,
        name: "Storage Queue Delegator",
        patterns: patterns!["queueServices/generateUserDelegationKey/action"],
    },
    Role {
        id: 0x0a9a_7e1f_b9d0_4cc4_a60d_0319_b160_aaa3,
        name: "Storage Table Data Contributor",
        patterns: patterns![
            "tableServices/tables/read",
            "tableServices/tables/write",
            "tableServices/tables/delete",
            "tableServices/tables/entities/read",
            "tableServices/tables/entities/write",
            "tableServices/tables/entities/delete",
            "tableServices/tables/entities/add/action",
            "tableServices/tables/entities/update/action",
        ],
    },
    Role {
        id: 0x7619_9698_9eea_4c19_bc75_cec2_1354_c6b6,
        name: "Storage Table Data Reader",
        patterns: patterns!["tableServices/tables/read", "tableServices/tables/entities/read"],
    },
];

impl Role {
    /// The role with this id.
    pub fn of_id(id: u128) -> Option<&'static Self> {
        ROLES.iter().find(|role| role.id == id)
    }

    /// The role that people mean: by its name, without regard to case, or by its id.
    pub fn named(text: &str) -> Option<&'static Self> {
        let id = crate::guid::parse(text);
        ROLES.iter().find(|role| Some(role.id) == id || role.name.eq_ignore_ascii_case(text))
    }

    /// Its id as it is written.
    pub fn guid(&self) -> String {
        crate::guid::print(self.id)
    }

    /// Whether it allows the action.
    pub fn allows(&self, action: Action) -> bool {
        self.patterns.iter().any(|pattern| action.matches(pattern))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_found_by_name_and_by_id() {
        let reader = Role::named("storage blob data reader").unwrap();
        assert_eq!(Role::named("2A2B9908-6ea1-4ae2-8e65-a410df84e7d1"), Some(reader));
        assert_eq!((Role::of_id(reader.id), Role::named("Owner")), (Some(reader), None));
        assert_eq!(reader.guid(), "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1");
    }

    #[test]
    fn every_role_allows_something_and_only_in_its_own_service() {
        for role in ROLES {
            let service = role.name.split(' ').nth(1).unwrap().to_ascii_lowercase();
            let allowed: Vec<_> = Action::ALL.iter().filter(|action| role.allows(**action)).collect();
            assert!(!allowed.is_empty(), "{}", role.name);
            for action in allowed {
                let own = format!("/{service}Services/");
                assert!(action.text().contains(&own), "{} allows {}", role.name, action.text());
            }
        }
    }

    #[test]
    fn only_an_owner_has_tags_policies_and_immutability() {
        let holders =
            |action| ROLES.iter().filter(|role| role.allows(action)).map(|r| r.name).collect::<Vec<_>>();
        for action in
            [Action::TagsWrite, Action::ContainersSetAcl, Action::BlobsImmutability, Action::BlobsFilter]
        {
            assert_eq!(holders(action), ["Storage Blob Data Owner"], "{action:?}");
        }
    }
}
