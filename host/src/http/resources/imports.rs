//! `/imports`: a file becomes records, as a job; what a file is, asked before; and the way back.

use poem_openapi::param::{Path, Query};
use poem_openapi::types::Any;
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use crate::http::access::{Access, id, missing};
use crate::http::answer::{Accepted, Found};
use crate::http::gateway;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::http::resources::jobs::JobView;
use crate::http::resources::upload::{Sample, Upload};
use crate::ids::JobId;
use crate::jobs::Jobs;
use crate::records::import::undo::Options;
use crate::records::import::{Detected, ImportError, Imports};

/// Starts imports.
pub struct ImportsApi {
    /// The importer.
    pub imports: Imports,
    /// Their jobs.
    pub jobs: Jobs,
}

/// What a file is.
#[derive(Object)]
pub struct Detection {
    /// `csv`, `xlsx`, `ods` or `jsonl`.
    format: String,
    /// The encoding of text.
    encoding: Option<String>,
    /// What separates the cells of text.
    delimiter: Option<String>,
    /// What quotes the cells of text.
    quote: Option<String>,
    /// The sheet that is read unless the specification names another.
    sheet: Option<String>,
    /// Every sheet of the workbook.
    sheets: Vec<String>,
    /// Whether the workbook has macros; they are never run.
    macros: bool,
    /// The names of the columns.
    columns: Vec<String>,
    /// Lines of data, faulty ones included.
    rows: u64,
    /// The first five: `line` and `cells`, or `error`.
    sample: Vec<Any<Value>>,
    /// For the entity that was asked for: `spec`, which an import takes as it is, `unmatched` columns, and the saved
    /// `mapping` that it comes from, if there is one.
    suggestion: Option<Any<Value>>,
}

#[OpenApi(prefix_path = "/api/v1/imports", tag = "Tag::Imports")]
impl ImportsApi {
    /// Import a file
    ///
    /// CSV, XLSX, ODS or JSON Lines. The answer is a job: watch it at its `Location`, and read the rows that were refused
    /// at `{Location}/errors`.
    #[oai(path = "/", method = "post", operation_id = "create_import")]
    async fn create(&self, access: Access, upload: Upload) -> Result<Accepted<JobView>, Problem> {
        access.must("host.import", "create")?;
        let Upload { spec, file } = upload;
        let scope = access.entered.scope(&access.caller);
        let job = self.imports.submit(&scope, &spec, file.path()).await?;
        let location = access.link(&format!("/jobs/{}", job.id));
        Ok(Accepted::new(JobView::from(&job)).at(location))
    }

    /// Look at a file
    ///
    /// What it is, its first rows, and with `entity` in the part `spec` a mapping for it. Nothing is kept.
    #[oai(path = "/detect", method = "post", operation_id = "detect_import")]
    async fn detect(&self, access: Access, sample: Sample) -> Result<Found<Detection>, Problem> {
        access.must("host.import", "create")?;
        let scope = access.entered.scope(&access.caller);
        let found = self.imports.detect(&scope, sample.spec.as_deref(), sample.file.path()).await?;
        Ok(Found::new(Detection::from(found)))
    }

    /// Undo an import
    ///
    /// What it made goes to the recycle bin, what it changed is again as it was. What others have changed or refer to
    /// since is left and reported, unless `force`. The answer is a job; what it left is at `{Location}/errors`.
    #[oai(path = "/:job/undo", method = "post", operation_id = "undo_import")]
    async fn undo(
        &self,
        access: Access,
        job: Path<String>,
        /// Also what others have changed or refer to since.
        force: Query<Option<bool>>,
        /// Executes everything and keeps nothing.
        dry_run: Query<Option<bool>>,
    ) -> Result<Accepted<JobView>, Problem> {
        access.must("host.import", "create")?;
        let missing = || missing("job_not_found");
        let seen = access.may("host.job", "read")?;
        let job = self.jobs.get(access.organization().id, id::<JobId>(&job.0, "job_not_found")?).await?;
        if !seen.permits(&access.caller.principal, job.created_by, None) {
            return Err(missing());
        }
        let options = Options { force: force.0.unwrap_or_default(), dry_run: dry_run.0.unwrap_or_default() };
        let scope = access.entered.scope(&access.caller);
        let job = self.imports.submit_undo(&scope, job.id, options).await?;
        let location = access.link(&format!("/jobs/{}", job.id));
        Ok(Accepted::new(JobView::from(&job)).at(location))
    }
}

impl From<Detected> for Detection {
    fn from(found: Detected) -> Self {
        let source = found.source;
        Self {
            format: source.format.as_str().to_owned(),
            encoding: Some(source.encoding).filter(|name| !name.is_empty()),
            delimiter: source.delimiter.map(String::from),
            quote: source.quote.map(String::from),
            sheet: source.sheet,
            sheets: source.sheets,
            macros: source.macros,
            columns: source.columns,
            rows: source.rows,
            sample: found.rows.into_iter().map(Any).collect(),
            suggestion: found.suggestion.map(|suggestion| Any(suggestion.to_json())),
        }
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Records(error) => gateway::problem(error),
            ImportError::Job(error) => error.into(),
            ImportError::File(_) => Self::internal(&error),
        }
    }
}
