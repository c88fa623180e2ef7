//! Rules, judged: the page's tables, with a clock that is a number.

use super::*;
use crate::blob::{AccessTier, Deletion, Encryption, EncryptionKey, Rehydration, Tags};

const DAY: u64 = 24 * 3600;

fn day(number: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000 + number * DAY)
}

#[expect(clippy::unnecessary_wraps, reason = "an optional field is what it is for")]
fn age(since: Since, days: u32) -> Option<Age> {
    Some(Age { since, days, tier_changed_days: None })
}

fn rule(base: Actions) -> LifecycleRule {
    LifecycleRule {
        name: "rule".to_owned(),
        enabled: true,
        block_blobs: true,
        append_blobs: false,
        prefixes: Vec::new(),
        tags: Vec::new(),
        base,
        snapshots: Actions::default(),
        versions: Actions::default(),
    }
}

/// A block blob that was made on day 0 and changed on day 10.
fn blob() -> BlobProperties {
    BlobProperties { created: day(0), modified: day(10), current: true, ..BlobProperties::default() }
}

fn judged(rules: &[LifecycleRule], properties: &BlobProperties, now: Timestamp) -> Option<Verdict> {
    let lifecycle = Lifecycle { set: day(5), rules: rules.to_vec() };
    lifecycle.judge(Subject { container: "logs", name: "2026/a", properties }, now, true)
}

#[expect(clippy::unnecessary_wraps, reason = "an optional field is what it is for")]
fn in_tier(tier: Tier, changed: u64) -> Option<AccessTier> {
    Some(AccessTier { tier, changed: Some(day(changed)), rehydration: None })
}

#[test]
fn an_age_is_more_than_so_many_days() {
    let rules = [rule(Actions { delete: age(Since::Modified, 30), ..Actions::default() })];
    assert_eq!(judged(&rules, &blob(), day(40)), None, "exactly thirty days are not more");
    let later = Timestamp::from_ticks(day(40).ticks() + 1);
    assert_eq!(judged(&rules, &blob(), later), Some(Verdict::Delete));
    let rules = [rule(Actions { delete: age(Since::Created, 30), ..Actions::default() })];
    assert_eq!(judged(&rules, &blob(), day(31)), Some(Verdict::Delete));
    let rules = [rule(Actions { delete: age(Since::Modified, 0), ..Actions::default() })];
    assert_eq!(judged(&rules, &blob(), day(11)), Some(Verdict::Delete));
    let rules = [rule(Actions { delete: age(Since::Modified, u32::MAX), ..Actions::default() })];
    assert_eq!(judged(&rules, &blob(), Timestamp::MAX), None, "so many days that there are not");
}

#[test]
fn the_cheapest_action_wins_whichever_rule_has_it() {
    let all = Actions {
        cool: age(Since::Modified, 1),
        cold: age(Since::Modified, 2),
        archive: age(Since::Modified, 3),
        delete: age(Since::Modified, 4),
        hot_when_read: false,
    };
    let split = [
        rule(Actions { cool: all.cool, delete: all.delete, ..Actions::default() }),
        rule(Actions { archive: all.archive, cold: all.cold, ..Actions::default() }),
    ];
    for rules in [&[rule(all)][..], &split] {
        for (now, verdict) in [
            (11, None),
            (12, Some(Verdict::Move(Tier::Cool))),
            (13, Some(Verdict::Move(Tier::Cold))),
            (14, Some(Verdict::Move(Tier::Archive))),
            (15, Some(Verdict::Delete)),
        ] {
            assert_eq!(judged(rules, &blob(), day(now)), verdict, "day {now}");
        }
    }
}

#[test]
fn a_tier_is_lowered_and_never_raised_and_only_where_there_are_tiers() {
    let rules = [rule(Actions { cool: age(Since::Modified, 1), ..Actions::default() })];
    for (tier, moved) in [
        (Tier::Hot, true),
        (Tier::Cool, false),
        (Tier::Cold, false),
        (Tier::Archive, false),
        (Tier::P4, false),
    ] {
        let blob = BlobProperties { tier: in_tier(tier, 1), ..blob() };
        assert_eq!(judged(&rules, &blob, day(20)).is_some(), moved, "{tier:?}");
    }
    let rehydration = Some(Rehydration { to: Tier::Hot, high: false, ends: day(90) });
    let tier = Some(AccessTier { tier: Tier::Archive, changed: None, rehydration });
    let rules = [rule(Actions { archive: age(Since::Modified, 1), ..Actions::default() })];
    assert_eq!(judged(&rules, &BlobProperties { tier, ..blob() }, day(20)), None);
    let key = EncryptionKey::Scope("scope".to_owned());
    let encryption = Some(Box::new(Encryption { key, wrapped: Vec::new() }));
    assert_eq!(judged(&rules, &BlobProperties { encryption, ..blob() }, day(20)), None);
}

#[test]
fn who_left_the_archive_stays_out_for_the_days_since_its_tier_changed() {
    let archive = Some(Age { since: Since::Modified, days: 1, tier_changed_days: Some(7) });
    let rules = [rule(Actions { archive, ..Actions::default() })];
    let back = BlobProperties { tier: in_tier(Tier::Hot, 20), ..blob() };
    assert_eq!(judged(&rules, &back, day(27)), None);
    assert_eq!(judged(&rules, &back, day(28)), Some(Verdict::Move(Tier::Archive)));
    assert_eq!(judged(&rules, &blob(), day(12)), Some(Verdict::Move(Tier::Archive)));
}

