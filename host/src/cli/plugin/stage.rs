//! `stoa plugin stage`: a host for an author's tests, on a clock that stands still until its standard input moves it. It is
//! what `stoa-testkit` starts; people do not need it.
//!
//! Nothing in production can be moved in time: `stoa serve` takes the machine's clock and reads no other from an option, a
//! variable or a request, and this command opens no folder that such a host has ever served.

use std::io::BufRead as _;
use std::path::Path;
use std::process::ExitCode;

use crate::cli::arguments::StageHost;
use crate::cli::{CliError, output, serve};
use crate::clock::Clock;

/// Stands in folders whose records have made-up times.
const MARKER: &str = "virtual-clock";
/// Stands in every folder that a host has opened.
const OPENED: &str = "control.sqlite";

pub(super) async fn run(options: StageHost) -> Result<ExitCode, CliError> {
    mark(&options.serve.installation.data)?;
    let clock = Clock::fixed(options.at);
    let moved = clock.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let Some(forward) = forward(&line) {
                moved.advance(forward);
                output::say(&format!("clock {}", moved.now()));
            }
        }
    });
    serve::run_with(options.serve, clock, |_| {}).await
}

/// `advance 1000`: forward by so many milliseconds, never back.
fn forward(line: &str) -> Option<i64> {
    line.strip_prefix("advance ")?.parse().ok().filter(|millis| *millis >= 0)
}

/// Takes a folder that is new, or was marked when it was.
fn mark(data: &Path) -> Result<(), CliError> {
    let marker = data.join(MARKER);
    if data.join(OPENED).exists() && !marker.exists() {
        return Err(CliError::Author(format!(
            "{} belongs to a host with a real clock; tests need a folder of their own",
            data.display()
        )));
    }
    let failed = |error| CliError::File(marker.clone(), error);
    std::fs::create_dir_all(data).and_then(|()| std::fs::write(&marker, "")).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_forward_and_only_in_folders_of_tests() {
        assert_eq!(forward("advance 60000"), Some(60_000));
        for line in ["advance -1", "advance", "advance x", "1000", ""] {
            assert_eq!(forward(line), None, "{line}");
        }
        let folder = tempfile::tempdir().unwrap();
        let (fresh, served) = (folder.path().join("fresh"), folder.path().join("served"));
        mark(&fresh).unwrap();
        std::fs::write(fresh.join(OPENED), "").unwrap();
        mark(&fresh).unwrap();
        std::fs::create_dir(&served).unwrap();
        std::fs::write(served.join(OPENED), "").unwrap();
        assert!(mark(&served).is_err());
        assert!(!served.join(MARKER).exists());
    }
}
