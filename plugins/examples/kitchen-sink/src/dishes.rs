//! Dishes: a field of every type there is, and every attribute at least once.

use serde_json::{Value, json};
use stoa_sdk::prelude::*;

use crate::around::Menu;
use crate::hooks;

/// When it is eaten.
#[entity]
pub(crate) enum Course {
    Starter,
    Main,
    Dessert,
}

/// What it tastes of.
#[entity]
pub(crate) enum Taste {
    Sweet,
    Sour,
    Salty,
    Bitter,
    Umami,
}

/// Something to eat.
#[entity(
    key = "dish",
    plural = "dishes",
    label = "Dish",
    title = "name",
    subject = "invented_by",
    duplicates = duplicates,
    hooks(
        validate = hooks::validate,
        before_create = hooks::before_create,
        before_update = hooks::before_update,
        before_delete = hooks::before_delete,
        after_create = hooks::after_create,
        after_update = hooks::after_update,
        after_delete = hooks::after_delete
    )
)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dish {
    /// The number on the card, given by the host.
    #[field(format = "KS-{YYYY}-{00000}", searchable = 8)]
    pub number: AutoNumber,
    /// What guests call it.
    #[field(min = 2, max = 120, searchable = 10, indexed, class = "public")]
    pub name: String,
    /// What the kitchen calls it; no two dishes share one.
    #[field(max = 20, unique)]
    pub code: Option<String>,
    /// Where it comes from and how it is eaten.
    #[field(searchable = 1, class = "public")]
    pub story: Option<RichText>,
    #[field(min = 1, max = 100, default = 4)]
    pub servings: i64,
    /// In kilograms; `min` and `max` are in stored units, here grams.
    #[field(min = 1, max = 50_000)]
    pub weight: Option<Decimal<3>>,
    #[field(min = 0, indexed)]
    pub price: Option<Money>,
    /// What remains of the price, in stored units between nothing and the whole.
    #[field(min = 0, max = 1_000_000, class = "sensitive")]
    pub margin: Option<Percent>,
    #[field(default = false)]
    pub vegan: bool,
    #[field(indexed)]
    pub invented_on: Option<Date>,
    pub first_served_at: Option<DateTime>,
    /// In milliseconds, as every duration.
    #[field(min = 0, label = "Time to cook")]
    pub cooking_time: Option<Duration>,
    #[field(default = "main", indexed)]
    pub course: Course,
    pub tastes: Options<Taste>,
    #[field(options("none" = "Not at all", "some" = "A little", "very" = "Very"), help = "How hot it is.")]
    pub heat: Option<String>,
    /// Cannot be deleted while dishes are on it.
    #[field(on_delete = "restrict", inverse = "dishes", indexed)]
    pub menu: Option<Reference<Menu>>,
    /// The dish that this one is a variant of.
    #[field(on_delete = "detach", inverse = "variants")]
    pub variant_of: Option<Reference<Dish>>,
    /// What it is served with.
    #[field(on_delete = "detach", inverse = "served_with")]
    pub goes_with: Vec<Reference<Dish>>,
    /// Who sells what goes into it.
    #[field(references = "crm.account", on_delete = "detach", inverse = "dishes")]
    pub supplier: Option<RecordId>,
    /// Who else could.
    #[field(references = "crm.account", on_delete = "detach")]
    pub other_suppliers: Vec<RecordId>,
    #[field(class = "personal")]
    pub invented_by: Option<UserId>,
    pub brigade: Option<TeamId>,
    pub cooks: Vec<UserId>,
    /// Where guests may write to.
    #[field(class = "personal", searchable = 4)]
    pub email: Option<Email>,
    #[field(class = "personal", searchable = 4)]
    pub phone: Option<Phone>,
    #[field(searchable = 2)]
    pub website: Option<Url>,
    /// Where it was first cooked.
    #[field(class = "personal", searchable = 2)]
    pub origin: Option<Address>,
    pub photo: Option<FileId>,
    /// What an allergic guest must know, as the kitchen's own form has it.
    #[field(class = "special")]
    pub allergy_sheet: Option<Json>,
    #[field(max = 500, class = "secret")]
    pub secret_ingredient: Option<String>,
    /// Points of all who praised it; written by the action.
    #[field(read_only, default = 0)]
    pub rating: i64,
}

/// When two dishes are taken for one. Who is warned may write all the same, and says why (`allow_duplicates`).
fn duplicates() -> Vec<Value> {
    vec![
        json!({
            "key": "same_address",
            "label": "Same e-mail address",
            "criteria": [{ "field": "email", "kind": "email" }],
            "on": { "create": "warn", "update": "allow_and_report", "import": "allow_and_report" }
        }),
        json!({
            "key": "similar_name",
            "label": "Similar name on the same menu",
            "criteria": [
                { "field": "name", "kind": "text", "method": "jaro_winkler", "threshold": 90, "weight": 3 },
                { "field": "menu", "kind": "text", "method": "exact", "null_matches": true }
            ],
            "threshold": 92
        }),
    ]
}
