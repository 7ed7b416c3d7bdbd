//! What a plugin can reach: one file for each interface of the contract. To learn what a plugin can do, read this folder.

pub(crate) mod clock;
pub(crate) mod context;
pub(crate) mod effects;
pub(super) mod known;
pub(crate) mod log;
pub(crate) mod random;
pub(crate) mod records;
pub(crate) mod settings;
#[expect(unreachable_pub, reason = "the generated bindings name its cursor")]
pub mod sql;
pub(super) mod wasi;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Engine, component::Component};

use super::bindings::host::Imports;
use super::bindings::host::stoa::plugin::types;
use super::call::State;

impl types::Host for State {}

/// A linker with the whole contract for this component, which was looked at before. What it imports beyond the contract,
/// standard library left-overs such as `wasi:cli`, is there only to end the call when it is used.
pub(super) fn linker(engine: &Engine, component: &Component) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    Imports::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    wasi::add_to_linker(&mut linker)?;
    linker.define_unknown_imports_as_traps(component)?;
    Ok(linker)
}
