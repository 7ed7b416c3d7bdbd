//! Pipelines and their stages: the organization's own data. Names, order and probabilities are theirs; the three kinds
//! are ours, and everything that they imply stands in `opportunities/rules.rs`.

pub(crate) mod board;
pub(crate) mod hooks;
pub(crate) mod plan;

use stoa_sdk::prelude::*;

/// A way from first talk to signature.
#[entity(
    key = "pipeline",
    plural = "pipelines",
    title = "name",
    hooks(after_create = hooks::one_default, after_update = hooks::follow_pipeline)
)]
pub(crate) struct Pipeline {
    #[field(max = 100, searchable = 10, indexed)]
    pub name: String,
    /// Whether opportunities go here when nothing is said. Making one the default unmakes the other.
    #[field(default = false)]
    pub is_default: bool,
    /// Whether new opportunities may no longer go here.
    #[field(default = false)]
    pub archived: bool,
}

/// What a stage means. An opportunity is closed exactly when its stage is not `open`.
#[entity]
pub(crate) enum Kind {
    Open,
    Won,
    Lost,
}

/// How a forecast counts what stands in a stage.
#[entity]
pub(crate) enum Category {
    Omitted,
    Pipeline,
    BestCase,
    Commit,
    Closed,
}

/// A station of a pipeline.
#[entity(
    key = "stage",
    plural = "stages",
    title = "name",
    hooks(before_create = hooks::check_stages, before_update = hooks::check_stages)
)]
pub(crate) struct Stage {
    #[field(indexed, inverse = "stages")]
    pub pipeline: Reference<Pipeline>,
    #[field(max = 100, indexed)]
    pub name: String,
    /// Pipeline and stage together, `Default / Won`, to find the stage by when several pipelines have one of its
    /// name. Written by the plugin.
    #[field(max = 210, read_only, searchable = 10, indexed)]
    pub full_name: Option<String>,
    /// Order within the pipeline.
    #[field(min = 0, default = 0)]
    pub position: i64,
    #[field(default = "open")]
    pub kind: Kind,
    /// How likely an opportunity here is won. Won is always 100, lost 0; an open stage may carry any.
    #[field(min = 0, max = 1_000_000)]
    pub probability: Option<Percent>,
    /// How a forecast counts what stands here.
    pub category: Option<Category>,
    /// After so many days here an opportunity counts as stale.
    #[field(min = 1)]
    pub rotten_after_days: Option<i64>,
}

/// A pipeline with one open stage, for tests of what stands on it.
#[cfg(test)]
pub(crate) fn talk(ctx: &Context, rotten_after_days: i64) -> (Reference<Pipeline>, Reference<Stage>) {
    let home = Pipeline { name: "Home".into(), is_default: true, archived: false };
    let pipeline = ctx.records().create(&home).unwrap();
    let stage = Stage {
        pipeline,
        name: "Talk".into(),
        full_name: None,
        position: 1,
        kind: Kind::Open,
        probability: None,
        category: None,
        rotten_after_days: Some(rotten_after_days),
    };
    (pipeline, ctx.records().create(&stage).unwrap())
}
