//! What the hostile plugin holds on to, what it looks for that others left behind, and what no host offers yet.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use stoa_sdk::prelude::*;

use crate::Thing;
use crate::attacks::{Done, done};

const ONE: Sql = sql!("select 1");
/// Never ends.
const ENDLESS: Sql = sql!(
    "with recursive n(x) as (select 1 union all select x + 1 from n) select min(x) || '' from n where x < 0"
);
/// 20 MB.
const FAT: Sql = sql!(
    "with recursive n(x) as (select 1 union all select x + 1 from n where x < 20000) select hex(zeroblob(500)) from n"
);

/// Opens cursors and forgets them, until it is refused.
pub(crate) fn hoard(ctx: &Context, (): ()) -> Result<Done> {
    for number in 0..1_000_000 {
        match ctx.sql().cursor(ONE, &[]) {
            Ok(cursor) => std::mem::forget(cursor),
            Err(refusal) => return done(format!("{number} {}", refusal.code)),
        }
    }
    done(None)
}

/// The same, and does not listen.
pub(crate) fn leak(ctx: &Context, (): ()) -> Result<Done> {
    for _ in 0..1_000_000 {
        std::mem::forget(ctx.sql().cursor(ONE, &[]));
    }
    done(None)
}

/// A result that is larger than what a call may keep.
pub(crate) fn fat(ctx: &Context, (): ()) -> Result<Done> {
    done(ctx.sql().cursor(FAT, &[]).err().map(|refusal| refusal.code))
}

/// Waits in calls of the host, all the time that there is.
pub(crate) fn dawdle(ctx: &Context, (): ()) -> Result<Done> {
    loop {
        black_box(ctx.sql().cursor(ENDLESS, &[]).is_err());
    }
}

/// Opens a cursor, writes, and reads it.
pub(crate) fn write_meanwhile(ctx: &Context, (): ()) -> Result<Done> {
    let names = || ctx.sql().cursor(sql!("select name from thing"), &[]);
    let before = names()?;
    ctx.records().create(&thing("meanwhile"))?;
    let (before, after) = (before.rows::<(String,)>().count(), names()?.rows::<(String,)>().count());
    done(format!("{before} and {after}"))
}

fn thing(name: &str) -> Thing {
    Thing { name: name.into(), size: None, seal: None }
}

/// Writes, takes its time, and writes again.
pub(crate) fn halves(ctx: &Context, (): ()) -> Result<Done> {
    ctx.records().create(&thing("first half"))?;
    ctx.log("info", "between the halves");
    for _ in 0..4 {
        let late: Result<Vec<(Option<String>,)>> = ctx.sql().read(ENDLESS, &[]);
        black_box(late.is_err());
    }
    ctx.records().create(&thing("second half"))?;
    done(None)
}

/// A panic of a megabyte that would like to be two lines of the log.
pub(crate) fn rant(_: &Context, (): ()) -> Result<Done> {
    panic!("\u{1b}[31m\nand a forged one {}", "x".repeat(1 << 20))
}

static CALLS: AtomicU32 = AtomicU32::new(0);

/// How many calls this memory has seen before.
pub(crate) fn remember(_: &Context, (): ()) -> Result<Done> {
    done(CALLS.fetch_add(1, Ordering::Relaxed).to_string())
}

/// A byte of a pattern that stands nowhere unless it was written.
const fn mark(at: usize) -> u8 {
    (at as u8 & 15).wrapping_mul(37) ^ 0x5b
}

/// Fills megabytes with the pattern, and answers whether they are found.
pub(crate) fn imprint(_: &Context, (): ()) -> Result<Done> {
    let mut room = vec![0_u8; 24 << 20];
    room.iter_mut().enumerate().for_each(|(at, byte)| *byte = mark(at));
    black_box(&room);
    done(found().to_string())
}

/// Looks through all the memory that it can get for the pattern.
pub(crate) fn recall(_: &Context, (): ()) -> Result<Done> {
    done(found().to_string())
}

/// Whether a page of the memory begins with the pattern.
#[cfg(target_family = "wasm")]
fn found() -> bool {
    use core::arch::wasm32::{memory_grow, memory_size};

    const PAGE: usize = 4096;
    black_box(memory_grow::<0>(448));
    let end = memory_size::<0>() << 16;
    // SAFETY: below the end of the memory, and a byte is a byte whoever wrote it.
    let byte = |at: usize| unsafe { (at as *const u8).read_volatile() };
    let begins = |at: usize| (0..16).any(|phase| (0..32).all(|next| byte(at + next) == mark(phase + next)));
    (PAGE..end).step_by(PAGE).any(begins)
}

#[cfg(not(target_family = "wasm"))]
fn found() -> bool {
    false
}

/// What the interfaces answer that no host offers yet.
#[cfg(target_family = "wasm")]
pub(crate) fn reach(ctx: &Context, (): ()) -> Result<Done> {
    use stoa_sdk::export::stoa::plugin::{
        documents, events, files, http_client, jobs, license, mail, peers, realtime,
    };

    let message = mail::Message {
        to: vec!["somebody@example.com".into()],
        subject: "Loot".into(),
        text: "Loot".into(),
        html: String::new(),
        options: String::new(),
    };
    let request = |url: &str| http_client::Request {
        method: "GET".into(),
        url: url.into(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout_ms: 0,
    };
    let requests = [
        "https://example.com/",
        "http://127.0.0.1/",
        "http://169.254.169.254/",
        "http://[::ffff:127.0.0.1]/",
    ];
    let requests: Vec<_> = requests.map(request).into();
    let id = files::RecordId { high: 0, low: 0 };
    let mut told = Vec::new();
    let mut tell = |what: &str, refusal: Option<_>| {
        let code = refusal.map(|refusal: stoa_sdk::export::stoa::plugin::types::Refusal| refusal.code);
        told.push(format!("{what} {}", code.as_deref().unwrap_or("done")));
    };
    tell("http-client", http_client::send(&requests).err());
    tell("events", events::publish("thing.made", "key", "{\"v\":1}").err());
    tell("jobs", jobs::enqueue("again", "{}", 0, "").err());
    tell("mail", mail::send(&message).err());
    tell("files", files::read(id, 0, 1).err());
    tell("peers", peers::call("crm", "accounts", "{}").err());
    tell("license", license::consume("calls", 1).err());
    tell("documents", documents::render("card", "{}", "pdf").err());
    tell("realtime", realtime::publish("everybody", "{}").err());
    ctx.log("info", "reached out");
    done(told.join(", "))
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn reach(_: &Context, (): ()) -> Result<Done> {
    done(None)
}
