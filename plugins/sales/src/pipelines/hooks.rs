//! Rules of pipelines and stages: one default pipeline, closed stages with their fixed probability, and no change of
//! meaning under opportunities that stand in a stage.

use std::collections::BTreeMap;

use stoa_sdk::prelude::*;

use super::{Kind, Pipeline, Stage};
use crate::opportunities::Opportunity;

/// Keeps one default pipeline: the last that was made one.
pub(crate) fn one_default(ctx: &Context, drafts: &mut [Draft<Pipeline>]) -> Result<()> {
    let made: Vec<_> =
        drafts.iter().filter(|d| d.is_default && d.changes(|p| p.is_default)).map(|d| d.id).collect();
    let Some(last) = made.last() else { return Ok(()) };
    let pipelines = ctx.records::<Pipeline>().as_plugin();
    let mut others = pipelines.find(&Find::all().eq("is_default", &true))?;
    others.retain(|pipeline| pipeline.id != *last);
    others.iter_mut().for_each(|pipeline| pipeline.is_default = false);
    pipelines.save_all(&mut others)
}

/// As [`one_default`]; and the stages' full names follow the pipeline's name.
pub(crate) fn follow_pipeline(ctx: &Context, drafts: &mut [Draft<Pipeline>]) -> Result<()> {
    one_default(ctx, drafts)?;
    let stages = ctx.records::<Stage>().as_plugin();
    for draft in drafts.iter().filter(|draft| draft.changes(|pipeline| pipeline.name.clone())) {
        let mut of_pipeline = stages.find(&Find::all().eq("pipeline", &draft.id))?;
        for stage in &mut of_pipeline {
            stage.full_name = Some(full_name(&draft.name, &stage.name));
        }
        stages.save_all(&mut of_pipeline)?;
    }
    Ok(())
}

fn full_name(pipeline: &str, stage: &str) -> String {
    format!("{pipeline} / {stage}")
}

/// Checks stages and completes them.
pub(crate) fn check_stages(ctx: &Context, drafts: &mut [Draft<Stage>]) -> Result<()> {
    let pipelines = ctx.records::<Pipeline>().as_plugin();
    let opportunities = ctx.records::<Opportunity>().as_plugin();
    let mut names: BTreeMap<Reference<Pipeline>, Option<String>> = BTreeMap::new();
    for draft in drafts {
        let pipeline = draft.pipeline;
        if let std::collections::btree_map::Entry::Vacant(place) = names.entry(pipeline) {
            place.insert(pipelines.look(pipeline)?.map(|pipeline| pipeline.fields.name));
        }
        if let Some(Some(name)) = names.get(&pipeline) {
            let name = full_name(name, &draft.name);
            draft.full_name = Some(name);
        }
        match fixed_probability(draft.kind) {
            Some(fixed) if draft.probability.is_some_and(|given| given != fixed) => draft.refuse(
                "/probability",
                "probability_of_closed_stage",
                format!("a stage of this kind has {fixed} %; leave the probability out"),
            ),
            Some(fixed) => draft.probability = Some(fixed),
            None if draft.probability.is_none() => draft.probability = Some(Percent::ZERO),
            None => {}
        }
        if draft.before().is_some() && draft.changes(|stage| (stage.kind, stage.pipeline)) {
            let used = opportunities.find(&Find::all().eq("stage", &draft.id).limit(1))?;
            if !used.is_empty() {
                let detail = "opportunities stand in this stage; move them first, or make a new stage";
                let at = if draft.changes(|stage| stage.kind) { "/kind" } else { "/pipeline" };
                draft.refuse(at, "stage_in_use", detail);
            }
        }
    }
    Ok(())
}

/// The probability that the kind implies.
pub(crate) const fn fixed_probability(kind: Kind) -> Option<Percent> {
    match kind {
        Kind::Open => None,
        Kind::Won => Some(Percent::WHOLE),
        Kind::Lost => Some(Percent::ZERO),
    }
}

#[cfg(test)]
mod tests {
    use stoa_sdk::testing::Host;

    use super::*;

    fn pipeline(name: &str, is_default: bool) -> Pipeline {
        Pipeline { name: name.into(), is_default, archived: false }
    }

    fn stage(pipeline: Reference<Pipeline>, kind: Kind, probability: Option<i32>) -> Stage {
        Stage {
            pipeline,
            name: "Signed".into(),
            full_name: None,
            position: 1,
            kind,
            probability: probability.map(Percent::whole),
            category: None,
            rotten_after_days: None,
        }
    }

    #[test]
    fn the_last_pipeline_made_the_default_is_the_only_one() {
        let host = Host::new::<crate::Plugin>();
        let pipelines = host.context().records();
        pipelines.create(&pipeline("First", true)).unwrap();
        pipelines.create(&pipeline("Second", true)).unwrap();
        let defaults: Vec<bool> =
            host.stored::<Pipeline>().unwrap().iter().map(|stored| stored.is_default).collect();
        assert_eq!(defaults, [false, true]);
    }

    #[test]
    fn a_closed_stage_has_the_probability_of_its_kind() {
        let host = Host::new::<crate::Plugin>();
        let home = host.context().records().create(&pipeline("First", true)).unwrap();
        let stages = host.context().records();
        let won = stages.create(&stage(home, Kind::Won, None)).unwrap();
        assert_eq!(stages.get(won).unwrap().probability, Some(Percent::WHOLE));
        let refusal = stages.create(&stage(home, Kind::Lost, Some(5))).unwrap_err();
        assert_eq!(refusal.failures[0].code, "probability_of_closed_stage");
        assert!(stages.create(&stage(home, Kind::Open, Some(100))).is_ok());
    }

    #[test]
    fn stages_are_named_after_their_pipeline_even_when_it_is_renamed() {
        let host = Host::new::<crate::Plugin>();
        let pipelines = host.context().records::<Pipeline>();
        let home = pipelines.create(&pipeline("First", true)).unwrap();
        let id = host.context().records().create(&stage(home, Kind::Open, None)).unwrap();
        let mut renamed = pipelines.get(home).unwrap();
        renamed.name = "Renewals".into();
        pipelines.save(&mut renamed).unwrap();
        let stage = host.context().records::<Stage>().get(id).unwrap();
        assert_eq!(stage.full_name.as_deref(), Some("Renewals / Signed"));
    }
}
