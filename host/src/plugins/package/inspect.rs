//! What can be seen of a component before anything compiles it: that it is small enough in every way, asks for nothing that
//! no host gives, and offers what its manifest says. Pure, and made for bytes of strangers: it answers or refuses.
//!
//! Function bodies are not looked into: that is the compiler's, in its limited child. `start` functions of modules are let
//! be: they run within the limits of the call that makes the instance.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use wasmparser::component_types::ComponentEntityType;
use wasmparser::types::Types;
use wasmparser::{
    CanonicalFunction, CanonicalOption, Encoding, FunctionBody, MemoryType, Parser, Payload, ValidPayload,
    Validator, WasmFeatures,
};

use super::{COMPONENT, PackageFault, shown};
use crate::plugins::imports::known;
use crate::plugins::manifest::Manifest;

/// How deep modules and components lie in each other.
const DEPTH: usize = 5;
/// Bytes of one function. Compiling takes more than proportionally longer.
const BODY: usize = 512 << 10;
/// Variables of one function, its parameters apart.
const LOCALS: u64 = 10_000;
/// What a table may begin with: as many as the pool has room for.
const TABLE: u64 = 20_000;
/// Faults that are told; whoever has more has something else to do first.
const TOLD: usize = 20;
const CUSTOM: &str = "bytes of custom sections; build without debug information";
/// How often a thing may be there, in all modules and components together.
const MOST: [(&str, u64); 14] = [
    ("modules", 32),
    ("components", 100),
    ("instances", 500),
    ("aliases", 20_000),
    ("types", 20_000),
    ("imports", 5_000),
    ("exports", 5_000),
    ("functions", 50_000),
    ("tables", 50),
    ("globals", 10_000),
    ("element segments", 2_000),
    ("data segments", 10_000),
    ("canonical functions", 5_000),
    (CUSTOM, 2 << 20),
];
/// The parts of WASI that standard libraries import without need. Of them there is randomness; the rest ends a call.
const WASI: [&str; 4] = ["wasi:cli/", "wasi:clocks/", "wasi:io/", "wasi:random/"];
/// What a manifest may make necessary: an interface and its function.
const HOOKS: (&str, &str) = ("hooks", "run");
const ACTIONS: (&str, &str) = ("actions", "invoke");
const REPORTS: (&str, &str) = ("reports", "run");

