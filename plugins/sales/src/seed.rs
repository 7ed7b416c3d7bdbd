//! What a new organization starts with: one pipeline that works. All of it is the organization's to change.

use serde_json::{Value, json};
use stoa_sdk::manifest::Seed;

pub(crate) fn seed() -> Vec<Seed> {
    let stages = [
        ("prospecting", "Prospecting", "open", "10", Some("pipeline"), Some(30)),
        ("qualification", "Qualification", "open", "20", Some("pipeline"), Some(30)),
        ("proposal", "Proposal", "open", "50", Some("best_case"), Some(21)),
        ("negotiation", "Negotiation", "open", "80", Some("commit"), Some(14)),
        ("won", "Won", "won", "100", None, None),
        ("lost", "Lost", "lost", "0", None, None),
    ];
    let row = |(position, (key, name, kind, probability, category, rotten)): (
        usize,
        (_, _, _, _, Option<&str>, Option<i64>),
    )|
     -> Value {
        let key: &str = key;
        let (name, kind, probability): (&str, &str, &str) = (name, kind, probability);
        json!({
            "external_id": format!("default-{key}"),
            "pipeline": { "external_id": "default" },
            "name": name,
            "position": position + 1,
            "kind": kind,
            "probability": probability,
            "category": category,
            "rotten_after_days": rotten,
        })
    };
    vec![
        Seed::new(
            "pipeline",
            vec![json!({ "external_id": "default", "name": "Default", "is_default": true })],
        ),
        Seed::new("stage", stages.into_iter().enumerate().map(row).collect()),
    ]
}
