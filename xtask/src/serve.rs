//! `cargo xtask serve`: the release binary, started.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::arguments::Arguments;
use crate::fault::Fault;
use crate::host::{self, Profile};
use crate::workspace::{Workspace, say};

pub(crate) const HELP: &str = "\
cargo xtask serve [--demo] [arguments of `stoa serve`]

Builds as `cargo xtask build --release` does, then becomes `stoa serve`. What you do not say is filled in:

  --data stoa-data              the folder that holds everything; delete it to start over
  --listen 127.0.0.1:8080       the API, /openapi.json and /docs
  --ops-listen 127.0.0.1:9090   /healthz, /readyz, /metrics

With --demo the host makes an organization with sample records and prints its address, user, password, API key and
three curl lines to paste. Ctrl-C ends it; an acknowledged write is on the disk.
";

const DEFAULTS: [(&str, &str); 3] =
    [("--data", "stoa-data"), ("--listen", "127.0.0.1:8080"), ("--ops-listen", "127.0.0.1:9090")];

pub(crate) fn command(workspace: &Workspace, arguments: Arguments) -> Result<(), Fault> {
    let binary = host::build(workspace, Profile::Release)?;
    let mut serve = Command::new(&binary);
    serve.arg("serve");
    for (name, value) in DEFAULTS {
        if !arguments.has(name) {
            serve.args([name, value]);
        }
    }
    serve.args(arguments.rest());
    say(format_args!("starting {}", binary.display()));
    // Only returns when the binary cannot be run; from here on, signals go to the host itself.
    Err(Fault::at(binary.display())(serve.exec()))
}
