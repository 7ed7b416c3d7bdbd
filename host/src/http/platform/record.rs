//! What goes into the platform's log about a request.

use std::sync::{Arc, Mutex, PoisonError};

use poem::Response;
use poem::http::{Method, StatusCode};
use poem_openapi::OpenApi;

use super::desk::Desk;
use crate::http::problem::Problem;
use crate::http::query::same;
use crate::http::request;
use crate::ids::RequestId;
use crate::platform::{Admin, NewEvent, Outcome};

/// Who turned out to act in a request, and on what; whoever learns it says so.
#[derive(Clone, Default)]
pub(in crate::http) struct Acting(Arc<Mutex<(Option<Admin>, Option<String>)>>);

impl Acting {
    /// It is this administrator.
    pub(in crate::http) fn is(&self, admin: &Admin) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(admin.clone());
    }

    /// It is about this.
    pub(super) fn on(&self, target: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(target.into());
    }

    fn known(&self) -> (Option<Admin>, Option<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One operation of the document.
#[derive(Clone)]
pub(in crate::http) struct Operation {
    method: Method,
    path: String,
    pub(super) id: &'static str,
}

/// Every operation of the document.
pub(super) struct Operations(Vec<Operation>);

impl Operations {
    pub(super) fn of<T: OpenApi>() -> Self {
        let paths = T::meta().into_iter().flat_map(|api| api.paths);
        let each =
            paths.flat_map(|path| path.operations.into_iter().map(move |one| (path.path.clone(), one)));
        let operation = |(path, one): (String, poem_openapi::registry::MetaOperation)| Operation {
            method: one.method,
            path,
            id: one.operation_id.unwrap_or("unnamed"),
        };
        Self(each.map(operation).collect())
    }

    pub(super) fn find(&self, method: &Method, path: &str) -> Option<&Operation> {
        self.0.iter().find(|one| one.method == *method && same(&one.path, path))
    }

    /// The methods that this address serves, for `Allow`.
    pub(super) fn methods(&self, path: &str) -> String {
        let here = self.0.iter().filter(|one| same(&one.path, path));
        here.map(|one| one.method.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl Desk {
    /// Writes down what became of a request that came from `address`. What cannot be written down is not answered.
    pub(super) async fn record(
        &self,
        operation: &Operation,
        path: &str,
        address: &str,
        acting: &Acting,
        answer: &poem::Result<Response>,
    ) -> Result<(), Problem> {
        let (status, code) = match answer {
            Ok(response) => (response.status(), None),
            Err(error) => {
                let problem = error.downcast_ref::<Problem>();
                let status = problem.map_or_else(|| error.status(), |problem| problem.status);
                (status, problem.map(|problem| problem.code.to_string()))
            }
        };
        let (admin, target) = acting.known();
        let event = NewEvent {
            admin: admin.as_ref(),
            action: operation.id,
            target: target.or_else(|| parameters(&operation.path, path)),
            outcome: outcome(status),
            code,
            request: request::current().unwrap_or_else(RequestId::new),
            address: address.to_owned(),
        };
        Ok(self.platform.record(event).await?)
    }
}

fn outcome(status: StatusCode) -> Outcome {
    if status.is_server_error() {
        Outcome::Failed
    } else if status.is_client_error() {
        Outcome::Refused
    } else {
        Outcome::Done
    }
}

/// What stands at the parameters of the address.
fn parameters(pattern: &str, path: &str) -> Option<String> {
    let pairs = pattern.split('/').zip(path.split('/'));
    let given: Vec<&str> = pairs.filter(|(part, _)| part.starts_with('{')).map(|(_, given)| given).collect();
    (!given.is_empty()).then(|| given.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_what_the_address_names() {
        let of = |path| parameters("/admin/v1/organizations/{id}/licences/{module}", path);
        assert_eq!(of("/admin/v1/organizations/7/licences/books").as_deref(), Some("7 books"));
        assert_eq!(parameters("/admin/v1/me", "/admin/v1/me"), None);
    }

    #[test]
    fn an_answer_was_done_refused_or_failed() {
        assert_eq!(outcome(StatusCode::CREATED), Outcome::Done);
        assert_eq!(outcome(StatusCode::FORBIDDEN), Outcome::Refused);
        assert_eq!(outcome(StatusCode::SERVICE_UNAVAILABLE), Outcome::Failed);
    }
}
