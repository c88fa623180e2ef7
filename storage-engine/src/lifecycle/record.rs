//! How the rules of an account are kept.
//!
//! | fields behind the version | |
//! |---|---|
//! | when they were set | moment |
//! | rules | count; of each: name, flags, prefixes, tags, actions of blobs, of snapshots, of versions |
//!
//! Flags: enabled, for block blobs, for append blobs. Actions: cool, cold, archive, delete, each an age if there is
//! one; and whether reading makes hot. An age: what it is counted from, days, days since the change of tier if there
//! are some.

use super::{Actions, Age, Lifecycle, LifecycleRule, Since};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::meta::record::{Decoder, Encoder};

const VERSION: u8 = 1;

/// The record of rules that are set now.
pub(super) fn encode(set: Timestamp, rules: &[LifecycleRule]) -> Vec<u8> {
    let mut fields = Encoder::new(VERSION);
    fields.timestamp(set).count(rules.len());
    for rule in rules {
        let LifecycleRule { name, enabled, block_blobs, append_blobs, prefixes, tags, .. } = rule;
        fields.str(name).flag(*enabled).flag(*block_blobs).flag(*append_blobs).count(prefixes.len());
        for prefix in prefixes {
            fields.str(prefix);
        }
        fields.count(tags.len());
        for (key, value) in tags {
            fields.str(key).str(value);
        }
        for actions in [&rule.base, &rule.snapshots, &rule.versions] {
            encode_actions(&mut fields, actions);
        }
    }
    fields.finish()
}

/// The rules in a record.
pub(super) fn decode(record: &[u8]) -> Result<Lifecycle> {
    let (_, mut fields) = Decoder::versioned("lifecycle rules", VERSION, record)?;
    let set = fields.timestamp()?;
    let rules = (0..fields.count()?).map(|_| decode_rule(&mut fields)).collect::<Result<_>>()?;
    fields.finish()?;
    Ok(Lifecycle { set, rules })
}

fn decode_rule(fields: &mut Decoder<'_>) -> Result<LifecycleRule> {
    Ok(LifecycleRule {
        name: text(fields)?,
        enabled: fields.flag()?,
        block_blobs: fields.flag()?,
        append_blobs: fields.flag()?,
        prefixes: (0..fields.count()?).map(|_| text(fields)).collect::<Result<_>>()?,
        tags: (0..fields.count()?).map(|_| Ok((text(fields)?, text(fields)?))).collect::<Result<_>>()?,
        base: decode_actions(fields)?,
        snapshots: decode_actions(fields)?,
        versions: decode_actions(fields)?,
    })
}

fn encode_actions(fields: &mut Encoder, actions: &Actions) {
    let Actions { cool, cold, archive, delete, hot_when_read } = *actions;
    for age in [cool, cold, archive, delete] {
        fields.option(age, |fields, Age { since, days, tier_changed_days }| {
            fields.u8(match since {
                Since::Modified => 0,
                Since::Created => 1,
                Since::Accessed => 2,
            });
            fields.u32(days).option(tier_changed_days, |fields, days| {
                fields.u32(days);
            });
        });
    }
    fields.flag(hot_when_read);
}

fn decode_actions(fields: &mut Decoder<'_>) -> Result<Actions> {
    Ok(Actions {
        cool: fields.option(decode_age)?,
        cold: fields.option(decode_age)?,
        archive: fields.option(decode_age)?,
        delete: fields.option(decode_age)?,
        hot_when_read: fields.flag()?,
    })
}

fn decode_age(fields: &mut Decoder<'_>) -> Result<Age> {
    let since = match fields.u8()? {
        0 => Since::Modified,
        1 => Since::Created,
        2 => Since::Accessed,
        _ => return Err(fields.damaged()),
    };
    Ok(Age { since, days: fields.u32()?, tier_changed_days: fields.option(Decoder::u32)? })
}

fn text(fields: &mut Decoder<'_>) -> Result<String> {
    Ok(fields.str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};
    use proptest::{collection, prop_assert_eq};

    fn age(index: u32, (since, tier): (u8, Option<u32>)) -> Age {
        let since = [Since::Modified, Since::Created, Since::Accessed][usize::from(since % 3)];
        Age { since, days: index, tier_changed_days: tier }
    }

    proptest! {
        #[test]
        fn rules_come_back_as_they_were_kept(
            flags in any::<[bool; 4]>(), ages in any::<[Option<(u8, Option<u32>)>; 12]>(), set in 0_u64..1 << 60,
            words in collection::vec(".{0,9}", 0..4), count in 0_usize..4,
        ) {
            let ages: Vec<_> = (0..).zip(ages).map(|(index, found)| found.map(|found| age(index, found))).collect();
            let actions = |first: usize| Actions {
                cool: ages[first], cold: ages[first + 1], archive: ages[first + 2], delete: ages[first + 3],
                hot_when_read: flags[3],
            };
            let rule = LifecycleRule {
                name: words.concat(),
                enabled: flags[0],
                block_blobs: flags[1],
                append_blobs: flags[2],
                tags: words.iter().map(|word| (word.clone(), "value".to_owned())).collect(),
                prefixes: words,
                base: actions(0),
                snapshots: actions(4),
                versions: actions(8),
            };
            let (set, rules) = (Timestamp::from_ticks(set), vec![rule; count]);
            prop_assert_eq!(decode(&encode(set, &rules)).unwrap(), Lifecycle { set, rules });
        }

        #[test]
        fn damaged_rules_are_errors_or_values_but_never_panics(record in collection::vec(any::<u8>(), 0..90)) {
            let _ = decode(&record);
        }
    }
}
