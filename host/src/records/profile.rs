//! What a plugin's file of an organization is made of before the plugin's entities come.

use crate::storage::{FileKind, FileProfile, Migration};

/// What every plugin's file has beside the tables of every file.
pub(super) static PROFILE: FileProfile = FileProfile {
    kind: FileKind::Plugin,
    migrations: &[
        Migration {
            name: "0002_external_ids",
            sql: include_str!("../../../migrations/tenant/0002_external_ids.sql"),
        },
        Migration {
            name: "0003_links_and_counters",
            sql: include_str!("../../../migrations/tenant/0003_links_and_counters.sql"),
        },
        Migration { name: "0004_writing", sql: include_str!("../../../migrations/tenant/0004_writing.sql") },
        Migration {
            name: "0006_matching",
            sql: include_str!("../../../migrations/tenant/0006_matching.sql"),
        },
        Migration { name: "0007_merge", sql: include_str!("../../../migrations/tenant/0007_merge.sql") },
        Migration {
            name: "0008_companions",
            sql: include_str!("../../../migrations/tenant/0008_companions.sql"),
        },
        Migration {
            name: "0009_transfer",
            sql: include_str!("../../../migrations/tenant/0009_transfer.sql"),
        },
        Migration { name: "0010_shares", sql: include_str!("../../../migrations/tenant/0010_shares.sql") },
        Migration {
            name: "0011_key_index",
            sql: include_str!("../../../migrations/tenant/0011_key_index.sql"),
        },
    ],
    redacted: &[],
};
