//! All pipelines and stages of the organization, read once per batch: what the rules of opportunities look things up in.

use std::collections::BTreeMap;

use stoa_sdk::prelude::*;

use super::{Kind, Pipeline, Stage};

/// What the rules know of a stage.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Station {
    pub(crate) id: Reference<Stage>,
    pub(crate) pipeline: Reference<Pipeline>,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) probability: Percent,
}

/// The organization's pipelines.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    default: Option<Reference<Pipeline>>,
    /// By pipeline, then by position.
    stations: Vec<Station>,
    by_id: BTreeMap<Reference<Stage>, usize>,
}

impl Plan {
    /// Reads everything in two calls, with the plugin's authority: rules hold for people who may not list stages, too.
    pub(crate) fn read(ctx: &Context) -> Result<Self> {
        let default = Find::all().eq("is_default", &true).limit(1);
        let default = ctx.records::<Pipeline>().as_plugin().find(&default)?;
        let stages = ctx.records::<Stage>().as_plugin().find(&Find::all().sort("position"))?;
        let station = |stage: Record<Stage>| Station {
            id: stage.id,
            pipeline: stage.pipeline,
            kind: stage.kind,
            probability: stage.probability.unwrap_or(Percent::ZERO),
            name: stage.fields.name,
        };
        Ok(Self::new(default.first().map(|pipeline| pipeline.id), stages.into_iter().map(station).collect()))
    }

    /// A plan of these stages, in order of position.
    pub(crate) fn new(default: Option<Reference<Pipeline>>, stations: Vec<Station>) -> Self {
        let by_id = stations.iter().enumerate().map(|(at, station)| (station.id, at)).collect();
        Self { default, stations, by_id }
    }

    pub(crate) const fn default_pipeline(&self) -> Option<Reference<Pipeline>> {
        self.default
    }

    pub(crate) fn station(&self, stage: Reference<Stage>) -> Option<&Station> {
        self.by_id.get(&stage).and_then(|at| self.stations.get(*at))
    }

    /// The first stage of this kind, in order of position.
    pub(crate) fn first(&self, pipeline: Reference<Pipeline>, kind: Kind) -> Option<&Station> {
        self.stations.iter().find(|station| station.pipeline == pipeline && station.kind == kind)
    }

    /// The stages of a pipeline that are open.
    pub(crate) fn open(&self, pipeline: Reference<Pipeline>) -> impl Iterator<Item = &Station> {
        self.stations.iter().filter(move |station| station.pipeline == pipeline && station.kind == Kind::Open)
    }
}
