//! `stoa import`: the file becomes a job of the host; this shows how far it is and fetches what was refused.

#![expect(clippy::indexing_slicing, reason = "reading a member that a JSON value does not have gives null")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use hyper::Method;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::arguments::Import;
use super::client::{Client, segment};
use super::host::Host;
use super::{CliError, output};

/// How often to ask how far it is.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn run(options: Import) -> Result<ExitCode, CliError> {
    let spec = std::fs::read_to_string(&options.spec)
        .map_err(|error| CliError::File(options.spec.clone(), error))?;
    let file =
        std::fs::canonicalize(&options.file).map_err(|error| CliError::File(options.file.clone(), error))?;
    let host = Host::reach(&options.installation).await?;
    let outcome = import(&host.client, &options, &file, &spec).await;
    host.leave().await;
    let (job, errors) = outcome?;
    if options.json {
        output::json(&json!({ "job": job, "errors_file": errors }));
    } else {
        output::say(&summary(&job, errors.as_deref()));
    }
    Ok(if job["state"] == "succeeded" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn import(
    client: &Client,
    options: &Import,
    file: &Path,
    spec: &str,
) -> Result<(Value, Option<PathBuf>), CliError> {
    let organization = format!("/organizations/{}", segment(&options.org));
    let job = client.post(&format!("{organization}/imports"), &json!({ "file": file, "spec": spec })).await?;
    let path = format!("{organization}/jobs/{}", job["id"].as_str().unwrap_or_default());
    let job = watch(client, &path).await?;
    if job["progress"]["failed"].as_i64().unwrap_or_default() == 0 {
        return Ok((job, None));
    }
    let csv = client.bytes(Method::GET, &format!("{path}/errors"), None).await?;
    let errors = options.errors.clone().unwrap_or_else(|| errors_file(file));
    std::fs::write(&errors, csv).map_err(|error| CliError::File(errors.clone(), error))?;
    Ok((job, Some(errors)))
}

/// `./accounts.errors.csv` for `/elsewhere/accounts.csv`: the file's own folder may not be the caller's to write in.
fn errors_file(file: &Path) -> PathBuf {
    PathBuf::from(file.file_name().unwrap_or_default()).with_extension("errors.csv")
}

/// Shows the progress until the job is over.
async fn watch(client: &Client, path: &str) -> Result<Value, CliError> {
    let bar = ProgressBar::no_length();
    let template = "{bar:30} {human_pos}/{human_len} rows, {per_sec}, {eta} left {msg}";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    loop {
        let job = client.get(path).await?;
        let number = |name: &str| job["progress"][name].as_u64();
        if let Some(total) = number("total") {
            bar.set_length(total);
        }
        bar.set_position(number("done").unwrap_or_default());
        if let Some(failed) = number("failed").filter(|failed| *failed > 0) {
            bar.set_message(format!("({failed} refused)"));
        }
        if matches!(job["state"].as_str(), Some("succeeded" | "failed" | "cancelled")) {
            bar.finish_and_clear();
            return Ok(job);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn summary(job: &Value, errors: Option<&Path>) -> String {
    let number = |name: &str| job["progress"][name].as_i64().unwrap_or_default();
    let mut text = match job["state"].as_str() {
        Some("succeeded") => format!("{} rows done, {} of them refused.", number("done"), number("failed")),
        Some("cancelled") => format!("Cancelled after {} rows.", number("done")),
        _ => format!(
            "Failed after {} rows: {}",
            number("done"),
            job["error"]["detail"].as_str().unwrap_or_default()
        ),
    };
    if let Some(errors) = errors {
        text.push_str(&format!("\nThe refused rows and their reasons: {}", errors.display()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_rows_are_written_where_the_caller_is() {
        assert_eq!(errors_file(Path::new("/x/a.csv")), Path::new("a.errors.csv"));
    }

    #[test]
    fn the_summary_says_what_became_of_the_rows() {
        let job = json!({"state": "succeeded", "progress": {"done": 10, "failed": 2}});
        let text = summary(&job, Some(Path::new("/x/a.errors.csv")));
        assert_eq!(
            text,
            "10 rows done, 2 of them refused.\nThe refused rows and their reasons: /x/a.errors.csv"
        );
        let job = json!({"state": "failed", "progress": {"done": 3}, "error": {"detail": "no disk"}});
        assert_eq!(summary(&job, None), "Failed after 3 rows: no disk");
    }
}
