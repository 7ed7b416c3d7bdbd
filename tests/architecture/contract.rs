//! The gate of the plugin contract: what `sdk/wit/v1` says against every version that was published, and against its own
//! rules. `sdk/wit/published/<version>` holds each version as authors got it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use wit_component::semver_check;
use wit_parser::{
    Docs, Function, FunctionKind, Handle, PackageId, Resolve, SourceMap, Stability, Type, TypeDef,
    TypeDefKind, WorldKey,
};

/// WIT files by name.
pub(crate) type Files = BTreeMap<String, String>;

/// What to do when the gate refuses: the answer to every incompatible change.
const INSTEAD: &str = "what was published stays as it was. Leave it, put a new function, type or interface beside it (`send-v2`), mark it with \
     the next `@since` and raise the package's version; a new export is a world of its own (docs/PLUGINS.md, \"How the contract grows\")";

/// Beyond every version that will be published: semver only lets two packages of one name into one graph when they differ.
const WORKING: &str = "1.99999.0";

/// The WIT files of a folder.
pub(crate) fn files(folder: &Path) -> io::Result<Files> {
    let mut found = Files::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let (Some("wit"), Some(name)) = (path.extension().and_then(|one| one.to_str()), path.file_name()) {
            found.insert(name.to_string_lossy().into_owned(), fs::read_to_string(&path)?);
        }
    }
    Ok(found)
}

/// `1.0.0` of `package stoa:plugin@1.0.0;`, which every file must say alike.
pub(crate) fn version(files: &Files) -> Result<String, String> {
    let said = |text: &str| {
        text.lines().find_map(|line| {
            Some(line.strip_prefix("package stoa:plugin@")?.trim_end_matches(';').to_owned())
        })
    };
    let versions: BTreeSet<Option<String>> = files.values().map(|text| said(text)).collect();
    match versions.into_iter().collect::<Vec<_>>().as_slice() {
        [Some(one)] => Ok(one.clone()),
        others => Err(format!("the files name different packages: {others:?}")),
    }
}

fn parse(resolve: &mut Resolve, files: &Files, as_version: &str) -> Result<PackageId, String> {
    let own = format!("package stoa:plugin@{};", version(files)?);
    let mut sources = SourceMap::new();
    for (name, text) in files {
        sources.push_str(name, text.replace(&own, &format!("package stoa:plugin@{as_version};")));
    }
    let group = sources.parse().map_err(|(_, error)| error.to_string())?;
    resolve.push_group(group).map_err(|error| error.to_string())
}

/// Everything in `now` that would break a component built against `published`, and everything new that does not say so.
pub(crate) fn breaks(published: &Files, now: &Files) -> Vec<String> {
    compared(published, now).unwrap_or_else(|fault| vec![fault])
}

fn compared(published: &Files, now: &Files) -> Result<Vec<String>, String> {
    let (before, after) = (version(published)?, version(now)?);
    let mut resolve = Resolve::default();
    let old = parse(&mut resolve, published, &before)?;
    let new = parse(&mut resolve, now, WORKING)?;
    let (was, is) = (items(&resolve, old), items(&resolve, new));
    let mut wrong = Vec::new();
    for (name, item) in &was {
        match is.get(name) {
            None => wrong.push(format!("`{name}` of {before} is gone: {INSTEAD}")),
            Some(other) if other != item => {
                wrong.push(format!("`{name}` of {before} was `{item}` and is `{other}`: {INSTEAD}"));
            }
            Some(_) => {}
        }
    }
    for (name, item) in is.iter().filter(|(name, _)| !was.contains_key(*name)) {
        if after == before {
            wrong.push(format!("`{name}` is new, and {before} is published: raise the package's version"));
        } else if !name.contains(": ") && !item.starts_with(&format!("@since({after}) ")) {
            wrong.push(format!("`{name}` is new and does not say `@since(version = {after})`"));
        }
    }
    for (name, world) in &resolve.packages[old].worlds {
        let Some(other) = resolve.packages[new].worlds.get(name) else { continue };
        if let Err(error) = semver_check(resolve.clone(), *world, *other) {
            wrong.push(format!(
                "world `{name}`: a component made for {before} does not fit: {error:#}: {INSTEAD}"
            ));
        }
    }
    Ok(wrong)
}

