//! What can go wrong with a command, in words for the operator.

use std::io;
use std::path::PathBuf;

use serde_json::Value;

use crate::app::AppError;

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Another host has the folder.
    #[error("another host serves {}", .0.display())]
    FolderTaken(PathBuf),
    /// A host has the folder's lock and does not answer.
    #[error("a host holds {} and does not answer on its socket", .0.display())]
    NoAnswer(PathBuf),
    /// Something of the machine failed.
    #[error("{0}")]
    Io(&'static str, #[source] io::Error),
    /// A file failed.
    #[error("{}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// An address cannot be listened to.
    #[error("cannot listen on {0}")]
    Listen(String, #[source] io::Error),
    /// A package, or what is to be one, is not good.
    #[error("{0}")]
    Package(String),
    /// Something of an author's project, with what to do.
    #[error("{0}")]
    Author(String),
    /// Something that the operator asked for, with what to do.
    #[error("{0}")]
    Operator(String),
    /// The host refused.
    #[error("{}", told(.0))]
    Refused(Value),
    /// The connection to the host broke.
    #[error("the host's answer broke off")]
    Connection(#[source] hyper::Error),
    /// The host answered something else than JSON.
    #[error("the host's answer is not what was expected")]
    Answer(#[source] serde_json::Error),
    /// The application cannot start.
    #[error("the host cannot start")]
    App(#[from] AppError),
}

/// A problem document as text, with every fault on a line of its own, and what to do next.
fn told(problem: &Value) -> String {
    let detail = problem["detail"].as_str().unwrap_or("the host refused");
    let faults = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let part = |fault: &Value, name: &str| fault[name].as_str().unwrap_or_default().to_owned();
    let mut text = match faults {
        // The detail of a single fault is the problem's.
        [only] if only["detail"] == problem["detail"] => {
            format!("{}: {detail}", part(only, "pointer").trim_start_matches('/'))
        }
        _ => detail.to_owned(),
    };
    for fault in faults.iter().filter(|fault| fault["detail"] != problem["detail"]) {
        text.push_str(&format!("\n  {}: {}", part(fault, "pointer"), part(fault, "detail")));
    }
    if let Some(next) = problem["code"].as_str().and_then(next) {
        text.push_str(&format!("\n{next}"));
    }
    text
}

/// What helps against a refusal that does not say it itself.
fn next(code: &str) -> Option<&'static str> {
    Some(match code {
        "package_untrusted" => {
            "`stoa plugin trust` trusts a publisher's key, `stoa plugin publishers` shows whose are."
        }
        "package_refused" => "`stoa plugin check FILE.stoa` says the same where the package is made.",
        "taken" | "publisher_key_not_found" => "`stoa plugin publishers` shows publishers and their keys.",
        "publisher_not_found" => {
            "A new publisher is trusted with `--level`; `stoa plugin publishers` shows the others."
        }
        "plugin_version_not_found" => {
            "`stoa plugin list` shows what there is, `stoa plugin publish` brings a package."
        }
        "module_not_installed" => {
            "`stoa plugin list` shows what is at hand, `stoa plugin publish` brings a package."
        }
        "installation_not_found" => {
            "`stoa plugin installed --org SLUG` shows what it has, `stoa plugin install` brings more."
        }
        "version_never_ran" => {
            "Only versions that ran there before can be gone back to; newer ones can be installed."
        }
        "nothing_before" => "`stoa plugin install ID@VERSION --org SLUG` goes to a version by name.",
        "plugin_needs" => "Install those first: `stoa plugin install`.",
        "plugin_needed" => "Disable or uninstall those first.",
        "version_unfit" => "What was there runs on; `stoa plugin installed --org SLUG` keeps the reason.",
        "plugin_in_use" => "It is disabled; try again in a few seconds.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_with_all_its_faults() {
        let problem = serde_json::json!({
            "detail": "The input has 2 faults.",
            "errors": [{"pointer": "/a", "detail": "Is bad."}, {"pointer": "/b", "detail": "Is worse."}],
        });
        assert_eq!(
            CliError::Refused(problem).to_string(),
            "The input has 2 faults.\n  /a: Is bad.\n  /b: Is worse."
        );
        let one =
            serde_json::json!({"detail": "Is bad.", "errors": [{"pointer": "/a", "detail": "Is bad."}]});
        assert_eq!(CliError::Refused(one).to_string(), "a: Is bad.");
    }

    #[test]
    fn a_refusal_says_what_to_do_next() {
        let problem = serde_json::json!({ "detail": "Nobody knows it.", "code": "publisher_not_found" });
        let text = CliError::Refused(problem).to_string();
        assert!(text.starts_with("Nobody knows it.\n") && text.contains("--level"), "{text}");
    }
}
