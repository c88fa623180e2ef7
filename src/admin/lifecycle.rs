//! Lifecycle rules as people write them: the JSON of the vendor's management policies.
//!
//! Page "Azure Blob Storage lifecycle management overview" and *Management Policies - Create Or Update*. What the
//! vendor's tools write is taken as it is, also inside the `properties.policy` that the management plane puts around
//! it. A field that is not known, an action without a condition and a condition that does not fit the action are
//! refused with a sentence, because a rule that is understood half deletes too much or too little.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage_engine::lifecycle::{Actions, Age, LifecycleRule, Since};

/// Most rules of a policy, prefixes of a rule, and tags of a rule (the page's limits).
const RULES_MAX: usize = 100;
const PREFIXES_MAX: usize = 10;
const TAGS_MAX: usize = 10;
/// Characters of a rule's name.
const NAME_MAX: usize = 256;

/// A management policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(rename = "type")]
    kind: String,
    definition: Definition,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    actions: ActionSets,
    filters: Filters,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Filters {
    blob_types: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix_match: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob_index_match: Option<Vec<TagMatch>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TagMatch {
    name: String,
    op: String,
    value: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct ActionSets {
    #[serde(skip_serializing_if = "Option::is_none")]
    base_blob: Option<ActionSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<ActionSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<ActionSet>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct ActionSet {
    #[serde(skip_serializing_if = "Option::is_none")]
    tier_to_cool: Option<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier_to_cold: Option<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier_to_archive: Option<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete: Option<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_auto_tier_to_hot_from_cool: Option<bool>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "they are the vendor's words")]
struct Condition {
    #[serde(skip_serializing_if = "Option::is_none")]
    days_after_modification_greater_than: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_after_creation_greater_than: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_after_last_access_time_greater_than: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_after_last_tier_change_greater_than: Option<u32>,
}

const fn yes() -> bool {
    true
}

/// Whether reads must be tracked for these rules.
pub(crate) fn needs_last_access(rules: &[LifecycleRule]) -> bool {
    let ages = |actions: &Actions| [actions.cool, actions.cold, actions.archive, actions.delete];
    rules.iter().any(|rule| {
        rule.base.hot_when_read || ages(&rule.base).iter().flatten().any(|age| age.since == Since::Accessed)
    })
}

impl Policy {
    /// How these rules are shown.
    pub(crate) fn of(rules: Vec<LifecycleRule>) -> Self {
        Self { rules: rules.into_iter().map(Rule::of).collect() }
    }

    /// Reads a policy, bare or as the management plane shows it.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) fn read(mut document: Value) -> Result<Vec<LifecycleRule>, String> {
        if let Some(inner) = document.pointer_mut("/properties/policy") {
            document = inner.take();
        }
        let policy: Self =
            serde_json::from_value(document).map_err(|error| format!("the policy: {error}"))?;
        policy.rules()
    }

    fn rules(self) -> Result<Vec<LifecycleRule>, String> {
        let Self { rules } = self;
        if rules.is_empty() || rules.len() > RULES_MAX {
            return Err("a policy has 1 to 100 rules".to_owned());
        }
        let rules: Vec<_> = rules.into_iter().map(Rule::understand).collect::<Result<_, _>>()?;
        for (index, rule) in rules.iter().enumerate() {
            if rules.iter().take(index).any(|other| other.name == rule.name) {
                return Err(format!("two rules are named {}", rule.name));
            }
        }
        Ok(rules)
    }
}

impl Rule {
    fn understand(self) -> Result<LifecycleRule, String> {
        let Self { name, enabled, kind, definition: Definition { actions, filters } } = self;
        let wrong = |text: &str| format!("rule {name}: {text}");
        if kind != "Lifecycle" {
            return Err(wrong("its type is not Lifecycle"));
        }
        let plain =
            |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
        if !(1..=NAME_MAX).contains(&name.len()) || !name.chars().all(plain) {
            return Err(wrong("a name is 1 to 256 letters, digits, - and _"));
        }
        let has = |wanted: &str| filters.blob_types.iter().any(|kind| kind == wanted);
        let (block_blobs, append_blobs) = (has("blockBlob"), has("appendBlob"));
        let known = filters.blob_types.iter().all(|kind| kind == "blockBlob" || kind == "appendBlob");
        if filters.blob_types.is_empty() || !known {
            return Err(wrong("blobTypes are blockBlob, appendBlob or both"));
        }
        let prefixes = filters.prefix_match.unwrap_or_default();
        if prefixes.len() > PREFIXES_MAX || prefixes.iter().any(String::is_empty) {
            return Err(wrong("prefixMatch has at most 10 prefixes, none of them empty"));
        }
        let tags = filters.blob_index_match.unwrap_or_default();
        if tags.len() > TAGS_MAX || tags.iter().any(|tag| tag.op != "==") {
            return Err(wrong("blobIndexMatch has at most 10 tags, each with the op =="));
        }
        let tags = tags.into_iter().map(|TagMatch { name, value, .. }| (name, value)).collect();
        let set = |found: Option<ActionSet>, base: bool| match found {
            None => Ok(Actions::default()),
            Some(found) => found.understand(base, append_blobs).map_err(|text| wrong(&text)),
        };
        let (base, snapshots, versions) =
            (set(actions.base_blob, true)?, set(actions.snapshot, false)?, set(actions.version, false)?);
        if [base, snapshots, versions] == [Actions::default(); 3] {
            return Err(wrong("it has no action"));
        }
        Ok(LifecycleRule {
            enabled,
            block_blobs,
            append_blobs,
            prefixes,
            tags,
            base,
            snapshots,
            versions,
            name,
        })
    }

    fn of(rule: LifecycleRule) -> Self {
        let LifecycleRule {
            name,
            enabled,
            block_blobs,
            append_blobs,
            prefixes,
            tags,
            base,
            snapshots,
            versions,
        } = rule;
        let kinds = [("blockBlob", block_blobs), ("appendBlob", append_blobs)];
        let blob_types =
            kinds.iter().filter(|(_, meant)| *meant).map(|(kind, _)| (*kind).to_owned()).collect();
        let tag = |(name, value)| TagMatch { name, op: "==".to_owned(), value };
        let filters = Filters {
            blob_types,
            prefix_match: Some(prefixes).filter(|prefixes| !prefixes.is_empty()),
            blob_index_match: Some(tags.into_iter().map(tag).collect::<Vec<_>>())
                .filter(|tags| !tags.is_empty()),
        };
        let actions = ActionSets {
            base_blob: ActionSet::of(base),
            snapshot: ActionSet::of(snapshots),
            version: ActionSet::of(versions),
        };
        Self { name, enabled, kind: "Lifecycle".to_owned(), definition: Definition { actions, filters } }
    }
}

impl ActionSet {
    fn understand(self, base: bool, append_blobs: bool) -> Result<Actions, String> {
        let Self { tier_to_cool, tier_to_cold, tier_to_archive, delete, enable_auto_tier_to_hot_from_cool } =
            self;
        let age = |condition: Option<Condition>, name: &str| {
            let understood = condition.map(|condition| condition.understand(base, name == "tierToArchive"));
            understood.transpose().map_err(|text| format!("{name}: {text}"))
        };
        let actions = Actions {
            cool: age(tier_to_cool, "tierToCool")?,
            cold: age(tier_to_cold, "tierToCold")?,
            archive: age(tier_to_archive, "tierToArchive")?,
            delete: age(delete, "delete")?,
            hot_when_read: enable_auto_tier_to_hot_from_cool.unwrap_or(false),
        };
        let tiered = actions.cool.or(actions.cold).or(actions.archive);
        if append_blobs && tiered.is_some() {
            return Err("append blobs have no tiers; only delete is for them".to_owned());
        }
        let by_access = actions.cool.is_some_and(|age| age.since == Since::Accessed);
        if actions.hot_when_read && !(base && by_access) {
            return Err("enableAutoTierToHotFromCool needs a tierToCool of baseBlob with \
                        daysAfterLastAccessTimeGreaterThan"
                .to_owned());
        }
        Ok(actions)
    }

    fn of(actions: Actions) -> Option<Self> {
        (actions != Actions::default()).then(|| Self {
            tier_to_cool: actions.cool.map(Condition::of),
            tier_to_cold: actions.cold.map(Condition::of),
            tier_to_archive: actions.archive.map(Condition::of),
            delete: actions.delete.map(Condition::of),
            enable_auto_tier_to_hot_from_cool: actions.hot_when_read.then_some(true),
        })
    }
}

impl Condition {
    fn understand(self, base: bool, archive: bool) -> Result<Age, String> {
        let given = [
            (Since::Modified, self.days_after_modification_greater_than),
            (Since::Created, self.days_after_creation_greater_than),
            (Since::Accessed, self.days_after_last_access_time_greater_than),
        ];
        let mut given = given.into_iter().filter_map(|(since, days)| Some((since, days?)));
        let one = given.next().filter(|_| given.next().is_none());
        let Some((since, days)) = one else {
            return Err("one condition is wanted: daysAfterModificationGreaterThan, \
                        daysAfterCreationGreaterThan or daysAfterLastAccessTimeGreaterThan"
                .to_owned());
        };
        if !base && since != Since::Created {
            return Err("snapshots and versions have daysAfterCreationGreaterThan only".to_owned());
        }
        let tier_changed_days = self.days_after_last_tier_change_greater_than;
        if tier_changed_days.is_some() && !archive {
            return Err("daysAfterLastTierChangeGreaterThan is for tierToArchive only".to_owned());
        }
        Ok(Age { since, days, tier_changed_days })
    }

    fn of(Age { since, days, tier_changed_days }: Age) -> Self {
        let when = |wanted: Since| (since == wanted).then_some(days);
        Self {
            days_after_modification_greater_than: when(Since::Modified),
            days_after_creation_greater_than: when(Since::Created),
            days_after_last_access_time_greater_than: when(Since::Accessed),
            days_after_last_tier_change_greater_than: tier_changed_days,
        }
    }
}

#[cfg(test)]
mod tests;
