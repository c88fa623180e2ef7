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

#[test]
fn what_is_not_understood_is_refused_with_what_is_wrong() {
    let days = |name: &str| json!({ name: 1 });
    let base = |action: &str, condition: Value| json!({ "baseBlob": { action: condition } });
    let named = |name: &str| json!({ "name": name, "type": "Lifecycle", "definition": { "filters": blocks(), "actions": delete() } });
    for (document, part) in [
        (json!({}), "rules"),
        (json!({ "rules": [] }), "1 to 100"),
        (json!({ "rules": [named("a"), named("a")] }), "two rules"),
        (policy(&named("with space")), "name"),
        (
            policy(
                &json!({ "name": "a", "type": "Other", "definition": { "filters": blocks(), "actions": delete() } }),
            ),
            "type",
        ),
        (policy(&rule(&json!({ "blobTypes": [] }), &delete())), "blobTypes"),
        (policy(&rule(&json!({ "blobTypes": ["pageBlob"] }), &delete())), "blobTypes"),
        (policy(&rule(&json!({ "blobTypes": ["blockBlob"], "prefix": [] }), &delete())), "prefix"),
        (
            policy(&rule(&json!({ "blobTypes": ["blockBlob"], "prefixMatch": [""] }), &delete())),
            "prefixMatch",
        ),
        (policy(&rule(&blocks(), &json!({}))), "no action"),
        (policy(&rule(&blocks(), &json!({ "baseBlob": {} }))), "no action"),
        (policy(&rule(&blocks(), &base("tierToHot", days("daysAfterModificationGreaterThan")))), "tierToHot"),
        (policy(&rule(&blocks(), &base("delete", json!({})))), "one condition"),
        (
            policy(&rule(&blocks(), &base("delete", days("daysAfterLastTierChangeGreaterThan")))),
            "one condition",
        ),
        (
            policy(&rule(
                &blocks(),
                &base(
                    "delete",
                    json!({
                        "daysAfterModificationGreaterThan": 1, "daysAfterCreationGreaterThan": 1
                    }),
                ),
            )),
            "one condition",
        ),
        (
            policy(&rule(
                &blocks(),
                &base(
                    "delete",
                    json!({
                        "daysAfterModificationGreaterThan": 1, "daysAfterLastTierChangeGreaterThan": 1
                    }),
                ),
            )),
            "tierToArchive only",
        ),
        (
            policy(&rule(
                &blocks(),
                &json!({ "snapshot": { "delete": days("daysAfterModificationGreaterThan") } }),
            )),
            "daysAfterCreationGreaterThan only",
        ),
        (
            policy(&rule(&blocks(), &base("delete", json!({ "daysAfterModificationGreaterThan": -1 })))),
            "policy",
        ),
        (
            policy(&rule(
                &json!({ "blobTypes": ["appendBlob"] }),
                &base("tierToCool", days("daysAfterModificationGreaterThan")),
            )),
            "append blobs",
        ),
        (
            policy(&rule(
                &blocks(),
                &json!({ "baseBlob": {
                "tierToCool": days("daysAfterModificationGreaterThan"), "enableAutoTierToHotFromCool": true
            } }),
            )),
            "enableAutoTierToHotFromCool",
        ),
        (
            policy(&rule(
                &json!({
                    "blobTypes": ["blockBlob"], "blobIndexMatch": [{ "name": "a", "op": ">", "value": "b" }]
                }),
                &delete(),
            )),
            "==",
        ),
    ] {
        let refused = Policy::read(document.clone()).unwrap_err();
        assert!(refused.contains(part), "{document}: {refused}");
    }
}
