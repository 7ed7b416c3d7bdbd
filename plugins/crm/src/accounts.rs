//! Accounts: companies, and which of them belongs to which.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stoa_sdk::prelude::*;

use crate::hierarchy::{Above, LEVELS, above};

/// What the company is to us.
#[entity]
pub(crate) enum AccountKind {
    Prospect,
    Customer,
    Partner,
    Competitor,
    Former,
}

/// A company.
#[entity(
    key = "account",
    plural = "accounts",
    title = "name",
    duplicates = duplicates,
    hooks(before_create = check_parents, before_update = check_parents)
)]
pub(crate) struct Account {
    /// The name that people use.
    #[field(max = 200, searchable = 10, indexed)]
    pub name: String,
    /// The name in the register of companies.
    #[field(max = 200, searchable = 6)]
    pub legal_name: Option<String>,
    /// What the company is to us.
    pub kind: Option<AccountKind>,
    /// The company that this one belongs to. Ten levels at most.
    #[field(indexed, inverse = "subsidiaries")]
    pub parent: Option<Reference<Account>>,
    #[field(searchable = 3)]
    pub website: Option<Url>,
    #[field(indexed, options(
        "agriculture" = "Agriculture",
        "construction" = "Construction",
        "education" = "Education",
        "employment" = "Employment",
        "energy" = "Energy",
        "entertainment" = "Entertainment",
        "finance" = "Finance",
        "government" = "Government",
        "hospitality" = "Hospitality",
        "legal" = "Legal",
        "logistics" = "Logistics",
        "manufacturing" = "Manufacturing",
        "marketing" = "Marketing",
        "media" = "Media",
        "medical" = "Medical",
        "non_profit" = "Non-profit",
        "real_estate" = "Real estate",
        "retail" = "Retail",
        "services" = "Services",
        "software" = "Software",
        "technology" = "Technology",
        "telecommunications" = "Telecommunications",
        "other" = "Other"
    ))]
    pub industry: Option<String>,
    #[field(min = 1000, max = 2200)]
    pub year_founded: Option<i64>,
    /// How many people work there.
    #[field(min = 0)]
    pub employees: Option<i64>,
    /// Revenue of a year.
    pub revenue: Option<Money>,
    /// Where the head office is.
    #[field(max = 100, indexed)]
    pub country: Option<String>,
    #[field(searchable = 4)]
    pub phone: Option<Phone>,
    #[field(searchable = 1)]
    pub description: Option<RichText>,
}

/// When two companies are taken for one. Nothing is refused: names of companies repeat.
fn duplicates() -> Vec<Value> {
    vec![
        json!({
            "key": "same_name",
            "label": "Same name, the legal form aside",
            "criteria": [{ "field": "name", "kind": "company" }]
        }),
        json!({
            "key": "same_domain",
            "label": "Same domain on the web",
            "criteria": [{ "field": "website", "kind": "domain" }]
        }),
        json!({
            "key": "similar_name",
            "label": "Similar name in the same country",
            "criteria": [
                { "field": "name", "kind": "company", "method": "jaro_winkler", "threshold": 90, "weight": 3 },
                { "field": "country", "kind": "text", "weight": 1, "null_matches": true }
            ],
            "threshold": 92
        }),
    ]
}

/// Refuses circles and trees that are too high, whoever writes: a request, an import, another plugin's action.
fn check_parents(ctx: &Context, drafts: &mut [Draft<Account>]) -> Result<()> {
    // What the batch is about to write counts, not what stands in the file: two records could close a circle together.
    let mut parents: BTreeMap<RecordId, Option<RecordId>> =
        drafts.iter().map(|draft| (draft.id.id(), draft.parent.map(Reference::id))).collect();
    let accounts = ctx.records::<Account>().as_plugin();

    for draft in drafts.iter_mut().filter(|draft| draft.changes(|account| account.parent)) {
        let Some(parent) = draft.parent else { continue };
        let found = above(draft.id.id(), parent.id(), |id| {
            if let Some(known) = parents.get(&id) {
                return Ok(*known);
            }
            let next = accounts.look(id.into())?.and_then(|account| account.parent).map(Reference::id);
            parents.insert(id, next);
            Ok(next)
        })?;
        let below = if draft.before().is_some() { levels_below(&accounts, draft.id)? } else { 0 };
        match found {
            Above::Itself => draft.refuse(
                "/parent",
                "circular",
                "an account cannot belong to itself; choose another parent",
            ),
            Above::Levels(above) if above + 1 + below <= LEVELS => {}
            Above::Levels(_) | Above::TooMany => {
                draft.refuse("/parent", "too_deep", format!("accounts can stand in {LEVELS} levels at most"));
            }
        }
    }
    Ok(())
}

/// Levels of accounts that belong to this one, counted no further than a tree may go.
fn levels_below(accounts: &stoa_sdk::Records<'_, Account>, top: Reference<Account>) -> Result<usize> {
    let mut level = vec![top];
    for depth in 0..LEVELS {
        let below = accounts.find(&Find::all().one_of("parent", &level))?;
        if below.is_empty() {
            return Ok(depth);
        }
        level = below.into_iter().map(|account| account.id).collect();
    }
    Ok(LEVELS)
}

#[cfg(test)]
mod tests {
    use stoa_sdk::testing::Host;

    use super::*;

    fn account(name: &str, parent: Option<Reference<Account>>) -> Account {
        Account {
            name: name.into(),
            legal_name: None,
            kind: None,
            parent,
            website: None,
            industry: None,
            year_founded: None,
            employees: None,
            revenue: None,
            country: None,
            phone: None,
            description: None,
        }
    }

    /// A chain of so many accounts, the top first.
    fn chain(host: &Host, length: usize) -> Vec<Reference<Account>> {
        let mut made: Vec<Reference<Account>> = Vec::new();
        for n in 0..length {
            let next = account(&format!("level {n}"), made.last().copied());
            made.push(host.context().records().create(&next).unwrap());
        }
        made
    }

    #[test]
    fn an_account_cannot_come_to_stand_below_itself() {
        let host = Host::new::<crate::Plugin>();
        let made = chain(&host, 3);
        let accounts = host.context().records::<Account>();
        let mut top = accounts.get(made[0]).unwrap();
        top.parent = Some(made[2]);
        let refusal = accounts.save(&mut top).unwrap_err();
        assert_eq!(
            (refusal.failures[0].pointer.as_str(), refusal.failures[0].code.as_str()),
            ("/parent", "circular")
        );
    }

    #[test]
    fn two_changes_of_one_batch_cannot_close_a_circle() {
        let host = Host::new::<crate::Plugin>();
        let accounts = host.context().records::<Account>();
        let ids = accounts.create_all(&[account("a", None), account("b", None)]).unwrap();
        let mut both = accounts.find(&Find::all()).unwrap();
        both[0].parent = Some(ids[1]);
        both[1].parent = Some(ids[0]);
        assert_eq!(accounts.save_all(&mut both).unwrap_err().failures.len(), 2);
    }

    #[test]
    fn ten_levels_are_enough_from_above_and_from_below() {
        let host = Host::new::<crate::Plugin>();
        let made = chain(&host, 10);
        let accounts = host.context().records::<Account>();
        let refusal = accounts.create(&account("level 10", Some(made[9]))).unwrap_err();
        assert_eq!(refusal.failures[0].code, "too_deep");

        let above = accounts.create(&account("above", None)).unwrap();
        let mut top = accounts.get(made[0]).unwrap();
        top.parent = Some(above);
        assert_eq!(accounts.save(&mut top).unwrap_err().failures[0].code, "too_deep");
    }
}