/// Every item with the version that it is there since and its shape, in words.
fn items(resolve: &Resolve, package: PackageId) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let package = &resolve.packages[package];
    for (name, id) in &package.interfaces {
        let interface = &resolve.interfaces[*id];
        found.insert(format!("interface {name}"), format!("{} interface", since(&interface.stability)));
        for (item, id) in &interface.types {
            let item_type = &resolve.types[*id];
            found.insert(
                format!("{name}.{item}"),
                format!("{} {}", since(&item_type.stability), kind(resolve, item_type)),
            );
        }
        for (item, function) in &interface.functions {
            found.insert(
                format!("{name}.{item}"),
                format!("{} {}", since(&function.stability), signature(resolve, function)),
            );
        }
    }
    for (name, id) in &package.worlds {
        let world = &resolve.worlds[*id];
        found.insert(format!("world {name}"), format!("{} world", since(&world.stability)));
        for (way, items) in [("import", &world.imports), ("export", &world.exports)] {
            for key in items.keys() {
                let item_name = match key {
                    WorldKey::Name(item) => item.clone(),
                    WorldKey::Interface(id) => resolve.interfaces[*id].name.clone().unwrap_or_default(),
                };
                // The interface says since when; what it uses comes with it, unsaid.
                found.insert(format!("world {name}: {way} {item_name}"), way.to_owned());
            }
        }
    }
    found
}

fn since(stability: &Stability) -> String {
    match stability {
        Stability::Stable { since, .. } => format!("@since({since})"),
        Stability::Unstable { feature, .. } => format!("@unstable({feature})"),
        Stability::Unknown => "unmarked".to_owned(),
    }
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let params: Vec<String> = function
        .params
        .iter()
        .map(|param| format!("{}: {}", param.name, shown(resolve, &param.ty)))
        .collect();
    let result = function.result.map(|one| format!(" -> {}", shown(resolve, &one))).unwrap_or_default();
    let way = match function.kind {
        FunctionKind::Freestanding => "func",
        FunctionKind::Method(_) => "method",
        FunctionKind::Static(_) => "static func",
        FunctionKind::Constructor(_) => "constructor",
        _ => "async func",
    };
    format!("{way}({}){result}", params.join(", "))
}

fn kind(resolve: &Resolve, item: &TypeDef) -> String {
    match &item.kind {
        TypeDefKind::Record(record) => {
            let fields: Vec<String> = record
                .fields
                .iter()
                .map(|field| format!("{}: {}", field.name, shown(resolve, &field.ty)))
                .collect();
            format!("record {{ {} }}", fields.join(", "))
        }
        TypeDefKind::Type(other) => shown(resolve, other),
        TypeDefKind::List(of) => format!("list<{}>", shown(resolve, of)),
        TypeDefKind::Option(of) => format!("option<{}>", shown(resolve, of)),
        TypeDefKind::Result(of) => {
            let part = |one: Option<Type>| one.map_or_else(|| "_".to_owned(), |one| shown(resolve, &one));
            format!("result<{}, {}>", part(of.ok), part(of.err))
        }
        TypeDefKind::Handle(Handle::Own(id)) => format!("own<{}>", named(resolve, &resolve.types[*id])),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", named(resolve, &resolve.types[*id])),
        other => other.as_str().to_owned(),
    }
}

fn shown(resolve: &Resolve, item: &Type) -> String {
    match item {
        Type::Id(id) => named(resolve, &resolve.types[*id]),
        plain => format!("{plain:?}").to_lowercase(),
    }
}

fn named(resolve: &Resolve, item: &TypeDef) -> String {
    item.name.clone().unwrap_or_else(|| kind(resolve, item))
}

