//! Sales: opportunities move through the stages of a pipeline and are won or lost, and every move is remembered.
//!
//! Reading order: `products.rs`, `pipelines/` (stages as the organization's own data), `opportunities/` (`rules.rs` is
//! the state machine, `hooks.rs` brings every write to it, `actions.rs` are the named moves), `reports/`, `totals.rs`
//! (sums that cannot overflow). `grants.rs` and `seed.rs` say what roles may do and what a new organization starts
//! with. This file is the list.

mod demo;
mod grants;
mod opportunities;
mod pipelines;
mod products;
mod reports;
mod seed;
mod totals;

use stoa_sdk::manifest::Reading;

use crate::opportunities::{Opportunity, StageHistory, actions};
use crate::pipelines::{Pipeline, Stage, board};
use crate::products::Product;

stoa_sdk::plugin! {
    id: "sales",
    name: "Sales",
    module: "sales",
    requires: ["crm"],
    permissions: ["records.as-plugin"],
    entities: [Product, Pipeline, Stage, Opportunity, StageHistory],
    actions: [
        {
            key: "opportunity.move", run: actions::move_to, on: record, mode: write,
            label: "Move to another stage",
            help: "Moves an open opportunity to another stage of its pipeline. A closed one moves through `reopen` only.",
        },
        {
            key: "opportunity.close-won", run: actions::close_won, on: record, mode: write,
            label: "Close as won",
            help: "Moves the opportunity to its pipeline's won stage. The amount must be above zero.",
        },
        {
            key: "opportunity.close-lost", run: actions::close_lost, on: record, mode: write,
            label: "Close as lost",
            help: "Moves the opportunity to its pipeline's lost stage and notes the reason.",
        },
        {
            key: "opportunity.reopen", run: actions::reopen, on: record, mode: write,
            label: "Reopen",
            help: "Moves a closed opportunity back to an open stage. Its history stays.",
        },
        {
            key: "pipeline.board", run: board::board, on: record, mode: read,
            label: "Board",
            help: "The pipeline's stages with counts, sums per currency and the first cards of each.",
        },
    ],
    reports: [
        {
            key: "pipeline_by_stage", run: reports::pipeline::by_stage, reads: Opportunity,
            label: "Pipeline by stage",
            help: "Per stage and currency: count, sum of amounts, sum of amount times probability (open stages, rounded once), median days in the stage, and how many stand longer than the stage allows. `from` and `to` bound the expected close date. A sum that does not fit 64 bits of minor units is left empty and counted in the notes.",
        },
        {
            key: "win_rate", run: reports::win_rate::win_rate, reads: Opportunity,
            label: "Win rate",
            help: "won / (won + lost) of the opportunities closed in the period, by count (the row without currency) and by value per currency, in percent rounded half away from zero to two places. Losses for the reasons `duplicate` and `test` are no losses: they are left out and counted in the notes, and so is a sum that does not fit 64 bits of minor units.",
        },
        {
            key: "sales_cycle", run: reports::cycle::sales_cycle, reads: Opportunity,
            label: "Sales cycle",
            help: "Days from opened_on to closed_on of the opportunities closed in the period: median, 75th and 90th percentile (interpolated), mean. Won and lost separately. Opportunities without opened_on are left out and counted in the notes.",
        },
        {
            key: "sales_by_owner_and_product", run: reports::sales::by_owner_and_product, reads: Opportunity,
            label: "Sales by owner and product",
            help: "Opportunities won in the period: count and revenue per owner, product and currency. A sum that does not fit 64 bits of minor units is left empty and counted in the notes.",
        },
        {
            key: "sales_by_industry", run: reports::industry::by_industry, reads: Opportunity,
            label: "Sales by industry",
            help: "Per industry of the account and currency: how many opportunities are open and what they amount to, how many were won and their revenue. `from` and `to` bound the expected close date of open ones and the close date of closed ones. Opportunities without an account that the reader may see are left out and counted in the notes, and so is a sum that does not fit 64 bits of minor units.",
        },
    ],
    reads: [Reading::of("crm", "accounts", &["industry"])],
    grants: grants::grants(),
    seed: seed::seed(),
    demo: demo::records(),
}

#[cfg(test)]
mod tests {
    use stoa_sdk::testing::matches_file;

    #[test]
    fn the_checked_in_manifest_and_policy_are_what_the_code_says() {
        let manifest = super::describe();
        let folder = env!("CARGO_MANIFEST_DIR");
        matches_file(&format!("{folder}/manifest.json"), &manifest.to_pretty_json()).unwrap();
        matches_file(&format!("{folder}/../../policies/plugins/sales.csv"), &manifest.to_policy_csv())
            .unwrap();
    }
}
