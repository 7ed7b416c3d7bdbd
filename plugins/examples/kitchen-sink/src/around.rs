//! What stands around a dish: one entity for each rule of deletion, and one that only the plugin writes.

use stoa_sdk::prelude::*;

use crate::dishes::Dish;

/// A list of dishes. It cannot be deleted while a dish is on it.
#[entity(key = "menu", plural = "menus", title = "name")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Menu {
    #[field(max = 100, unique, searchable = 10)]
    pub name: String,
    /// The first day on which it is offered.
    #[field(required)]
    pub from: Option<Date>,
    pub until: Option<Date>,
}

/// A step of cooking. It goes to the recycle bin with its dish.
#[entity(key = "preparation", plural = "preparations", title = "text")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Preparation {
    #[field(on_delete = "cascade", inverse = "preparations", indexed)]
    pub dish: Reference<Dish>,
    #[field(min = 1, default = 1)]
    pub position: i64,
    #[field(max = 500, searchable = 3)]
    pub text: String,
    pub takes: Option<Duration>,
}

/// What somebody said who tasted it. It stays when the dish goes, without the dish.
#[entity(key = "tasting", plural = "tastings", title = "remark")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tasting {
    #[field(on_delete = "detach", inverse = "tastings", indexed)]
    pub dish: Option<Reference<Dish>>,
    #[field(min = 0, max = 10)]
    pub points: i64,
    #[field(max = 500, searchable = 2)]
    pub remark: String,
    pub tasted_at: Option<DateTime>,
}

/// What the hooks saw: written after every change of a dish, by the plugin alone, and read over REST by nobody but the
/// owner.
#[entity(key = "trace", plural = "traces", operations())]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trace {
    /// The dish as text: it may be gone for good.
    #[field(max = 36, indexed)]
    pub dish: String,
    #[field(max = 40)]
    pub hook: String,
    /// How the change came in: `api`, `import`, ...
    #[field(max = 40)]
    pub came_by: String,
}