#[test]
fn a_read_that_was_never_noted_counts_from_when_the_rules_were_set() {
    let rules = [rule(Actions { delete: age(Since::Accessed, 10), ..Actions::default() })];
    assert_eq!(judged(&rules, &blob(), day(15)), None);
    assert_eq!(judged(&rules, &blob(), day(16)), Some(Verdict::Delete));
    let read = BlobProperties { accessed: Some(day(14)), ..blob() };
    assert_eq!(judged(&rules, &read, day(24)), None);
    assert_eq!(judged(&rules, &read, day(25)), Some(Verdict::Delete));
    let lifecycle = Lifecycle { set: day(5), rules: rules.to_vec() };
    let subject = Subject { container: "c", name: "b", properties: &read };
    assert_eq!(lifecycle.judge(subject, day(99), false), None, "nobody knows when it was read");
}

#[test]
fn a_blob_that_was_read_in_the_cool_tier_becomes_hot_again() {
    let cool = age(Since::Accessed, 10);
    let rules = [rule(Actions { cool, hot_when_read: true, ..Actions::default() })];
    let cooled = BlobProperties { tier: in_tier(Tier::Cool, 20), accessed: Some(day(5)), ..blob() };
    assert_eq!(judged(&rules, &cooled, day(30)), None);
    let read = BlobProperties { accessed: Some(day(29)), ..cooled.clone() };
    assert_eq!(judged(&rules, &read, day(30)), Some(Verdict::Move(Tier::Hot)));
    let not_asked = [rule(Actions { cool, ..Actions::default() })];
    assert_eq!(judged(&not_asked, &read, day(30)), None);
    let colder = BlobProperties { tier: in_tier(Tier::Cold, 20), ..read };
    assert_eq!(judged(&rules, &colder, day(30)), None);
}

#[test]
fn snapshots_and_versions_have_actions_and_ages_of_their_own() {
    let snapshots = Actions { delete: age(Since::Created, 1), ..Actions::default() };
    let versions = Actions { archive: age(Since::Created, 1), ..Actions::default() };
    let rules = [LifecycleRule { snapshots, versions, ..rule(Actions::default()) }];
    let snapshot = BlobProperties { snapshot: Some(day(20)), current: false, ..blob() };
    assert_eq!(judged(&rules, &snapshot, day(21)), None, "the snapshot is younger than its blob");
    assert_eq!(judged(&rules, &snapshot, day(22)), Some(Verdict::Delete));
    let version = BlobProperties { version: Some(day(20)), current: false, ..blob() };
    assert_eq!(judged(&rules, &version, day(21)), None);
    assert_eq!(judged(&rules, &version, day(22)), Some(Verdict::Move(Tier::Archive)));
    let current = BlobProperties { version: Some(day(20)), ..blob() };
    assert_eq!(judged(&rules, &current, day(99)), None);
    let deletion = Some(Deletion { at: day(21), purge: day(99) });
    assert_eq!(judged(&rules, &BlobProperties { deletion, ..snapshot }, day(30)), None, "it is deleted");
}

#[test]
fn a_rule_is_for_what_its_filter_says() {
    let delete = Actions { delete: age(Since::Modified, 0), ..Actions::default() };
    let any = rule(delete);
    let append = BlobProperties { kind: BlobKind::Append { blocks: 1, sealed: false }, ..blob() };
    let page = BlobProperties { kind: BlobKind::Page { sequence_number: 0 }, ..blob() };
    let tags = Tags::new(vec![("team".to_owned(), "red".to_owned())]).unwrap();
    let tagged = BlobProperties { tags, ..blob() };
    let with = |change: fn(&mut LifecycleRule)| {
        let mut rule = any.clone();
        change(&mut rule);
        rule
    };
    let for_append = with(|rule| (rule.block_blobs, rule.append_blobs) = (false, true));
    let red = with(|rule| rule.tags = vec![("team".to_owned(), "red".to_owned())]);
    let blue = with(|rule| rule.tags = vec![("team".to_owned(), "blue".to_owned())]);
    for (rule, properties, meant) in [
        (any.clone(), blob(), true),
        (any.clone(), append.clone(), false),
        (any.clone(), page.clone(), false),
        (for_append.clone(), append, true),
        (for_append.clone(), blob(), false),
        (for_append, page, false),
        (with(|rule| rule.enabled = false), blob(), false),
        (with(|rule| rule.prefixes = vec!["logs/2026/".to_owned()]), blob(), true),
        (with(|rule| rule.prefixes = vec!["x".to_owned(), "lo".to_owned()]), blob(), true),
        (with(|rule| rule.prefixes = vec!["2026/".to_owned()]), blob(), false),
        (with(|rule| rule.prefixes = vec!["Logs/".to_owned()]), blob(), false),
        (red.clone(), tagged.clone(), true),
        (red, blob(), false),
        (blue, tagged, false),
    ] {
        assert_eq!(judged(std::slice::from_ref(&rule), &properties, day(20)).is_some(), meant, "{rule:?}");
    }
}

#[test]
fn containers_that_no_prefix_can_mean_are_passed_over() {
    let with = |prefixes: &[&str]| Lifecycle {
        set: day(0),
        rules: vec![LifecycleRule {
            prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
            ..rule(Actions::default())
        }],
    };
    for (prefixes, concerned) in [
        (&[][..], true),
        (&["lo"], true),
        (&["logs"], true),
        (&["logs/2"], true),
        (&["log/"], false),
        (&["x"], false),
    ] {
        assert_eq!(with(prefixes).concerns("logs"), concerned, "{prefixes:?}");
    }
}
