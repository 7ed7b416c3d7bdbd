//! What the hostile plugin tries. Statements that its package could not list are made while it runs; the others are refused
//! by what they do.

use std::hint::black_box;

use stoa_sdk::prelude::*;

use crate::Thing;

/// The attack succeeded.
#[entity(value)]
pub struct Done {
    done: bool,
    /// What came to light.
    seen: Option<String>,
}

pub(crate) fn done(seen: impl Into<Option<String>>) -> Result<Done> {
    Ok(Done { done: true, seen: seen.into() })
}

/// A statement without the macro, so that its package does not list it. No host loads a package that does.
fn smuggled(text: &str) -> Sql {
    Sql::from_source(text.to_owned().leak())
}

/// Reads texts with a statement that must be refused.
fn peek(ctx: &Context, sql: Sql) -> Result<Done> {
    let seen: Vec<(Option<String>,)> = ctx.sql().read(sql, &[])?;
    done(format!("{seen:?}"))
}

/// Runs a statement that must be refused.
fn poke(ctx: &Context, sql: Sql) -> Result<Done> {
    done(format!("{} rows", ctx.sql().run(sql, &[])?))
}

pub(crate) fn ping(_: &Context, (): ()) -> Result<Done> {
    done(None)
}

pub(crate) fn spin() {
    let mut n: u64 = 0;
    while black_box(n) != u64::MAX {
        n = n.wrapping_add(2);
    }
}

pub(crate) fn run_forever(_: &Context, (): ()) -> Result<Done> {
    spin();
    done(None)
}

pub(crate) fn balloon(_: &Context, (): ()) -> Result<Done> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        all.push(vec![7; 1 << 20]);
        black_box(&all);
    }
}

pub(crate) fn panic(_: &Context, (): ()) -> Result<Done> {
    panic!("the action panics on purpose")
}

pub(crate) fn deep(_: &Context, (): ()) -> Result<Done> {
    fn down(n: u64) -> u64 {
        let room = black_box([n; 64]);
        if n == u64::MAX { 0 } else { down(n + 1) + room[3] }
    }
    done(format!("{}", down(0)))
}

pub(crate) fn huge(ctx: &Context, (): ()) -> Result<Done> {
    let much = "x".repeat(16 << 20);
    for _ in 0..1000 {
        ctx.log("info", &much);
    }
    done(None)
}

/// A panic whose words tell what a caller must not read.
pub(crate) fn spill(_: &Context, (): ()) -> Result<Done> {
    panic!("the password is correct horse battery staple")
}

/// Writes, and never comes to an end.
pub(crate) fn half_then_loop(ctx: &Context, (): ()) -> Result<Done> {
    ctx.records().create(&Thing { name: "half".into(), size: None, seal: None })?;
    run_forever(ctx, ())
}

/// Writes, and falls.
pub(crate) fn half_then_panic(ctx: &Context, (): ()) -> Result<Done> {
    ctx.records().create(&Thing { name: "half".into(), size: None, seal: None })?;
    panic!("in the middle of it")
}

/// A write whose hook falls, and then another as if nothing were.
pub(crate) fn stumble(ctx: &Context, (): ()) -> Result<Done> {
    let thing = |name: &str| Thing { name: name.into(), size: None, seal: None };
    let fell = ctx.records().create(&thing("panic")).err();
    ctx.records().create(&thing("survivor"))?;
    done(fell.map(|refusal| format!("{}: {}", refusal.kind, refusal.detail)))
}

pub(crate) fn chatter(ctx: &Context, (): ()) -> Result<Done> {
    let line = "x".repeat(1 << 16);
    for _ in 0..1000 {
        ctx.log("info", &line);
        ctx.log("info", "a line\nand a forged one \u{1b}[31m");
    }
    done(None)
}

pub(crate) fn calls(ctx: &Context, (): ()) -> Result<Done> {
    for _ in 0..100_000 {
        black_box(ctx.now());
    }
    done(None)
}

pub(crate) fn host_table(ctx: &Context, (): ()) -> Result<Done> {
    peek(ctx, smuggled("select entity from _stoa_changes"))
}

pub(crate) fn host_table_write(ctx: &Context, (): ()) -> Result<Done> {
    poke(ctx, smuggled("delete from _STOA_changes"))
}

pub(crate) fn schema(ctx: &Context, (): ()) -> Result<Done> {
    peek(ctx, smuggled("select sql from sqlite_master"))
}

pub(crate) fn pragma(ctx: &Context, (): ()) -> Result<Done> {
    peek(ctx, smuggled("pragma database_list"))
}

pub(crate) fn attach(ctx: &Context, (): ()) -> Result<Done> {
    poke(ctx, smuggled("attach database 'crm.sqlite' as other"))
}

pub(crate) fn vacuum_into(ctx: &Context, (): ()) -> Result<Done> {
    poke(ctx, smuggled("vacuum into 'stolen.sqlite'"))
}

pub(crate) fn transaction(ctx: &Context, (): ()) -> Result<Done> {
    poke(ctx, smuggled("commit"))
}

pub(crate) fn ddl(ctx: &Context, (): ()) -> Result<Done> {
    poke(ctx, smuggled("create table loot (x)"))
}

pub(crate) fn other_file(ctx: &Context, (): ()) -> Result<Done> {
    peek(ctx, smuggled("select name from account"))
}

/// An entity that another plugin declares.
#[entity(key = "account", plural = "accounts")]
pub struct Account {
    name: String,
}

pub(crate) fn other_entity(ctx: &Context, (): ()) -> Result<Done> {
    done(format!("{} accounts", ctx.records::<Account>().find(&Find::all())?.len()))
}

pub(crate) fn entity_write(ctx: &Context, (): ()) -> Result<Done> {
    poke(ctx, smuggled("update thing set seal = 'broken'"))
}

pub(crate) fn as_plugin(ctx: &Context, (): ()) -> Result<Done> {
    let thing = Thing { name: "forged".into(), size: None, seal: Some("broken".into()) };
    ctx.records().as_plugin().create(&thing)?;
    done(None)
}

pub(crate) fn write_in_read(ctx: &Context, (): ()) -> Result<Done> {
    ctx.records().create(&Thing { name: "written".into(), size: None, seal: None })?;
    done(None)
}

pub(crate) fn slow_sql(ctx: &Context, (): ()) -> Result<Done> {
    peek(
        ctx,
        sql!("with recursive n(x) as (select 1 union all select x + 1 from n) select max(x) || '' from n"),
    )
}

/// A row of the reports here.
#[entity(row)]
pub struct Named {
    name: String,
}

pub(crate) fn table(ctx: &Context, (): ()) -> Result<Report<Named>> {
    ctx.sql().read(sql!("select name from thing"), &[]).map(Report::new)
}

pub(crate) fn shadow(ctx: &Context, (): ()) -> Result<Report<Named>> {
    ctx.sql()
        .read(sql!("select name from (with visible_thing as (select * from thing) select name from visible_thing)"), &[])
        .map(Report::new)
}

pub(crate) fn honest(ctx: &Context, (): ()) -> Result<Report<Named>> {
    ctx.sql().read(sql!("select name from visible_thing order by name"), &[]).map(Report::new)
}
