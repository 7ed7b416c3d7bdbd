//! Views between plugins: what one publishes of its records, what another asks to read.

use serde::{Deserialize, Serialize};

use crate::entity::Entity;

/// Columns of an entity that other plugins may ask to read. Rows stay the caller's: a view never shows more of them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// `accounts`; never changes.
    pub name: String,
    /// The entity's key.
    pub entity: String,
    /// Columns; `id` is always among them. Money has two: `revenue` and `revenue_currency`.
    pub columns: Vec<String>,
}

impl View {
    /// A view of an entity.
    #[must_use]
    pub fn of<E: Entity>(name: &str, columns: &[&str]) -> Self {
        Self { name: name.into(), entity: E::KEY.into(), columns: owned(columns) }
    }
}

/// Columns of another plugin's view, read in SQL as `visible_<plugin>_<view>`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Whose; one of `requires`.
    pub plugin: String,
    /// The view's name.
    pub view: String,
    /// The columns that are needed, beside `id`; no others can be read.
    pub columns: Vec<String>,
}

impl Reading {
    /// What is read of `plugin.view`.
    #[must_use]
    pub fn of(plugin: &str, view: &str, columns: &[&str]) -> Self {
        Self { plugin: plugin.into(), view: view.into(), columns: owned(columns) }
    }
}

fn owned(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|column| (*column).into()).collect()
}
