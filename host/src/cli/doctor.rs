//! `stoa doctor`: asks the host of the folder for its checks.

#![expect(clippy::indexing_slicing, reason = "reading a member that a JSON value does not have gives null")]

use std::process::ExitCode;

use serde_json::Value;

use super::arguments::Doctor;
use super::host::Host;
use super::{CliError, output};

pub(super) async fn run(options: Doctor) -> Result<ExitCode, CliError> {
    let host = Host::reach(&options.installation).await?;
    let answer = host.client.get("/doctor").await;
    host.leave().await;
    let answer = answer?;
    if options.json {
        output::json(&answer)
    } else {
        output::say(&report(&answer))
    }
    Ok(if answer["ok"] == true { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(answer: &Value) -> String {
    let line = |check: &Value| {
        let mark = if check["ok"] == true { "ok   " } else { "FAULT" };
        let part = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
        format!("{mark} {:<24} {}", part("name"), part("detail"))
    };
    let mut lines: Vec<String> = answer["checks"].as_array().into_iter().flatten().map(line).collect();
    lines.push(if answer["ok"] == true { "Fit to serve.".into() } else { "Not fit to serve.".into() });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_stands_out() {
        let answer = json!({"ok": false, "checks": [
            {"name": "clock", "ok": true, "detail": "now"}, {"name": "secrets", "ok": false, "detail": "mode 644"},
        ]});
        let report = report(&answer);
        assert!(report.contains("FAULT secrets") && report.ends_with("Not fit to serve."), "{report}");
    }
}
