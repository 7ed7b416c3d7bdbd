//! The OpenAPI 3.1 document of an organization: the host's own operations and exactly the modules that it may use, with
//! its own fields and objects.
//!
//! poem-openapi writes the host's part in 3.0; [`upgrade`] rewrites that once. The rest is made of the modules as the
//! organization has them: entities become addresses ([`records`], [`collection`], [`sameness`],
//! [`companions`]), what a plugin
//! declares beside them becomes operations ([`actions`]). The same configuration makes the same bytes, so a document is
//! kept for everybody who has it.
//!
//! Reading order: this file, `part.rs`, `operation.rs`, `problems.rs`, `parameters.rs`, `fields.rs`, `filters.rs`,
//! `example.rs`, `records.rs`, `collection.rs`, `sameness.rs`, `companions.rs`,
//! `actions.rs`.

mod actions;
mod collection;
mod companions;
mod example;
mod fields;
mod filters;
mod merge;
mod operation;
mod parameters;
mod part;
mod problems;
mod records;
mod sameness;
#[cfg(test)]
mod tests;
pub(crate) mod upgrade;

use std::sync::Arc;

use moka::sync::Cache;
use serde_json::{Value, json};

use self::part::Part;
use crate::app::Entered;
use crate::plugins::{Manifest, Plugin};
use crate::records::schema::Module;

/// Bytes of documents that are kept.
const KEPT: u64 = 32 * 1024 * 1024;

/// What stands in a kept document in the place of the server's address, which differs between organizations.
const SERVER: &str = "stoa:server";

/// The documents of all organizations.
pub struct Document {
    host: Value,
    made: Cache<String, Arc<str>>,
}

/// One module as an organization has it, and the manifest of the plugin behind it, if there is one.
#[derive(Clone, Copy)]
pub(super) struct Offer<'a> {
    pub(super) module: &'a Module,
    pub(super) manifest: Option<&'a Manifest>,
}

impl Document {
    /// Takes the 3.0 document that poem-openapi wrote.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn new(spec: &str) -> Result<Self, serde_json::Error> {
        let mut host: Value = serde_json::from_str(spec)?;
        upgrade::upgrade(&mut host);
        let weigh = |key: &String, text: &Arc<str>| u32::try_from(key.len() + text.len()).unwrap_or(u32::MAX);
        Ok(Self { host, made: Cache::builder().weigher(weigh).max_capacity(KEPT).build() })
    }

    /// The document of an organization, for addresses that begin with `prefix`. Made at the first request after a change
    /// of what the organization has, which takes some milliseconds: not for an async worker.
    #[must_use]
    pub fn of(&self, prefix: &str, entered: &Entered) -> String {
        let plugins: Vec<&Arc<Plugin>> = entered.plugins.iter().collect();
        let manifest = |id: &str| {
            plugins.iter().find(|plugin| &*plugin.manifest.id == id).map(|plugin| &plugin.manifest)
        };
        let offers: Vec<Offer<'_>> = entered
            .modules()
            .iter()
            .map(|module| Offer { module, manifest: manifest(&module.plugin) })
            .collect();
        let made = self.made.get_with(key(&offers), || self.text(&offers).into());
        let server = if prefix.is_empty() { "/" } else { prefix };
        made.replacen(SERVER, server, 1)
    }

    fn text(&self, offers: &[Offer<'_>]) -> String {
        let mut document = self.host.clone();
        merge::merge(&mut document, Part::of(offers).finish());
        if let Some(members) = document.as_object_mut() {
            members.insert("servers".to_owned(), json!([{ "url": SERVER }]));
        }
        document.to_string()
    }
}

/// What the document depends on.
fn key(offers: &[Offer<'_>]) -> String {
    let parts = offers.iter().map(|offer| format!("{}:{}", offer.module.plugin, offer.module.fingerprint));
    parts.collect::<Vec<_>>().join(" ")
}
