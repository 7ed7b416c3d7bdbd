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

/// A problem document as text, with every fault on a line of its own.
fn told(problem: &Value) -> String {
    let mut text = problem["detail"].as_str().unwrap_or("the host refused").to_owned();
    let faults = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    // The detail of a single fault is the problem's.
    for fault in faults.iter().filter(|fault| fault["detail"] != problem["detail"]) {
        let part = |name: &str| fault[name].as_str().unwrap_or_default().to_owned();
        text.push_str(&format!("\n  {}: {}", part("pointer"), part("detail")));
    }
    text
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
    }
}
