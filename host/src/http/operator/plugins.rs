//! Plugins over the socket: the operations of the platform's plane at the same addresses, `/admin/v1/…`, and the same log.
//! The operator needs no token and no role.

use std::sync::Arc;

use poem::endpoint::Endpoint;
use poem::{Request, Response};

use crate::app::App;
use crate::http::platform::{Acting, Desk, desk_of_plugins};
use crate::platform::Signed;

/// What stands in the platform's log where others have an address.
const HERE: &str = "local socket";

/// Asks the plane's desk in the operator's name.
pub(super) struct Plugins {
    desk: Arc<Desk>,
    operator: Signed,
}

impl Plugins {
    pub(super) fn new(app: &App) -> Self {
        Self { desk: desk_of_plugins(app).into(), operator: Signed::operator() }
    }
}

impl Endpoint for Plugins {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let operation = self.desk.operation(&request)?;
        let acting = Acting::default();
        acting.is(&self.operator.admin);
        request.set_data(self.operator.clone());
        self.desk.serve(operation, request, (acting, HERE)).await
    }
}
