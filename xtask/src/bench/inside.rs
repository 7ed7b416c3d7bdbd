//! Measurements on the library itself: the programs in `host/benches`, which print one line for each figure.

use std::path::Path;
use std::process::Stdio;

use crate::fault::Fault;
use crate::workspace::{Workspace, say};

/// What such a program printed: a name and two numbers in each line, separated by tabs.
pub(super) struct Figures(String);

impl Figures {
    /// Builds and runs `host/benches/{name}.rs`; `folders` are told to it as environment variables.
    pub(super) fn measure(
        workspace: &Workspace,
        name: &str,
        folders: &[(&str, &Path)],
    ) -> Result<Self, Fault> {
        let mut command = workspace.cargo();
        command.args(["bench", "--package", "stoa", "--bench", name]).stderr(Stdio::inherit());
        command.envs(folders.iter().copied());
        say(format_args!("cargo bench --package stoa --bench {name}"));
        let output = command.output().map_err(Fault::at("cargo bench"))?;
        if output.status.success() {
            Ok(Self(String::from_utf8_lossy(&output.stdout).into_owned()))
        } else {
            Err(Fault::new(format!("cargo bench: {}", output.status)))
        }
    }

    /// The two numbers of a figure.
    pub(super) fn of(&self, name: &str) -> Result<(u64, u64), Fault> {
        let mut words = self
            .0
            .lines()
            .map(|line| line.split('\t'))
            .find_map(|mut words| (words.next() == Some(name)).then_some(words));
        let mut next = || words.as_mut()?.next()?.parse().ok();
        next().zip(next()).ok_or_else(|| Fault::new(format!("the figure `{name}` is not in:\n{}", self.0)))
    }
}

/// Nanoseconds for people.
pub(super) fn shown(nanoseconds: u64) -> String {
    match nanoseconds {
        0..10_000 => format!("{nanoseconds} ns"),
        10_000..10_000_000 => format!("{} µs", nanoseconds / 1_000),
        _ => format!("{} ms", nanoseconds / 1_000_000),
    }
}
