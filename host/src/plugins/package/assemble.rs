//! From a component to the files of a package: its manifest is what the component says of itself, its SQL texts are those
//! that it carries. Done where an author works; a host that serves never asks a component what it is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use super::{COMPONENT, COMPONENT_LIMIT, MANIFEST, Package, PackageFault, SQL, Trust};
use crate::plugins::imports::wasi;
use crate::plugins::{Maker, sql};

/// The export that says it.
const INTERFACE: &str = "stoa:plugin/manifest@1.0.0";
/// Heartbeats of the engine that the answer may take: two seconds.
const PATIENCE: u64 = 400;

impl Maker {
    /// The files of the package that this component makes: itself, its manifest and its SQL texts. Takes its time, on this
    /// thread.
    ///
    /// # Errors
    /// It is no component of a plugin, or does not say what it is.
    pub(crate) fn assemble(&self, component: Vec<u8>) -> Result<BTreeMap<String, Vec<u8>>, PackageFault> {
        let fault = |detail: String| PackageFault::new(COMPONENT, detail);
        if component.len() as u64 > COMPONENT_LIMIT {
            let detail = format!("has {} bytes; {COMPONENT_LIMIT} are allowed", component.len());
            return Err(fault(detail));
        }
        let texts = sql::section::texts(&component)
            .ok_or_else(|| fault("is no component: build it for wasm32-wasip2".into()))?;
        let package = Package {
            name: "the component".to_owned(),
            manifest: Cow::Borrowed(&[]),
            component: component.into(),
            sql: Cow::Borrowed(&[]),
            trust: Trust::Local,
        };
        let compiled =
            self.artifacts.load(&self.engine, &package).map_err(|error| fault(error.to_string()))?;
        let manifest = described(&self.engine, &compiled)
            .map_err(|error| fault(format!("does not say what it is: {error:#}")))?;
        let mut listed = serde_json::to_vec_pretty(&sql::section::listing(&texts))
            .map_err(|error| PackageFault::new(SQL, error.to_string()))?;
        listed.push(b'\n');
        Ok(BTreeMap::from([
            (COMPONENT.to_owned(), package.component.into_owned()),
            (MANIFEST.to_owned(), manifest.into_bytes()),
            (SQL.to_owned(), listed),
        ]))
    }
}

/// What the component says of itself, with nothing at hand but randomness for its hash maps.
fn described(engine: &Engine, component: &Component) -> wasmtime::Result<String> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker)?;
    linker.define_unknown_imports_as_traps(component)?;
    let mut store = Store::new(engine, ());
    store.set_epoch_deadline(PATIENCE);
    let instance = linker.instantiate(&mut store, component)?;
    let missing = || wasmtime::format_err!("it does not export {INTERFACE}");
    let interface = instance.get_export_index(&mut store, None, INTERFACE).ok_or_else(missing)?;
    let describe = instance.get_export_index(&mut store, Some(&interface), "describe").ok_or_else(missing)?;
    let describe = instance.get_typed_func::<(), (String,)>(&mut store, describe)?;
    let (text,) = describe.call(&mut store, ())?;
    Ok(text)
}
