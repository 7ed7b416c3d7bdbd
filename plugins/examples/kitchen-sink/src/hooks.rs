//! Every hook there is. What refuses says where, with a stable code and what to do.

use stoa_sdk::prelude::*;

use crate::around::Trace;
use crate::dishes::Dish;

type Drafts<'a> = &'a mut [Draft<Dish>];

/// Also on drafts that break other rules already, so that the caller hears of everything at once.
pub(crate) fn validate(ctx: &Context, drafts: Drafts<'_>) -> Result<()> {
    let today = ctx.today()?;
    for draft in drafts {
        if draft.invented_on.is_some_and(|day| day > today) {
            draft.refuse("/invented_on", "in_the_future", "choose today or an earlier day");
        }
        if draft.variant_of == Some(draft.id) {
            draft.refuse("/variant_of", "circular", "a dish is no variant of itself; choose another");
        }
    }
    Ok(())
}

/// May change fields: a dish without a code gets none made up, but one with a code gets it in capitals.
pub(crate) fn before_create(_: &Context, drafts: Drafts<'_>) -> Result<()> {
    drafts.iter_mut().for_each(capitalize);
    Ok(())
}

/// The same for changes, where the plugin sees both forms.
pub(crate) fn before_update(_: &Context, drafts: Drafts<'_>) -> Result<()> {
    drafts.iter_mut().filter(|draft| draft.changes(|dish| dish.code.clone())).for_each(capitalize);
    Ok(())
}

fn capitalize(draft: &mut Draft<Dish>) {
    if let Some(code) = &mut draft.code {
        *code = code.to_uppercase();
    }
}

/// May refuse: what is on the stove stays.
pub(crate) fn before_delete(_: &Context, drafts: Drafts<'_>) -> Result<()> {
    for draft in drafts.iter_mut().filter(|draft| draft.name.starts_with("Burning")) {
        draft.refuse("/name", "on_the_stove", "take it off the stove first: give it another name");
    }
    Ok(())
}

/// The rows are in the file, the transaction is open: further records can be written.
pub(crate) fn after_create(ctx: &Context, drafts: Drafts<'_>) -> Result<()> {
    note(ctx, "after_create", drafts)
}

/// As for new ones.
pub(crate) fn after_update(ctx: &Context, drafts: Drafts<'_>) -> Result<()> {
    note(ctx, "after_update", drafts)
}

/// As for new ones.
pub(crate) fn after_delete(ctx: &Context, drafts: Drafts<'_>) -> Result<()> {
    note(ctx, "after_delete", drafts)
}

/// One call for the whole batch, on the plugin's own authority: nobody else may write traces.
fn note(ctx: &Context, hook: &str, drafts: Drafts<'_>) -> Result<()> {
    let source = ctx.source();
    let trace = |draft: &Draft<Dish>| Trace {
        dish: draft.id.to_string(),
        hook: hook.into(),
        came_by: source.clone(),
    };
    let traces: Vec<Trace> = drafts.iter().map(trace).collect();
    ctx.records().as_plugin().create_all(&traces).map(|_| ())
}

#[cfg(test)]
mod tests {
    use stoa_sdk::backend::{Backend as _, RawDraft};
    use stoa_sdk::testing::Host;
    use stoa_sdk::{Plugin as _, cells};

    use super::*;
    use crate::data::plain;

    #[test]
    fn a_draft_without_what_it_needs_is_not_shown_but_does_not_stop_the_others() {
        let host = Host::new::<crate::Plugin>();
        let good = Dish { invented_on: "2027-01-01".parse().ok(), ..plain("Good") };
        let mut rows = [cells::Cells::new(), cells::Cells::new()];
        for row in &mut rows {
            (0..6).for_each(|_| row.push(cells::Cell::Null)); // the system's columns
        }
        let [mut empty, mut whole] = rows;
        (0..=Dish::FIELDS.len()).for_each(|_| empty.push(cells::Cell::Null)); // money has two
        good.write(&mut whole);
        let draft =
            |row: cells::Cells| RawDraft { id: host.random_id(), before: None, after: row.into_bytes() };
        let drafts = || vec![draft(empty.clone()), draft(whole.clone())];
        let verdicts = crate::Plugin::hook(&host.context(), "validate", "dish", drafts()).unwrap();
        assert!(verdicts[0].failures.is_empty(), "the host says what is missing");
        assert_eq!(verdicts[1].failures[0].code, "in_the_future");
        assert!(crate::Plugin::hook(&host.context(), "before_create", "dish", drafts()).is_err());
    }

    #[test]
    fn every_hook_has_its_say() {
        let host = Host::new::<crate::Plugin>();
        let dishes = host.context().records::<Dish>();
        let id = dishes.create(&Dish { code: Some("ks-1".into()), ..plain("Soup") }).unwrap();
        let mut soup = dishes.get(id).unwrap();
        assert_eq!(soup.code.as_deref(), Some("KS-1"));
        assert_eq!(soup.number.get(), Some("KS-2026-00001"));

        soup.variant_of = Some(id);
        soup.invented_on = "2027-01-01".parse().ok();
        let refusal = dishes.save(&mut soup).unwrap_err();
        let codes: Vec<&str> = refusal.failures.iter().map(|failure| failure.code.as_str()).collect();
        assert_eq!(codes, ["in_the_future", "circular"]);

        let mut soup = dishes.get(id).unwrap();
        soup.name = "Burning soup".into();
        dishes.save(&mut soup).unwrap();
        assert_eq!(dishes.delete(&[id]).unwrap_err().failures[0].code, "on_the_stove");
        soup.name = "Cold soup".into();
        dishes.save(&mut soup).unwrap();
        dishes.delete(&[id]).unwrap();
        let seen: Vec<String> =
            host.stored::<Trace>().unwrap().into_iter().map(|trace| trace.fields.hook).collect();
        assert_eq!(seen, ["after_create", "after_update", "after_update", "after_delete"]);
    }
}
