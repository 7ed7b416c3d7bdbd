//! What a plugin can reach: one file for each interface of the contract. To learn what a plugin can do, read this folder.

pub(crate) mod clock;
pub(crate) mod context;
pub(crate) mod effects;
mod known;
pub(crate) mod log;
pub(crate) mod random;
pub(crate) mod records;
pub(crate) mod settings;
#[expect(unreachable_pub, reason = "the generated bindings name its cursor")]
pub mod sql;
pub(super) mod wasi;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Engine, component::Component};

use super::bindings::host::Imports;
use super::bindings::host::stoa::plugin::types;
use super::call::State;

impl types::Host for State {}

/// A linker with the whole contract for this component. What the component imports beyond it, standard library
/// left-overs such as `wasi:cli`, is there only to end the call when it is used.
pub(super) fn linker(engine: &Engine, component: &Component) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    Imports::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    wasi::add_to_linker(&mut linker)?;
    refuse_strangers(engine, component)?;
    linker.define_unknown_imports_as_traps(component)?;
    Ok(linker)
}

/// Refuses a component that asks for what is neither of the contract, as this host knows it, nor of the standard library.
fn refuse_strangers(engine: &Engine, component: &Component) -> wasmtime::Result<()> {
    for (name, item) in component.component_type().imports(engine) {
        let of_contract = name.starts_with("stoa:plugin/") && name.contains("@1.");
        if !of_contract && !name.starts_with("wasi:") {
            return Err(wasmtime::format_err!("it imports `{name}`, which is not part of contract 1"));
        }
        if name.starts_with("wasi:sockets") || name.starts_with("wasi:http") {
            return Err(wasmtime::format_err!(
                "it imports `{name}`: a plugin has no network of its own; use http-client"
            ));
        }
        if of_contract {
            refuse_later(engine, name, &item.ty)?;
        }
    }
    Ok(())
}

/// Refuses what a later version of the contract has and this host has not.
fn refuse_later(engine: &Engine, name: &str, item: &ComponentItem) -> wasmtime::Result<()> {
    let ComponentItem::ComponentInstance(interface) = item else {
        return Err(wasmtime::format_err!("it imports `{name}`, which is no interface"));
    };
    if !known::interface(name) {
        return Err(wasmtime::format_err!(
            "it imports `{name}`, which this host does not have: a later one may"
        ));
    }
    for (function, item) in interface.exports(engine) {
        if matches!(item.ty, ComponentItem::ComponentFunc(_)) && !known::function(name, function) {
            return Err(wasmtime::format_err!(
                "it imports `{function}` of `{name}`, which this host does not have: a later one may"
            ));
        }
    }
    Ok(())
}
