//! `/jobs`: long-running work, its progress and what came out of it.

use poem::http::{StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::param::{Path, Query};
use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::Any;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde_json::Value;

use crate::clock::rfc3339;
use crate::http::access::{Access, id, missing};
use crate::http::answer::{Found, cursor, cut, page_size};
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::jobs::{Job, JobError, Jobs};
use crate::policy::RowScope;
use crate::records::import::Imports;

const OBJECT: &str = "host.job";
const MISSING: &str = "job_not_found";

/// Lists, shows and cancels jobs.
pub struct JobsApi {
    /// The jobs.
    pub jobs: Jobs,
    /// Keeps the files with the rows that were refused.
    pub imports: Imports,
}

/// A job.
#[derive(Object)]
#[oai(rename = "Job")]
pub struct JobView {
    /// Its id.
    id: String,
    /// What it does: `import`.
    kind: String,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    state: String,
    /// How far it is.
    progress: ProgressView,
    /// Whether it was asked to stop.
    cancelling: bool,
    /// Who asked for it.
    created_by: String,
    /// When it was created.
    created_at: String,
    /// When it was started.
    started_at: Option<String>,
    /// When it was over.
    finished_at: Option<String>,
    /// What came out.
    result: Option<Any<Value>>,
    /// Why it failed.
    error: Option<JobFailure>,
}

/// How far a job is.
#[derive(Object)]
#[oai(rename = "JobProgress")]
pub struct ProgressView {
    /// Units finished, failures included.
    done: i64,
    /// Units altogether; null: not counted yet.
    total: Option<i64>,
    /// Units that failed.
    failed: i64,
}

/// Why a job failed.
#[derive(Object)]
pub struct JobFailure {
    /// Stable, snake case.
    code: String,
    /// For people.
    detail: String,
}

/// A page of jobs.
#[derive(Object)]
pub struct JobList {
    /// Newest first.
    data: Vec<JobView>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

#[OpenApi(prefix_path = "/api/v1/jobs", tag = "Tag::Jobs")]
impl JobsApi {
    /// List jobs
    #[oai(path = "/", method = "get", operation_id = "list_jobs")]
    async fn list(
        &self,
        access: Access,
        /// 1 to 200, 50 unless asked for.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Found<JobList>, Problem> {
        let scope = access.may(OBJECT, "read")?;
        let (size, before) = (page_size(limit.0)?, self::cursor(cursor.0.as_deref())?);
        let (organization, me) = (access.organization().id, access.caller.principal.id);
        // In the query, so that a page is full and its cursor is not a job of somebody else.
        let jobs = match scope.always() {
            true => self.jobs.list(organization, before, size + 1).await?,
            false if scope.permits(&access.caller.principal, me, None) => {
                self.jobs.list_of(organization, me, before, size + 1).await?
            }
            false => Vec::new(),
        };
        let (jobs, next_cursor) = cut(jobs, size, |job| job.id.to_string());
        Ok(Found::new(JobList { data: jobs.iter().map(JobView::from).collect(), next_cursor }))
    }

    /// Get a job
    #[oai(path = "/:id", method = "get", operation_id = "get_job")]
    async fn get(&self, access: Access, id: Path<String>) -> Result<Found<JobView>, Problem> {
        Ok(Found::new(JobView::from(&self.find(&access, &id.0).await?)))
    }

    /// Cancel a job
    ///
    /// One that waits is over at once; one that runs stops at its next step, and what it has done stays.
    #[oai(path = "/:id/cancel", method = "post", operation_id = "cancel_job")]
    async fn cancel(&self, access: Access, id: Path<String>) -> Result<Found<JobView>, Problem> {
        let job = self.find(&access, &id.0).await?;
        let mine = job.created_by == access.caller.principal.id;
        if !mine && !seen(&access, access.may(OBJECT, "update")?, &job) {
            return Err(Problem::forbidden("Your roles do not allow `update` on this job."));
        }
        let job = self.jobs.cancel(job.organization, job.id).await?;
        if job.state.is_over() {
            // It waited, so no runner will delete its upload.
            let (imports, job) = (self.imports.clone(), job.clone());
            let _ = tokio::task::spawn_blocking(move || imports.discard(&job)).await;
        }
        Ok(Found::new(JobView::from(&job)))
    }

    /// The rows that were refused
    ///
    /// A CSV file: the row as it was, its number and the reasons.
    #[oai(path = "/:id/errors", method = "get", operation_id = "get_job_errors")]
    async fn errors(&self, access: Access, id: Path<String>) -> Result<ErrorFile, Problem> {
        let job = self.find(&access, &id.0).await?;
        let csv = self.imports.errors_csv(&access.entered.scope(&access.caller), job.id).await?;
        Ok(ErrorFile { name: format!("{}-errors.csv", job.id), csv })
    }
}

impl JobsApi {
    async fn find(&self, access: &Access, text: &str) -> Result<Job, Problem> {
        let scope = access.may(OBJECT, "read")?;
        let job = self.jobs.get(access.organization().id, id(text, MISSING)?).await?;
        if seen(access, scope, &job) { Ok(job) } else { Err(missing(MISSING)) }
    }
}

/// A job belongs to whoever asked for it.
fn seen(access: &Access, scope: RowScope, job: &Job) -> bool {
    scope.permits(&access.caller.principal, job.created_by, None)
}

impl From<&Job> for JobView {
    fn from(job: &Job) -> Self {
        let progress = &job.progress;
        let failure = job.failure.as_ref();
        Self {
            id: job.id.to_string(),
            kind: job.kind.clone(),
            state: job.state.as_str().to_owned(),
            progress: ProgressView { done: progress.done, total: progress.total, failed: progress.failed },
            cancelling: job.cancelling,
            created_by: job.created_by.to_string(),
            created_at: rfc3339(job.created_at),
            started_at: job.started_at.map(rfc3339),
            finished_at: job.finished_at.map(rfc3339),
            result: job.result.as_deref().and_then(|text| serde_json::from_str(text).ok()).map(Any),
            error: failure
                .map(|failure| JobFailure { code: failure.code.clone(), detail: failure.detail.clone() }),
        }
    }
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        match &error {
            JobError::NotFound(_) => missing(MISSING),
            JobError::NotWaiting(_) | JobError::NotRunning(_) | JobError::Cancelled(_) => {
                Self::new(StatusCode::CONFLICT, "job_state", error.to_string())
            }
            JobError::InvalidSpec => Self::malformed("malformed_json", error.to_string()),
            JobError::InvalidResult | JobError::Storage(_) => Self::internal(&error),
        }
    }
}

/// A CSV file for download.
pub struct ErrorFile {
    name: String,
    csv: Vec<u8>,
}

impl IntoResponse for ErrorFile {
    fn into_response(self) -> Response {
        Response::builder()
            .header(header::CONTENT_TYPE, "text/csv; charset=utf-8")
            .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", self.name))
            .body(self.csv)
    }
}

impl ApiResponse for ErrorFile {
    fn meta() -> MetaResponses {
        let schema = MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let response = MetaResponse {
            description: "The refused rows.",
            status: Some(200),
            status_range: None,
            content: vec![MetaMediaType { content_type: "text/csv", schema }],
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(_: &mut Registry) {}
}
