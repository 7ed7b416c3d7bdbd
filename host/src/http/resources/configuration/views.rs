//! What the configuration looks like from outside.

use poem_openapi::Object;
use poem_openapi::types::Any;
use serde_json::Value as Json;

use crate::clock::rfc3339;
use crate::http::problem::Fault;
use crate::records::configuration::{Document, Draft, Impact, Published, Report, Version};

/// A published version with its document.
#[derive(Object)]
#[oai(rename = "Configuration")]
pub(super) struct PublishedView {
    /// From 1; 0 while nothing was published.
    version: i64,
    /// When it was published.
    published_at: Option<String>,
    /// Who published it.
    published_by: Option<String>,
    /// Why.
    note: String,
    /// The version whose document it is again.
    rolled_back_from: Option<i64>,
    /// `v`, `option_sets`, `entities`, `objects`: see docs/API.md.
    document: Any<Json>,
}

/// A published version, without its document.
#[derive(Object)]
#[oai(rename = "ConfigurationVersion")]
pub(super) struct VersionView {
    /// From 1.
    version: i64,
    /// When it was published.
    published_at: String,
    /// Who published it.
    published_by: String,
    /// Why.
    note: String,
    /// The version whose document it is again.
    rolled_back_from: Option<i64>,
}

/// A page of versions.
#[derive(Object)]
#[oai(rename = "ConfigurationVersionList")]
pub(super) struct VersionList {
    /// The latest first.
    data: Vec<VersionView>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

/// What is being prepared.
#[derive(Object)]
#[oai(rename = "ConfigurationDraft")]
pub(super) struct DraftView {
    /// Grows with every change; also the `ETag`.
    revision: i64,
    /// The version that it was made from.
    base: i64,
    /// When it was last changed.
    updated_at: Option<String>,
    /// By whom.
    updated_by: Option<String>,
    /// `v`, `option_sets`, `entities`, `objects`: see docs/API.md.
    document: Any<Json>,
}

/// What a check found.
#[derive(Object)]
#[oai(rename = "ConfigurationCheck")]
pub(super) struct CheckView {
    /// The revision of the draft that was checked.
    revision: i64,
    /// Whether it can be published.
    publishable: bool,
    /// Every fault, with its place in the document.
    errors: Vec<Fault>,
    /// What it means for the records that are there; empty while there are errors.
    impact: Vec<ImpactView>,
}

/// One consequence.
#[derive(Object)]
#[oai(rename = "ConfigurationImpact")]
pub(super) struct ImpactView {
    /// `plugin.entity`.
    entity: String,
    /// The field, if it is about one.
    field: Option<String>,
    /// Stable: `required`, `required_when`, `unique`, `bounds`, `length`, `rule`, `option_archived`, `option_replaced`, `numbered`.
    code: String,
    /// How many records; null when it cannot be counted before it is in force.
    count: Option<u64>,
    /// The first ten of them.
    ids: Vec<String>,
    /// What becomes of them.
    detail: String,
    /// Whether it keeps the draft from being published.
    blocks: bool,
}

/// Why a version is published.
#[derive(Object)]
#[oai(rename = "Publication")]
pub(super) struct PublishInput {
    /// For people who look at the versions later.
    #[oai(validator(max_length = 2000))]
    pub note: Option<String>,
}

/// An option that gives way to another.
#[derive(Object)]
#[oai(rename = "OptionReplacement")]
pub(super) struct ReplaceInput {
    /// The option that goes.
    #[oai(validator(min_length = 1, max_length = 48))]
    pub from: String,
    /// The option that takes its place.
    #[oai(validator(min_length = 1, max_length = 48))]
    pub to: String,
}

fn json(document: &Document) -> Any<Json> {
    Any(serde_json::to_value(document).unwrap_or_default())
}

impl From<&Published> for PublishedView {
    fn from(published: &Published) -> Self {
        let version = &published.version;
        let there = version.version > 0;
        Self {
            version: version.version,
            published_at: there.then(|| rfc3339(version.published_at)),
            published_by: there.then(|| version.published_by.to_string()),
            note: version.note.clone(),
            rolled_back_from: version.rolled_back_from,
            document: json(&published.document),
        }
    }
}

impl From<&Version> for VersionView {
    fn from(version: &Version) -> Self {
        Self {
            version: version.version,
            published_at: rfc3339(version.published_at),
            published_by: version.published_by.to_string(),
            note: version.note.clone(),
            rolled_back_from: version.rolled_back_from,
        }
    }
}

impl VersionList {
    pub(super) fn new(versions: &[Version], next_cursor: Option<String>) -> Self {
        Self { data: versions.iter().map(VersionView::from).collect(), next_cursor }
    }
}

impl From<&Draft> for DraftView {
    fn from(draft: &Draft) -> Self {
        Self {
            revision: draft.revision,
            base: draft.base,
            updated_at: draft.updated.map(|(at, _)| rfc3339(at)),
            updated_by: draft.updated.map(|(_, by)| by.to_string()),
            document: json(&draft.document),
        }
    }
}

impl From<Report> for CheckView {
    fn from(report: Report) -> Self {
        let faults = report.faults.into_iter();
        Self {
            revision: report.revision,
            publishable: faults.len() == 0 && report.impact.iter().all(|impact| !impact.blocks),
            errors: faults.map(|fault| Fault::new(fault.pointer, fault.code, fault.detail)).collect(),
            impact: report.impact.into_iter().map(ImpactView::from).collect(),
        }
    }
}

impl From<Impact> for ImpactView {
    fn from(impact: Impact) -> Self {
        Self {
            entity: impact.entity,
            field: impact.field,
            code: impact.code.to_owned(),
            count: impact.count,
            ids: impact.ids.iter().map(ToString::to_string).collect(),
            detail: impact.detail,
            blocks: impact.blocks,
        }
    }
}
