//! `/duplicates`: records that are taken for one, and the job that looks for them in a whole table.

use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};

use crate::app::App;
use crate::clock::rfc3339;
use crate::http::access::{Access, id, missing};
use crate::http::answer::{Accepted, Found, cut, page_size};
use crate::http::aside::aside;
use crate::http::errors::invalid_parameter;
use crate::http::gateway;
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::http::resources::jobs::JobView;
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::duplicates::sets::{DuplicateSets, Listed, SetsError, Status};

const MISSING: &str = "duplicate_set_not_found";

/// Lists and dismisses sets, starts jobs.
pub struct DuplicatesApi {
    /// The sets.
    pub sets: DuplicateSets,
    /// For writing.
    pub app: App,
}

/// Records that are taken for one.
#[derive(Object)]
pub struct DuplicateSet {
    /// Its id.
    id: String,
    /// `plugin.entity`
    entity: String,
    /// `open` or `dismissed`.
    status: String,
    /// How alike the best pair is, in percent.
    score: u8,
    /// The key of the rule that took the best pair for one.
    rule: String,
    /// Whether it could be merged without anybody looking: what was compared is the same, legal forms included.
    automatic: bool,
    /// The records that you may read.
    members: Vec<DuplicateMember>,
    /// How many others there are.
    hidden: u64,
    /// When it was found.
    created_at: String,
    /// When it last changed.
    updated_at: String,
}

/// A record of a set.
#[derive(Object)]
pub struct DuplicateMember {
    /// Its id.
    id: String,
    /// What people call it.
    title: Option<String>,
}

/// A page of sets.
#[derive(Object)]
pub struct DuplicateSetList {
    /// The most alike first.
    data: Vec<DuplicateSet>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

/// What a job looks through.
#[derive(Object)]
pub struct DuplicateJobInput {
    /// `plugin.entity`
    #[oai(validator(min_length = 3, max_length = 127))]
    entity: String,
}

#[OpenApi(prefix_path = "/api/v1/duplicates", tag = "Tag::Duplicates")]
impl DuplicatesApi {
    /// List duplicate sets
    ///
    /// Sets of which you may read fewer than two records are not listed.
    #[oai(path = "/sets", method = "get", operation_id = "list_duplicate_sets")]
    async fn list(
        &self,
        access: Access,
        /// `plugin.entity`
        entity: Query<String>,
        /// `open` (unless asked for) or `dismissed`.
        status: Query<Option<String>>,
        /// 1 to 200, 50 unless asked for.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Found<DuplicateSetList>, Problem> {
        let status = match status.0.as_deref() {
            None | Some("open") => Status::Open,
            Some("dismissed") => Status::Dismissed,
            Some(_) => return Err(invalid_parameter("status", "is open or dismissed")),
        };
        let (size, after) = (page_size(limit.0)?, cursor.0.as_deref().map(place).transpose()?);
        let (sets, scope) = (self.sets.clone(), access.entered.scope(&access.caller));
        let look = move || sets.list(&scope, &entity.0, status, after, size + 1);
        let found = aside(look).await?;
        let (found, next_cursor) =
            cut(found.map_err(unknown)?, size, |set| format!("{}.{}", set.score, set.id));
        Ok(Found::new(DuplicateSetList { data: found.iter().map(DuplicateSet::from).collect(), next_cursor }))
    }

    /// Say that the records of a set are not duplicates
    ///
    /// The set is closed, and no two of its records are reported as duplicates again.
    #[oai(path = "/sets/:id/dismiss", method = "post", operation_id = "dismiss_duplicate_set")]
    async fn dismiss(&self, access: Access, id: Path<String>) -> Result<Found<DuplicateSet>, Problem> {
        let set: RecordId = self::id(&id.0, MISSING)?;
        let scope = access.entered.scope(&access.caller);
        let listed =
            self.sets.dismiss(&scope, &self.app.hooks(), set).await.map_err(|error| match error {
                RecordError::NotFound => missing(MISSING),
                other => gateway::problem(other),
            })?;
        Ok(Found::new(DuplicateSet::from(&listed)))
    }

    /// Look for duplicates in a whole table
    ///
    /// The answer is a job. When it is over, the sets that it found have taken the place of those that were open.
    #[oai(path = "/jobs", method = "post", operation_id = "create_duplicate_job")]
    async fn job(
        &self,
        access: Access,
        input: Input<DuplicateJobInput>,
    ) -> Result<Accepted<JobView>, Problem> {
        let scope = access.entered.scope(&access.caller);
        let job = self.sets.submit(&scope, &input.0.entity).await?;
        let location = access.link(&format!("/jobs/{}", job.id));
        Ok(Accepted::new(JobView::from(&job)).at(location))
    }
}

/// `{score}.{id}`
fn place(cursor: &str) -> Result<(u8, RecordId), Problem> {
    let parts = cursor.split_once('.').and_then(|(score, id)| Some((score.parse().ok()?, id.parse().ok()?)));
    parts.ok_or_else(|| Problem::malformed("invalid_cursor", "The cursor is not one that was given out."))
}

/// What is wrong with the parameter `entity` is no fault of a body.
fn unknown(error: RecordError) -> Problem {
    match error {
        RecordError::Invalid(faults) => {
            let detail: Vec<String> = faults.into_iter().map(|fault| fault.detail).collect();
            invalid_parameter("entity", &format!("is `plugin.entity`: {}", detail.join("; ")))
        }
        other => gateway::problem(other),
    }
}

impl From<&Listed> for DuplicateSet {
    fn from(set: &Listed) -> Self {
        let member = |(id, title): &(RecordId, Option<String>)| DuplicateMember {
            id: id.to_string(),
            title: title.clone(),
        };
        Self {
            id: set.id.to_string(),
            entity: set.object.clone(),
            status: set.status.as_str().to_owned(),
            score: set.score,
            rule: set.rule.clone(),
            automatic: set.automatic,
            members: set.members.iter().map(member).collect(),
            hidden: set.hidden as u64,
            created_at: rfc3339(set.created_at),
            updated_at: rfc3339(set.updated_at),
        }
    }
}

impl From<SetsError> for Problem {
    fn from(error: SetsError) -> Self {
        match error {
            SetsError::Records(error) => gateway::problem(error),
            SetsError::Job(error) => error.into(),
        }
    }
}