/// What breaks the contract's own rules: an item without documentation or `@since`, a type that could not grow.
pub(crate) fn unruly(now: &Files) -> Vec<String> {
    let mut resolve = Resolve::default();
    let parsed = version(now).and_then(|version| parse(&mut resolve, now, &version));
    let package = match parsed {
        Ok(package) => package,
        Err(fault) => return vec![fault],
    };
    let mut wrong: Vec<String> = items(&resolve, package)
        .into_iter()
        .filter(|(_, item)| item.starts_with("unmarked ") && !is_use(item))
        .map(|(name, _)| format!("`{name}` has no `@since`"))
        .collect();
    let mut asked = |name: String, docs: &Docs| {
        if docs.contents.as_ref().is_none_or(|text| text.trim().is_empty()) {
            wrong.push(format!("`{name}` is not documented"));
        }
    };
    for (name, id) in &resolve.packages[package].worlds {
        asked(format!("world {name}"), &resolve.worlds[*id].docs);
    }
    for (name, id) in &resolve.packages[package].interfaces {
        let interface = &resolve.interfaces[*id];
        asked(format!("interface {name}"), &interface.docs);
        for (item, function) in &interface.functions {
            asked(format!("{name}.{item}"), &function.docs);
        }
        for (item, id) in &interface.types {
            let item_type = &resolve.types[*id];
            if let TypeDefKind::Type(Type::Id(_)) = item_type.kind {
                continue;
            }
            asked(format!("{name}.{item}"), &item_type.docs);
            if let TypeDefKind::Record(record) = &item_type.kind {
                for field in &record.fields {
                    asked(format!("{name}.{item}.{}", field.name), &field.docs);
                }
            }
        }
    }
    wrong.extend(closed(&resolve));
    wrong
}

/// Whether the item only names a type of another interface.
fn is_use(item: &str) -> bool {
    let word = item.trim_start_matches("unmarked ");
    word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && !["world", "interface", "resource"].contains(&word)
}

/// Types that can never gain a case, and what this contract does not use.
fn closed(resolve: &Resolve) -> Vec<String> {
    let refused = |item: &TypeDef| match &item.kind {
        TypeDefKind::Enum(_) | TypeDefKind::Variant(_) | TypeDefKind::Flags(_) => {
            Some("can never gain a case: use a documented text, of which others may come")
        }
        TypeDefKind::Future(_) | TypeDefKind::Stream(_) => {
            Some("is asynchronous: calls of this contract are not")
        }
        TypeDefKind::Map(..) | TypeDefKind::FixedLengthList(..) => {
            Some("is not understood by every generator of bindings yet")
        }
        _ => None,
    };
    let types = resolve.types.iter().filter_map(|(_, item)| {
        let why = refused(item)?;
        Some(format!("`{}` ({}) {why}", item.name.as_deref().unwrap_or("a type"), item.kind.as_str()))
    });
    let functions = resolve.interfaces.iter().flat_map(|(_, interface)| interface.functions.values());
    let awaiting = functions.filter(|function| signature(resolve, function).starts_with("async"));
    types
        .chain(awaiting.map(|one| format!("`{}` is asynchronous: calls of this contract are not", one.name)))
        .collect()
}

fn contract() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/wit")
}

/// The versions that were published, with their files.
pub(crate) fn published() -> io::Result<Vec<(String, Files)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(contract().join("published"))? {
        let entry = entry?;
        found.push((entry.file_name().to_string_lossy().into_owned(), files(&entry.path())?));
    }
    found.sort();
    Ok(found)
}

/// The contract as it is now.
pub(crate) fn now() -> io::Result<Files> {
    files(&contract().join("v1"))
}

#[test]
fn the_contract_breaks_nothing_that_was_published() -> io::Result<()> {
    let (published, now) = (published()?, now()?);
    assert!(!published.is_empty() && published.iter().any(|(version, _)| version == "1.0.0"));
    for (version_of_folder, files) in published {
        assert_eq!(
            version(&files).as_ref(),
            Ok(&version_of_folder),
            "a folder is called like its package's version"
        );
        let wrong = breaks(&files, &now);
        assert!(wrong.is_empty(), "sdk/wit/v1 against {version_of_folder}:\n{}", wrong.join("\n"));
    }
    Ok(())
}

#[test]
fn the_contract_keeps_its_own_rules() -> io::Result<()> {
    let wrong = unruly(&now()?);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
