//! The host as a process: started on free ports in a folder of its own, waited for, stopped, killed.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::organization::Organization;
use crate::ports::free_address;
use crate::wait_for;

/// Long, because a debug build compiles the components at its first start.
const START: Duration = Duration::from_secs(120);
const STOP: Duration = Duration::from_secs(30);

/// How to start a host; the default suits most tests.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    binary: Option<PathBuf>,
    plugins: Option<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    fresh: bool,
    at: Option<i64>,
}

impl Setup {
    /// Another binary than the environment names.
    #[must_use]
    pub fn binary(mut self, path: &Path) -> Self {
        self.binary = Some(path.to_owned());
        self
    }

    /// Packages beside the embedded ones: a folder with `<id>/{component.wasm,manifest.json,sql.json}`.
    #[must_use]
    pub fn plugins(mut self, folder: &Path) -> Self {
        self.plugins = Some(folder.to_owned());
        self
    }

    /// A variable of the host's environment.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Begins with an empty folder even when `STOA_TEST_SEED` offers a prepared one.
    #[must_use]
    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }

    /// A clock that stands at this instant, in milliseconds since 1970, until [`Host::advance`] moves it.
    #[must_use]
    pub fn at(mut self, millis: i64) -> Self {
        self.at = Some(millis);
        self
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When there is no binary or the host does not become ready.
    #[must_use]
    pub fn start(self) -> Host {
        let folder = tempfile::Builder::new()
            .prefix("stoa-")
            .tempdir()
            .unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        if let Some(seed) = std::env::var_os("STOA_TEST_SEED").filter(|_| !self.fresh) {
            copy(Path::new(&seed), &folder.path().join("data"))
                .unwrap_or_else(|error| panic!("copy of {seed:?}: {error}"));
        }
        let binary = self.binary.clone().unwrap_or_else(default_binary);
        if self.at.is_some() {
            // The prepared folder holds nothing of anybody: it may have made-up times.
            let marker = folder.path().join("data");
            fs::create_dir_all(&marker)
                .and_then(|()| fs::write(marker.join("virtual-clock"), ""))
                .unwrap_or_else(|error| panic!("{}: {error}", marker.display()));
        }
        let mut host = Host {
            setup: self,
            binary,
            folder,
            address: String::new(),
            operations: String::new(),
            platform: String::new(),
            child: None,
        };
        host.start_again();
        host
    }
}

/// A running host, killed when dropped.
pub struct Host {
    setup: Setup,
    binary: PathBuf,
    folder: TempDir,
    address: String,
    operations: String,
    platform: String,
    child: Option<Child>,
}

/// What a command of the `stoa` binary printed.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The command, for messages.
    pub command: String,
    /// Whether it ended with exit code 0.
    pub succeeded: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// Fails the test unless the command succeeded.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn ok(&self) -> &Self {
        assert!(self.succeeded, "`{}` failed: {}{}", self.command, self.stdout, self.stderr);
        self
    }

    /// The one JSON object that `--json` prints.
    ///
    /// # Panics
    /// When the command failed or printed something else.
    #[track_caller]
    pub fn json(&self) -> Value {
        self.ok();
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|_| panic!("`{}` printed {}", self.command, self.stdout))
    }
}

impl Host {
    /// A host with the embedded plugins in a temporary folder.
    #[must_use]
    pub fn start() -> Self {
        Setup::default().start()
    }

    /// The same with the packages of `plugins` beside the embedded ones.
    #[must_use]
    pub fn start_with(plugins: &Path) -> Self {
        Setup::default().plugins(plugins).start()
    }

