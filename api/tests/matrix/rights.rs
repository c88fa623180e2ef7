//! What each right takes, from `fixtures/auth/matrix/rights.txt`, and what a request is to be answered by that.

use api::ServiceKind;
use std::collections::HashMap;

/// A refusal: status and code on the wire. None: whoever asks is let in.
pub(crate) type Refusal = Option<(u16, &'static str)>;

pub(crate) const FAILED: Refusal = Some((403, "AuthenticationFailed"));
pub(crate) const NOT_AT_ALL: Refusal = Some((403, "AuthorizationFailure"));
pub(crate) const PERMISSION: Refusal = Some((403, "AuthorizationPermissionMismatch"));
pub(crate) const SERVICE: Refusal = Some((403, "AuthorizationServiceMismatch"));
pub(crate) const TYPE: Refusal = Some((403, "AuthorizationResourceTypeMismatch"));
pub(crate) const ADDRESS: Refusal = Some((403, "AuthorizationSourceIPMismatch"));
pub(crate) const PROTOCOL: Refusal = Some((403, "AuthorizationProtocolMismatch"));
pub(crate) const NOBODY: Refusal = Some((401, "NoAuthenticationInformation"));
pub(crate) const TOKEN: Refusal = Some((401, "InvalidAuthenticationInfo"));
pub(crate) const MALFORMED: Refusal = Some((400, "InvalidAuthenticationInfo"));
pub(crate) const NOT_PUBLIC: Refusal = Some((409, "PublicAccessNotPermitted"));

/// All codes that mean that somebody was not let in.
pub(crate) const REFUSALS: [&str; 10] = [
    "AuthenticationFailed",
    "AuthorizationFailure",
    "AuthorizationPermissionMismatch",
    "AuthorizationServiceMismatch",
    "AuthorizationResourceTypeMismatch",
    "AuthorizationSourceIPMismatch",
    "AuthorizationProtocolMismatch",
    "NoAuthenticationInformation",
    "InvalidAuthenticationInfo",
    "PublicAccessNotPermitted",
];

/// Built-in roles, as the table of rights abbreviates them; the holder of a role is called so.
pub(crate) const ROLES: [(&str, &str); 11] = [
    ("BO", "Storage Blob Data Owner"),
    ("BC", "Storage Blob Data Contributor"),
    ("BR", "Storage Blob Data Reader"),
    ("BD", "Storage Blob Delegator"),
    ("QC", "Storage Queue Data Contributor"),
    ("QR", "Storage Queue Data Reader"),
    ("QP", "Storage Queue Data Message Processor"),
    ("QS", "Storage Queue Data Message Sender"),
    ("QD", "Storage Queue Delegator"),
    ("TC", "Storage Table Data Contributor"),
    ("TR", "Storage Table Data Reader"),
];

/// The first refusal, of what is judged in this order.
pub(crate) fn first(refusals: &[Refusal]) -> Refusal {
    refusals.iter().copied().flatten().next()
}

/// Letters that a signature may have.
pub(crate) const LETTERS: &str = "racwdxyltfiup";

/// Sets of letters, one of which is enough.
#[derive(Debug, Clone)]
pub(crate) enum Sets {
    Any,
    Of(Vec<String>),
}

impl Sets {
    fn read(text: &str) -> Self {
        match text {
            "*" => Self::Any,
            "-" => Self::Of(Vec::new()),
            _ => Self::Of(text.split(',').map(str::to_owned).collect()),
        }
    }

    /// What a signature with these letters is answered.
    pub(crate) fn judge(&self, letters: &str) -> Refusal {
        let Self::Of(sets) = self else { return None };
        if sets.is_empty() {
            return NOT_AT_ALL;
        }
        let held = sets.iter().any(|set| set.chars().all(|letter| letters.contains(letter)));
        if held { None } else { PERMISSION }
    }

    /// Letters to try: each set alone, and all but one of each set.
    pub(crate) fn trials(&self) -> Vec<String> {
        let Self::Of(sets) = self else { return vec![LETTERS.to_owned(), "l".to_owned()] };
        let longest = sets.iter().map(String::len).max().unwrap_or_default();
        let without = |at: usize| {
            let missing: String = sets.iter().filter_map(|set| set.chars().nth(at % set.len())).collect();
            LETTERS.chars().filter(|letter| !missing.contains(*letter)).collect()
        };
        let whole = std::iter::once(LETTERS.to_owned());
        whole.chain(sets.iter().cloned()).chain((0..longest).map(without)).collect()
    }
}

/// What a right takes.
#[derive(Debug, Clone)]
pub(crate) struct Right {
    pub(crate) types: String,
    pub(crate) account: Sets,
    pub(crate) resource: Sets,
    /// `-`, `blob` or `container`.
    pub(crate) public: String,
    roles: Option<Vec<String>>,
}

impl Right {
    /// Whether the holder of this role only may.
    pub(crate) fn is_role(&self, role: &str) -> bool {
        self.roles.as_ref().is_none_or(|roles| roles.iter().any(|one| one == role))
    }

    /// Whether any token is enough.
    pub(crate) fn any_token(&self) -> bool {
        self.roles.is_none()
    }
}

/// The table, by service, level and access.
pub(crate) struct Rights(HashMap<(String, String, String), Right>);

impl Rights {
    pub(crate) fn read(text: &str) -> Self {
        let mut rights = HashMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [service, level, access, types, account, resource, public, roles] = fields[..] else {
                panic!("{line}");
            };
            let owned = |text: &str| text.to_owned();
            let right = Right {
                types: owned(types),
                account: Sets::read(account),
                resource: Sets::read(resource),
                public: owned(public),
                roles: (roles != "*")
                    .then(|| roles.split(',').filter(|role| *role != "-").map(owned).collect()),
            };
            let again = rights.insert((owned(service), owned(level), owned(access)), right);
            assert!(again.is_none(), "twice: {line}");
        }
        Self(rights)
    }

    /// What a right takes. A row without a line is a mistake of whoever added it.
    pub(crate) fn of(&self, service: ServiceKind, level: &str, access: &str) -> &Right {
        let key = (service.label().to_owned(), level.to_owned(), access.to_owned());
        self.0.get(&key).unwrap_or_else(|| panic!("fixtures/auth/matrix/rights.txt has no line for {key:?}"))
    }
}
