//! Standard output is the answer, standard error is everything else.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use serde_json::Value;
use tracing_subscriber::EnvFilter;

use super::CliError;
use crate::http::problem::chain;

/// Logs to standard error: a host tells what it does, a command only what goes wrong.
pub(super) fn log_to_stderr(host: bool) {
    let default = if host { "info" } else { "error" };
    let filter = EnvFilter::try_from_env("STOA_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let format = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::env::var("STOA_LOG_FORMAT").is_ok_and(|format| format == "json") {
        format.json().init();
    } else {
        format.with_ansi(std::io::stderr().is_terminal()).init();
    }
}

/// Prints a line; a closed standard output is nobody's fault.
pub(super) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// Prints the one JSON object of `--json`.
pub(super) fn json(value: &Value) {
    say(&value.to_string());
}

/// Asks whoever sits at the terminal; `None`: nobody does.
pub(super) fn agree(question: &str) -> Option<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return None;
    }
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{question} [y/N] ");
    let _ = err.flush();
    let mut answer = String::new();
    // A terminal that cannot be read says nothing.
    let _ = std::io::stdin().lock().read_line(&mut answer);
    Some(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Tells why the command failed.
pub(super) fn fail(error: &CliError) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "stoa: {}", chain(error));
    ExitCode::FAILURE
}
