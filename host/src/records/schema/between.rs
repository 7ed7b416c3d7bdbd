//! What a plugin lets others read of its records, and what it reads of others.

use std::collections::HashSet;
use std::sync::Arc;

/// Columns of an entity that other plugins may ask for, by a name of their own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Published {
    /// `accounts`
    pub name: String,
    /// The entity's key.
    pub entity: String,
    /// The columns, `id` among them.
    pub columns: Vec<String>,
}

/// Columns of another plugin's view that a plugin asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reading {
    /// Whose view.
    pub plugin: Arc<str>,
    /// The view's name.
    pub view: String,
    /// The columns asked for.
    pub columns: Vec<String>,
    /// Whether it may. What is installed with the host may what it declares; of others the organization decides.
    pub granted: bool,
}

impl Reading {
    /// `crm.accounts`: how consents name it.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}.{}", self.plugin, self.view)
    }

    /// `crm_accounts`: behind `visible_` the name in the plugin's SQL.
    #[must_use]
    pub fn table(&self) -> String {
        format!("{}_{}", self.plugin, self.view)
    }
}

/// A plugin's views and those of others that it reads.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Between {
    /// Its own.
    pub published: Vec<Published>,
    /// Of others.
    pub reads: Vec<Reading>,
}

impl Between {
    /// The same with these readings granted (`crm.accounts`) and no others.
    #[must_use]
    pub fn granting(&self, granted: &HashSet<String>) -> Self {
        let reads = self.reads.iter().cloned().map(|reading| {
            let granted = granted.contains(&reading.key());
            Reading { granted, ..reading }
        });
        Self { published: self.published.clone(), reads: reads.collect() }
    }

    /// The view with this name.
    #[must_use]
    pub fn view(&self, name: &str) -> Option<&Published> {
        self.published.iter().find(|view| view.name == name)
    }
}

impl Published {
    /// The first of these columns that it does not have.
    #[must_use]
    pub fn lacks<'c>(&self, columns: &'c [String]) -> Option<&'c str> {
        columns.iter().find(|column| !self.columns.contains(column)).map(String::as_str)
    }
}