    /// Creates an organization with these modules.
    #[must_use]
    pub fn organization(&self, slug: &str, modules: &[&str]) -> Organization<'_> {
        Organization::create(self, slug, modules)
    }

    /// `host:port` of the API.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The folder given to `--data`.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Copies the data folder of a stopped host.
    ///
    /// # Errors
    /// When the copy cannot be written.
    pub fn save(&self, to: &Path) -> std::io::Result<()> {
        copy(&self.data(), to)
    }

    /// Moves the clock of a host that was set up with [`Setup::at`], and waits until it stands there.
    ///
    /// # Panics
    /// When the host has the machine's clock, or does not answer.
    pub fn advance(&mut self, by: Duration) {
        let now =
            self.setup.at.unwrap_or_else(|| panic!("this host has the machine's clock: use `Setup::at`"));
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let input = self.child.as_mut().and_then(|child| child.stdin.as_mut());
        let told = input.map(|input| writeln!(input, "advance {millis}").and_then(|()| input.flush()));
        assert!(matches!(told, Some(Ok(()))), "the host does not listen");
        let then = now.saturating_add(millis);
        self.setup.at = Some(then);
        let line = format!("clock {then}");
        wait_for("the clock", STOP, || self.log().lines().any(|said| said == line).then_some(()));
    }

    /// What the host has written to its standard output and error so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// A caller without prefix and token.
    #[must_use]
    pub fn bare(&self) -> Client {
        Client::new(&self.address, "", None)
    }

    /// A caller of the operations listener.
    #[must_use]
    pub fn operations(&self) -> Client {
        Client::new(&self.operations, "", None)
    }

    /// A caller of the platform's own listener.
    #[must_use]
    pub fn platform(&self) -> Client {
        Client::new(&self.platform, "", None)
    }

    /// Runs `stoa ARGUMENTS... --data FOLDER`, whether or not the host runs.
    pub fn cli<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Finished {
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--data").arg(self.data()).stdin(Stdio::null());
        let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", self.binary.display()));
        let words: Vec<_> =
            arguments.iter().map(|word| word.as_ref().to_string_lossy().into_owned()).collect();
        Finished {
            command: format!("stoa {}", words.join(" ")),
            succeeded: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Ends the process at once, as `kill -9` does.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error means that it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks the process to end and waits until it has.
    ///
    /// # Panics
    /// When it does not.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(asked.is_ok_and(|status| status.success()), "kill -TERM {}", child.id());
        wait_for("the end of the host after SIGTERM", STOP, || child.try_wait().ok().flatten());
    }

    /// Stops it when it runs, and starts it again on the same folder. The ports change.
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    fn start_again(&mut self) {
        for _ in 0..3 {
            if self.try_start() {
                return;
            }
        }
        panic!("the host did not start; its log:\n{}", self.log());
    }

    /// Whether it became ready; it may lose the race for a port.
    fn try_start(&mut self) -> bool {
        let free = || free_address().unwrap_or_else(|error| panic!("no free port: {error}"));
        (self.address, self.operations, self.platform) = (free(), free(), free());
        self.child = Some(self.spawn());
        let operations = self.operations();
        wait_for("a ready host", START, || {
            if operations.call("GET", "/readyz").attempt().is_ok_and(|answer| answer.status() == 200) {
                return Some(true);
            }
            let ended = self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            ended.then_some(false)
        })
    }

    fn spawn(&self) -> Child {
        let open = || File::options().create(true).append(true).open(self.log_file());
        let (out, err) = (open(), open());
        let mut command = Command::new(&self.binary);
        match self.setup.at {
            Some(at) => command.args(["plugin", "stage", "--at", &at.to_string()]),
            None => command.arg("serve"),
        };
        command.arg("--data").arg(self.data());
        command.args(["--listen", &self.address, "--ops-listen", &self.operations]);
        command.args(["--platform-listen", &self.platform]);
        if let Some(plugins) = &self.setup.plugins {
            command.arg("--plugins").arg(plugins);
        }
        command
            .env_remove("STOA_MASTER_KEY")
            .envs(self.setup.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(if self.setup.at.is_some() { Stdio::piped() } else { Stdio::null() });
        if let (Ok(out), Ok(err)) = (out, err) {
            command.stdout(out).stderr(err);
        }
        command.spawn().unwrap_or_else(|error| {
            panic!("{}: {error}. `cargo xtask test` builds the host and sets STOA_BIN", self.binary.display())
        })
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("host.log")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("the last lines of the host's log:");
            for line in tail.iter().rev() {
                eprintln!("  {line}");
            }
        }
    }
}

/// `STOA_BIN`, else the debug build in the target folder that this test runs from, else the one on the path.
fn default_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("STOA_BIN") {
        return path.into();
    }
    // A test binary lies in `<target>/debug/deps`.
    let here = std::env::current_exe().unwrap_or_default();
    let built = here.ancestors().nth(2).unwrap_or(Path::new("target/debug")).join("stoa");
    if built.is_file() { built } else { "stoa".into() }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