/// Looks at the component of this manifest.
///
/// # Errors
/// Everything that is wrong with it.
pub(in crate::plugins) fn inspect(component: &[u8], manifest: &Manifest) -> Result<(), Vec<PackageFault>> {
    let mut look = Look { memory: manifest.limits.memory() as u64, ..Look::default() };
    let types = if component.starts_with(b"\0asm") {
        look.walk(component)
    } else {
        look.fault(
            "is no component that a host can run: packages carry portable components only, no machine code",
        );
        None
    };
    if let Some(types) = types.filter(|_| look.faults.is_empty()) {
        look.imports(&types);
        look.exports(&types, manifest);
    }
    let faults = look.faults.into_iter().take(TOLD);
    let faults: Vec<_> = faults.map(|detail| PackageFault::new(COMPONENT, detail)).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What was seen so far.
#[derive(Default)]
struct Look {
    /// Bytes that the memory may begin with.
    memory: u64,
    memories: u64,
    /// How many components and modules are around what is read now.
    depth: usize,
    counts: BTreeMap<&'static str, u64>,
    /// Of the component itself, not of those in it.
    imported: Vec<String>,
    exported: Vec<String>,
    faults: Vec<String>,
}

impl Look {
    fn fault(&mut self, detail: impl Into<String>) {
        let detail = detail.into();
        if !self.faults.contains(&detail) {
            self.faults.push(detail);
        }
    }

    /// Goes from section to section until there is something that makes the rest pointless.
    fn walk(&mut self, component: &[u8]) -> Option<Types> {
        let features = WasmFeatures::WASM3 | WasmFeatures::COMPONENT_MODEL;
        let mut validator = Validator::new_with_features(features);
        let mut whole = None;
        for payload in Parser::new(0).parse_all(component) {
            let seen = payload.and_then(|payload| {
                self.see(&payload)?;
                if self.faults.is_empty() { validator.payload(&payload).map(Some) } else { Ok(None) }
            });
            match seen {
                Ok(Some(ValidPayload::End(types))) => whole = Some(types),
                Ok(Some(_)) => {}
                Ok(None) if self.faults.len() < TOLD && self.depth <= DEPTH => {}
                Ok(None) => return None,
                Err(error) => {
                    if self.faults.is_empty() {
                        let (at, why) = (error.offset(), shown(error.message()));
                        self.fault(format!("is no component that a host can run: {why} (at byte {at})"));
                    }
                    return None;
                }
            }
        }
        whole
    }

    /// Counts what stands in one section.
    fn tally(&mut self, payload: &Payload<'_>) {
        let (what, count) = match payload {
            Payload::TypeSection(types) => ("types", types.count()),
            Payload::CoreTypeSection(types) => ("types", types.count()),
            Payload::ComponentTypeSection(types) => ("types", types.count()),
            Payload::ImportSection(imports) => ("imports", imports.count()),
            Payload::ComponentImportSection(imports) => ("imports", imports.count()),
            Payload::ExportSection(exports) => ("exports", exports.count()),
            Payload::ComponentExportSection(exports) => ("exports", exports.count()),
            Payload::FunctionSection(functions) => ("functions", functions.count()),
            Payload::GlobalSection(globals) => ("globals", globals.count()),
            Payload::TableSection(tables) => ("tables", tables.count()),
            Payload::ElementSection(segments) => ("element segments", segments.count()),
            Payload::DataSection(segments) => ("data segments", segments.count()),
            Payload::InstanceSection(instances) => ("instances", instances.count()),
            Payload::ComponentInstanceSection(instances) => ("instances", instances.count()),
            Payload::ComponentAliasSection(aliases) => ("aliases", aliases.count()),
            Payload::ComponentCanonicalSection(functions) => ("canonical functions", functions.count()),
            Payload::ModuleSection { .. } => ("modules", 1),
            Payload::ComponentSection { .. } => ("components", 1),
            Payload::CustomSection(custom) => {
                (CUSTOM, u32::try_from(custom.range().len()).unwrap_or(u32::MAX))
            }
            _ => return,
        };
        let most = MOST.iter().find(|(name, _)| *name == what).map_or(0, |(_, most)| *most);
        let all = self.counts.entry(what).or_default();
        *all = all.saturating_add(count.into());
        if *all > most {
            self.fault(format!("has more than {most} {what}"));
        }
    }

    /// Looks at one section.
    fn see(&mut self, payload: &Payload<'_>) -> wasmparser::Result<()> {
        self.tally(payload);
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } if self.depth == 0 => {
                self.fault("is a core module; make a component of it, as the target wasm32-wasip2 does");
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                self.depth += 1;
                if self.depth > DEPTH {
                    self.fault(format!("has modules and components in each other more than {DEPTH} deep"));
                }
            }
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::ComponentStartSection { .. } => {
                self.fault("has a start function of the component; no host calls it");
            }
            Payload::TagSection(_) => self.fault("has exceptions of its own; compile it without"),
            Payload::CodeSectionEntry(body) => return self.body(body),
            Payload::TableSection(tables) => {
                for table in tables.clone() {
                    let initial = table?.ty.initial;
                    if initial > TABLE {
                        self.fault(format!("has a table of {initial} elements; {TABLE} are allowed"));
                    }
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories.clone() {
                    self.memory(&memory?);
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions.clone() {
                    self.canonical(&function?);
                }
            }
            // Names count where they are the component's own, and only as many as are allowed.
            Payload::ComponentImportSection(imports) if self.depth == 0 && self.faults.is_empty() => {
                for import in imports.clone() {
                    self.imported.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(exports) if self.depth == 0 && self.faults.is_empty() => {
                for export in exports.clone() {
                    self.exported.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn body(&mut self, body: &FunctionBody<'_>) -> wasmparser::Result<()> {
        let size = body.range().len();
        if size > BODY {
            self.fault(format!("has a function of {size} bytes; {BODY} are allowed: divide it"));
        }
        let mut locals = 0_u64;
        for declared in body.get_locals_reader()? {
            locals = locals.saturating_add(declared?.0.into());
        }
        if locals > LOCALS {
            self.fault(format!("has a function with {locals} variables; {LOCALS} are allowed: divide it"));
        }
        Ok(())
    }

    fn memory(&mut self, memory: &MemoryType) {
        self.memories += 1;
        if self.memories > 1 {
            self.fault("has more than one memory");
        }
        if memory.shared {
            self.fault("shares its memory between threads; a plugin has one thread");
        }
        if memory.memory64 {
            self.fault("has a memory of 64 bits; compile it for wasm32");
        }
        let page = memory.page_size_log2.unwrap_or(16).min(63);
        let begins = memory.initial.saturating_mul(1 << page);
        if begins > self.memory {
            let allowed = self.memory;
            let detail = format!(
                "its memory begins with {begins} bytes; a call may have {allowed}: `limits.memory_mib` of the manifest raises that"
            );
            self.fault(detail);
        }
    }

    fn canonical(&mut self, function: &CanonicalFunction) {
        let options = match function {
            CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => options,
            CanonicalFunction::ResourceNew { .. }
            | CanonicalFunction::ResourceDrop { .. }
            | CanonicalFunction::ResourceRep { .. } => return,
            _ => {
                return self
                    .fault("uses threads, tasks, streams or futures; a plugin's calls are synchronous");
            }
        };
        for option in options {
            match option {
                CanonicalOption::UTF8
                | CanonicalOption::Memory(_)
                | CanonicalOption::Realloc(_)
                | CanonicalOption::PostReturn(_) => {}
                CanonicalOption::UTF16 | CanonicalOption::CompactUTF16 => {
                    self.fault("passes strings in UTF-16; build it with strings in UTF-8");
                }
                CanonicalOption::Async | CanonicalOption::Callback(_) => {
                    self.fault("lifts or lowers functions asynchronously; a plugin's calls are synchronous");
                }
                CanonicalOption::CoreType(_) | CanonicalOption::Gc => {
                    self.fault("passes values of the garbage collector; build it with a memory of its own");
                }
            }
        }
    }

    /// Refuses what no host gives.
    fn imports(&mut self, types: &Types) {
        for name in std::mem::take(&mut self.imported) {
            let item = types.component_item_for_import(&name).map(|item| item.ty);
            let Some(ComponentEntityType::Instance(interface)) = item else {
                self.fault(format!("imports `{}`, which is no interface", shown(&name)));
                continue;
            };
            if WASI.iter().any(|part| name.starts_with(part)) {
                continue;
            }
            if !known::interface(&name) {
                self.fault(stranger(&name));
                continue;
            }
            for (function, item) in &types[interface].exports {
                let is_function = matches!(item.ty, ComponentEntityType::Func(_));
                if is_function && !known::function(&name, function) {
                    let (name, function) = (shown(&name), shown(function));
                    let detail = format!(
                        "imports `{function}` of `{name}`, which this host does not have: a later one may"
                    );
                    self.fault(detail);
                }
            }
        }
    }

    /// Refuses what nobody calls, and the lack of what the manifest says.
    fn exports(&mut self, types: &Types, manifest: &Manifest) {
        let exported = std::mem::take(&mut self.exported);
        for name in exported.iter().filter(|name| !known::of_contract(name)) {
            let detail = format!(
                "exports `{}`, which no host calls: a plugin exports interfaces of contract 1, `stoa:plugin/…@1.x`; build a library, not a program",
                shown(name)
            );
            self.fault(detail);
        }
        let hooks = manifest.records.entities.iter().any(|entity| !entity.hooks.is_empty());
        for (needed, what, (interface, function)) in [
            (hooks, "hooks", HOOKS),
            (!manifest.actions.is_empty(), "actions", ACTIONS),
            (!manifest.reports.is_empty(), "reports", REPORTS),
        ] {
            let start = format!("stoa:plugin/{interface}@");
            let offers = |name: &&String| {
                let item = name.starts_with(&start).then(|| types.component_item_for_export(name)).flatten();
                let Some(ComponentEntityType::Instance(id)) = item.map(|item| item.ty) else { return false };
                let found = types[id].exports.get(function);
                found.is_some_and(|item| matches!(item.ty, ComponentEntityType::Func(_)))
            };
            if needed && !exported.iter().any(|name| offers(&name)) {
                self.fault(format!(
                    "exports no `{function}` of `stoa:plugin/{interface}@1.0.0`, but the manifest declares {what}"
                ));
            }
        }
    }
}

/// What to say to an import that nobody gives.
fn stranger(name: &str) -> String {
    let named = shown(name);
    let hint = match name.split('/').next().unwrap_or_default() {
        "wasi:sockets" | "wasi:http" => ": a plugin has no network of its own; use `http-client`",
        "wasi:filesystem" => ": a plugin has no files of its own; use `files`",
        "stoa:plugin" => ": this host does not have it; a later one may",
        _ => "",
    };
    let all = known::interfaces().collect::<Vec<_>>().join(", ");
    format!(
        "imports `{named}`{hint}. Allowed are the interfaces of contract 1, `stoa:plugin/…@1.x`: {all}; and what a standard library brings along of wasi:cli, wasi:clocks, wasi:io and wasi:random"
    )
}
