//! `/imports`: a file becomes records, as a job.

use poem_openapi::OpenApi;

use crate::http::access::Access;
use crate::http::answer::Accepted;
use crate::http::gateway;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::http::resources::jobs::JobView;
use crate::http::resources::upload::Upload;
use crate::records::import::{ImportError, Imports};

/// Starts imports.
pub struct ImportsApi {
    /// The importer.
    pub imports: Imports,
}

#[OpenApi(prefix_path = "/api/v1/imports", tag = "Tag::Imports")]
impl ImportsApi {
    /// Import a file
    ///
    /// The answer is a job: watch it at its `Location`, and read the rows that were refused at `{Location}/errors`.
    #[oai(path = "/", method = "post", operation_id = "create_import")]
    async fn create(&self, access: Access, upload: Upload) -> Result<Accepted<JobView>, Problem> {
        access.must("host.import", "create")?;
        let Upload { spec, file } = upload;
        let scope = access.entered.scope(&access.caller);
        let job = self.imports.submit(&scope, &spec, file.path()).await?;
        let location = access.link(&format!("/jobs/{}", job.id));
        Ok(Accepted::new(JobView::from(&job)).at(location))
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
