//! What a new organization starts with: one pipeline that works. All of it is the organization's to change.

use serde_json::{Value, json};
use stoa_sdk::manifest::Seed;

/// Key, kind, probability, forecast category, days after which a deal is stale.
type Stage = (&'static str, &'static str, &'static str, Option<&'static str>, Option<i64>);

/// The stages in order.
const STAGES: [Stage; 6] = [
    ("prospecting", "open", "10", Some("pipeline"), Some(30)),
    ("qualification", "open", "20", Some("pipeline"), Some(30)),
    ("proposal", "open", "50", Some("best_case"), Some(21)),
    ("negotiation", "open", "80", Some("commit"), Some(14)),
    ("won", "won", "100", None, None),
    ("lost", "lost", "0", None, None),
];

pub(crate) fn seed() -> Vec<Seed> {
    let pipeline = json!({ "external_id": "default", "name": "Default", "is_default": true });
    let stages = STAGES.iter().enumerate().map(|(at, stage)| row(at + 1, *stage));
    vec![Seed::new("pipeline", vec![pipeline]), Seed::new("stage", stages.collect())]
}

fn row(
    position: usize,
    (key, kind, probability, category, rotten): (&str, &str, &str, Option<&str>, Option<i64>),
) -> Value {
    let (first, rest) = key.split_at(1);
    json!({
        "external_id": format!("default-{key}"),
        "pipeline": { "external_id": "default" },
        "name": first.to_uppercase() + rest,
        "position": position,
        "kind": kind,
        "probability": probability,
        "category": category,
        "rotten_after_days": rotten,
    })
}
