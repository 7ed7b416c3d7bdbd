//! Figures over opportunities, each with its definition in the manifest. All read `visible_opportunity`, so a figure
//! never counts what its reader may not see (`industry.rs` also the accounts that `crm` publishes); amounts are summed as integers, per currency.

pub(crate) mod cycle;
pub(crate) mod industry;
pub(crate) mod pipeline;
pub(crate) mod quantile;
pub(crate) mod sales;
pub(crate) mod win_rate;

use stoa_sdk::prelude::*;

use crate::pipelines::Pipeline;

/// Which opportunities a figure is about.
#[entity(value)]
pub(crate) struct Selection {
    /// The period's first day.
    from: Option<Date>,
    /// The period's last day.
    to: Option<Date>,
    pipeline: Option<Reference<Pipeline>>,
    owner: Option<UserId>,
}

impl Selection {
    /// The parameters in the order in which every statement here binds them: `?1` to `?4`.
    fn params(&self) -> [&dyn stoa_sdk::sql::Param; 4] {
        [&self.from, &self.to, &self.pipeline, &self.owner]
    }

    /// A period must not end before it begins.
    fn check(&self) -> Result<()> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if to < from => {
                Err(Refusal::invalid("/to", "before_from", "the period ends before it begins"))
            }
            _ => Ok(()),
        }
    }
}
