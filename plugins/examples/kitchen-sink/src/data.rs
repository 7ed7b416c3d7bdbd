//! Private tables, settings, and the records that an organization starts with.

use serde_json::json;
use stoa_sdk::manifest::{Seed, Setting, Step};

/// Steps run in order, each once, and are never edited: the second one is how a table grows.
pub(crate) fn steps() -> Vec<Step> {
    vec![
        Step::new("0001_openings", "create table opening (day text primary key) strict, without rowid"),
        Step::new("0002_times", "alter table opening add column times integer not null default 0"),
    ]
}

pub(crate) fn settings() -> Vec<Setting> {
    vec![
        Setting {
            key: "opens".into(),
            schema: json!({ "type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$" }),
            default: "18:00".into(),
        },
        Setting {
            key: "seats".into(),
            schema: json!({ "type": "integer", "minimum": 1 }),
            default: 40.into(),
        },
    ]
}

/// Every organization starts with one menu.
pub(crate) fn seed() -> Vec<Seed> {
    let standing = json!({ "external_id": "standing", "name": "Standing menu", "from": "2026-01-01" });
    vec![Seed::new("menu", vec![standing])]
}

/// A demo organization has dishes to look at; one refers to a menu of the seed, one to another dish.
pub(crate) fn demo() -> Vec<Seed> {
    let menu = json!({ "external_id": "standing" });
    let soup = json!({
        "external_id": "soup", "name": "Pumpkin soup", "course": "starter", "vegan": true, "menu": menu,
        "tastes": ["sweet", "umami"], "price": { "amount": "7.50", "currency": "EUR" },
    });
    let stew = json!({
        "external_id": "stew", "name": "Bean stew", "menu": menu, "goes_with": [{ "external_id": "soup" }],
        "origin": { "city": "Wien", "country": "AT" }, "cooking_time": 5_400_000,
    });
    vec![Seed::new("dish", vec![soup, stew])]
}

/// A dish of which only the name is known, for tests.
#[cfg(test)]
pub(crate) fn plain(name: &str) -> crate::dishes::Dish {
    use stoa_sdk::prelude::*;

    crate::dishes::Dish {
        number: AutoNumber::default(),
        name: name.into(),
        code: None,
        story: None,
        servings: 4,
        weight: None,
        price: None,
        margin: None,
        vegan: false,
        invented_on: None,
        first_served_at: None,
        cooking_time: None,
        course: crate::dishes::Course::Main,
        tastes: Options::none(),
        heat: None,
        menu: None,
        variant_of: None,
        goes_with: vec![],
        supplier: None,
        other_suppliers: vec![],
        invented_by: None,
        brigade: None,
        cooks: vec![],
        email: None,
        phone: None,
        website: None,
        origin: None,
        photo: None,
        allergy_sheet: None,
        secret_ingredient: None,
        rating: 0,
    }
}
