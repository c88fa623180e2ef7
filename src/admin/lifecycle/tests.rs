//! Policies as the vendor's page shows them, and what is refused.

use super::*;
use serde_json::json;

fn policy(rule: &Value) -> Value {
    json!({ "rules": [rule] })
}

fn rule(filters: &Value, actions: &Value) -> Value {
    json!({ "name": "rule", "type": "Lifecycle", "definition": { "filters": filters, "actions": actions } })
}

fn delete() -> Value {
    json!({ "baseBlob": { "delete": { "daysAfterModificationGreaterThan": 30 } } })
}

fn blocks() -> Value {
    json!({ "blobTypes": ["blockBlob"] })
}

#[test]
fn a_policy_of_everything_is_understood_and_shown_as_it_was_written() {
    let written = policy(&json!({
        "name": "all-of_it",
        "enabled": false,
        "type": "Lifecycle",
        "definition": {
            "actions": {
                "baseBlob": {
                    "tierToCool": { "daysAfterLastAccessTimeGreaterThan": 30 },
                    "tierToCold": { "daysAfterCreationGreaterThan": 60 },
                    "tierToArchive": {
                        "daysAfterModificationGreaterThan": 90,
                        "daysAfterLastTierChangeGreaterThan": 7
                    },
                    "delete": { "daysAfterModificationGreaterThan": 2555 },
                    "enableAutoTierToHotFromCool": true
                },
                "snapshot": { "delete": { "daysAfterCreationGreaterThan": 90 } },
                "version": { "tierToCold": { "daysAfterCreationGreaterThan": 0 } }
            },
            "filters": {
                "blobTypes": ["blockBlob"],
                "prefixMatch": ["container1/foo", "logs"],
                "blobIndexMatch": [{ "name": "Project", "op": "==", "value": "Contoso" }]
            }
        }
    }));
    let rules = Policy::read(written.clone()).unwrap();
    assert!(needs_last_access(&rules));
    let [rule] = rules.as_slice() else { panic!("{rules:?}") };
    assert!(rule.block_blobs && !rule.append_blobs && !rule.enabled && rule.base.hot_when_read);
    let archive = Age { since: Since::Modified, days: 90, tier_changed_days: Some(7) };
    assert_eq!(rule.base.archive, Some(archive));
    assert_eq!(rule.tags, [("Project".to_owned(), "Contoso".to_owned())]);
    assert_eq!(serde_json::to_value(Policy::of(rules.clone())).unwrap(), written);
    let wrapped = json!({ "id": "x", "properties": { "lastModifiedTime": "y", "policy": written } });
    assert_eq!(Policy::read(wrapped).unwrap(), rules);
}

#[test]
fn a_rule_is_in_force_unless_it_says_otherwise() {
    let rules = Policy::read(policy(&rule(&blocks(), &delete()))).unwrap();
    assert!(rules[0].enabled && !needs_last_access(&rules));
}

#[track_caller]
fn refused(document: &Value, part: &str) {
    let refused = Policy::read(document.clone()).unwrap_err();
    assert!(refused.contains(part), "{document}: {refused}");
}

#[test]
fn a_rule_that_is_not_understood_is_refused_with_what_is_wrong() {
    let named = |name: &str| json!({ "name": name, "type": "Lifecycle", "definition": { "filters": blocks(), "actions": delete() } });
    refused(&json!({}), "rules");
    refused(&json!({ "rules": [] }), "1 to 100");
    refused(&json!({ "rules": [named("a"), named("a")] }), "two rules");
    refused(&policy(&named("with space")), "name");
    let mut other = named("other");
    other["type"] = json!("Other");
    refused(&policy(&other), "type");
    for (filters, part) in [
        (json!({ "blobTypes": [] }), "blobTypes"),
        (json!({ "blobTypes": ["pageBlob"] }), "blobTypes"),
        (json!({ "blobTypes": ["blockBlob"], "prefix": [] }), "prefix"),
        (json!({ "blobTypes": ["blockBlob"], "prefixMatch": [""] }), "prefixMatch"),
        (
            json!({ "blobTypes": ["blockBlob"], "blobIndexMatch": [{ "name": "a", "op": ">", "value": "b" }] }),
            "==",
        ),
    ] {
        refused(&policy(&rule(&filters, &delete())), part);
    }
}

#[test]
fn an_action_that_is_not_understood_is_refused_with_what_is_wrong() {
    let days = json!({ "daysAfterModificationGreaterThan": 1 });
    let delete_when = |condition: Value| json!({ "baseBlob": { "delete": condition } });
    for (actions, part) in [
        (json!({}), "no action"),
        (json!({ "baseBlob": {} }), "no action"),
        (json!({ "baseBlob": { "tierToHot": days } }), "tierToHot"),
        (delete_when(json!({})), "one condition"),
        (delete_when(json!({ "daysAfterLastTierChangeGreaterThan": 1 })), "one condition"),
        (
            delete_when(json!({ "daysAfterModificationGreaterThan": 1, "daysAfterCreationGreaterThan": 1 })),
            "one condition",
        ),
        (
            delete_when(
                json!({ "daysAfterModificationGreaterThan": 1, "daysAfterLastTierChangeGreaterThan": 1 }),
            ),
            "tierToArchive only",
        ),
        (delete_when(json!({ "daysAfterModificationGreaterThan": -1 })), "policy"),
        (json!({ "snapshot": { "delete": days } }), "daysAfterCreationGreaterThan only"),
        (
            json!({ "baseBlob": { "tierToCool": days, "enableAutoTierToHotFromCool": true } }),
            "enableAutoTierToHotFromCool",
        ),
    ] {
        refused(&policy(&rule(&blocks(), &actions)), part);
    }
    let tiered = json!({ "baseBlob": { "tierToCool": days } });
    refused(&policy(&rule(&json!({ "blobTypes": ["appendBlob"] }), &tiered)), "append blobs");
}
