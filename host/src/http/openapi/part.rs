//! What modules add to the document: addresses, and the components that these share.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::operation::Operation;
use super::{
    Offer, actions, collection, companions, fields, filters, parameters, problems, records, sameness,
};
use crate::records::schema::{CUSTOM_MODULE, Entity};

/// Addresses and components, by name.
#[derive(Default)]
pub(super) struct Part {
    paths: Map<String, Json>,
    components: Map<String, Json>,
    tags: Vec<Json>,
    /// Names of operations so far: clients are generated from them, so each stands once.
    names: BTreeSet<String>,
}

/// An entity, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) offers: &'a [Offer<'a>],
    pub(super) entity: &'a Entity,
}

impl Place<'_> {
    /// `/api/v1/crm/accounts`
    pub(super) fn address(&self) -> String {
        format!("/api/v1/{}/{}", self.entity.plugin, self.entity.plural)
    }

    /// Whether plugin code runs when its records are written.
    pub(super) fn has_hooks(&self) -> bool {
        !self.entity.hooks.is_empty()
    }

    /// The schema of its records.
    pub(super) fn record(&self) -> Json {
        schema(&self.entity.object)
    }

    /// The schema of its inputs, nothing of which must be there.
    pub(super) fn input(&self) -> Json {
        schema(&format!("{}.input", self.entity.object))
    }

    /// The schema of a new record's input.
    pub(super) fn new_input(&self) -> Json {
        schema(&format!("{}.new", self.entity.object))
    }

    /// One page of its records.
    pub(super) fn page(&self) -> Json {
        schema(&format!("{}.page", self.entity.object))
    }
}

/// A reference to a shared schema.
pub(super) fn schema(name: &str) -> Json {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

impl Part {
    /// What these modules add.
    pub(super) fn of(offers: &[Offer<'_>]) -> Self {
        let mut part = Self::default();
        part.components("responses", problems::components());
        part.components("parameters", parameters::shared());
        part.components("headers", parameters::headers());
        part.components("schemas", records::shared());
        part.components("schemas", collection::shared());
        part.components("schemas", sameness::shared());
        part.components("schemas", companions::shared());
        for offer in offers {
            let id = &*offer.module.plugin;
            let name = offer.manifest.map_or("Objects of this organization", |manifest| &manifest.name);
            part.tags.push(json!({ "name": id, "description": name }));
            for entity in &offer.module.entities {
                let place = Place { offers, entity };
                part.components("schemas", fields::schemas(&place));
                part.components("parameters", filters::parameters(entity));
                records::describe(&place, &mut part);
                collection::describe(&place, &mut part);
                sameness::describe(&place, &mut part);
                companions::describe(&place, &mut part);
            }
            if let Some(manifest) = offer.manifest.filter(|_| id != CUSTOM_MODULE) {
                actions::describe(manifest, offer.module, &mut part);
            }
        }
        part
    }

    fn components(&mut self, kind: &str, more: impl IntoIterator<Item = (String, Json)>) {
        let known = self.components.entry(kind).or_insert_with(|| json!({}));
        if let Some(known) = known.as_object_mut() {
            known.extend(more);
        }
    }

    /// Adds an operation.
    pub(super) fn add(&mut self, method: &str, path: &str, operation: Operation) {
        let mut name = operation.name().to_owned();
        while !self.names.insert(name.clone()) {
            name.push('_');
        }
        let item = self.paths.entry(path).or_insert_with(|| json!({}));
        if let Some(methods) = item.as_object_mut() {
            methods.insert(method.to_owned(), operation.named(&name));
        }
    }

    /// The part as JSON.
    pub(super) fn finish(self) -> Json {
        json!({ "paths": self.paths, "components": self.components, "tags": self.tags })
    }
}
