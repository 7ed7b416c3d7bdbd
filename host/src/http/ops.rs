//! The operator's listener: is it alive, is it ready, what does it do. For machines of the installation, never public.

use poem::endpoint::{Endpoint, make, make_sync};
use poem::http::{StatusCode, header};
use poem::{EndpointExt, IntoResponse, Response, Route, get};

use crate::app::App;
use crate::http::metrics::{self, Metrics};
use crate::http::problem::{Problem, chain};

/// The routes of the operator's listener. It tells `metrics`, and does not count itself in them.
pub fn routes(app: App, metrics: Metrics) -> impl Endpoint<Output = Response> + 'static {
    let counted = app.clone();
    let ready = make(move |_| {
        let app = app.clone();
        async move { readiness(&app).await }
    });
    let routes = Route::new()
        .at("/healthz", get(make_sync(|_| plain("ok\n"))))
        .at("/readyz", get(ready))
        .at("/metrics", get(make_sync(move |_| plain(&figures(&counted, &metrics)))));
    crate::http::edge::guarded(routes.map_to_response(), Metrics::default())
}

fn figures(app: &App, metrics: &Metrics) -> String {
    let now = app.clock.now();
    let paused = app.plugins.all().iter().filter(|plugin| plugin.paused_until(now).is_some()).count();
    format!(
        "{}{}",
        metrics.render(app.files.overdue_statements()),
        metrics::plugins(&app.plugins.usage(None, now), paused)
    )
}

fn plain(text: &str) -> Response {
    Response::builder()
        .header(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")
        .body(text.to_owned())
}

/// Ready means that the control database answers.
async fn readiness(app: &App) -> Response {
    // A slug nobody can have: it is asked of the database at most once a second.
    match app.organizations.by_slug("readiness-probe").await {
        Ok(_) => plain("ready\n"),
        Err(error) => {
            tracing::error!(error = %chain(&error), "not ready");
            let detail = "The control database does not answer.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail)
                .with_retry_after(1)
                .into_response()
        }
    }
}
