//! Views between plugins, as manifests declare them: what one publishes, what another asks to read, whether they fit.

use std::collections::HashSet;
use std::sync::Arc;

use super::manifest::{Around, Manifest, ManifestFault};
use super::reading::{Part, is_key};
use crate::policy::Label;
use crate::records::schema::{Between, Entity, Published, Reading};

/// Most other plugins whose views one plugin reads; each is a file that is opened beside its own.
const PLUGINS: usize = 8;
/// Most columns of a view.
const COLUMNS: usize = 100;
/// What of the host's own columns can be published, beside the declared fields.
const SYSTEM: [&str; 6] = ["id", "version", "created_at", "updated_at", "owner_id", "team_id"];

/// Checks the views that are published and those that are read.
pub(super) fn between(root: &Part<'_>, around: &Around, entities: &[Arc<Entity>]) -> Between {
    Between { published: published(root, entities), reads: reads(root, around) }
}

/// The columns that a view lists, each once, the first being `id`.
fn columns(part: &Part<'_>, fits: impl Fn(&str) -> bool) -> Vec<String> {
    let mut columns = vec!["id".to_owned()];
    for column in part.words("columns", |name| (is_key(name) && fits(name)).then(|| name.to_owned())) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    if columns.len() > COLUMNS {
        part.fault("columns", format!("a view has at most {COLUMNS} columns"));
    }
    columns
}

fn published(root: &Part<'_>, entities: &[Arc<Entity>]) -> Vec<Published> {
    let mut names = HashSet::new();
    let mut views = Vec::new();
    for part in root.parts("views", &["name", "entity", "columns"]) {
        let name = part.such("name", is_key, "a lower-case key").unwrap_or_default();
        if !names.insert(name) {
            part.fault("name", "another view has this name");
        }
        let key = part.needed("entity");
        let Some(entity) = entities.iter().find(|entity| &*entity.key == key) else {
            part.fault("entity", format!("`{key}` is no entity of this manifest"));
            continue;
        };
        let secret = |name: &str| {
            let of = |key: &str| entity.field(key).is_some_and(|field| field.class == Label::Secret);
            of(name) || name.strip_suffix("_currency").is_some_and(of)
        };
        let declared: HashSet<String> =
            entity.columns().skip(crate::records::schema::SYSTEM_COLUMNS.len()).collect();
        let fits = |name: &str| SYSTEM.contains(&name) || declared.contains(name) && !secret(name);
        let (name, entity) = (name.to_owned(), key.to_owned());
        views.push(Published { name, entity, columns: columns(&part, fits) });
    }
    views
}

fn reads(root: &Part<'_>, around: &Around) -> Vec<Reading> {
    let (mut tables, mut plugins) = (HashSet::new(), HashSet::new());
    let mut reads = Vec::new();
    for part in root.parts("reads", &["plugin", "view", "columns"]) {
        let plugin = part.such("plugin", |plugin| around.reaches(plugin), "a plugin that `requires` names");
        let view = part.such("view", is_key, "a lower-case key");
        let columns = columns(&part, |_| true);
        let (Some(plugin), Some(view)) = (plugin, view) else { continue };
        let reading = Reading { plugin: plugin.into(), view: view.to_owned(), columns, granted: true };
        if around.entities.contains(&reading.table()) || !tables.insert(reading.table()) {
            part.fault("view", format!("`visible_{}` would stand for two things", reading.table()));
        }
        if plugins.insert(plugin) && plugins.len() > PLUGINS {
            part.fault("plugin", format!("views of at most {PLUGINS} other plugins are read"));
        }
        reads.push(reading);
    }
    reads
}

/// Whether one of the versions at hand publishes what a manifest asks to read; the faults are those of that manifest.
pub(super) fn unpublished<'m>(
    manifest: &Manifest,
    versions: impl Fn(&str) -> Vec<&'m Between>,
) -> Vec<ManifestFault> {
    let mut faults = Vec::new();
    for (at, reading) in manifest.reads().iter().enumerate() {
        let all = versions(&reading.plugin);
        let named: Vec<&Published> = all.iter().filter_map(|between| between.view(&reading.view)).collect();
        let detail = match named.last() {
            None => format!("no version of `{}` here publishes a view `{}`", reading.plugin, reading.view),
            Some(_) if named.iter().any(|view| view.lacks(&reading.columns).is_none()) => continue,
            Some(view) => {
                let column = view.lacks(&reading.columns).unwrap_or_default();
                format!("the view `{}` does not publish `{column}`", reading.key())
            }
        };
        faults.push(ManifestFault { pointer: format!("/reads/{at}"), detail });
    }
    faults
}
