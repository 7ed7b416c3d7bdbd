//! The limited child: work on what strangers wrote, done by another process of this binary.
//!
//! Compiling a component or a statement cannot be bounded inside a process: a text of a kilobyte can take minutes and
//! gigabytes without a callback being asked. So the host starts itself again with the hidden command `worker`, which
//! lowers its own limits of memory, processor time and files before it reads a byte, works from its standard input to its
//! standard output, and is ended when its time is over. The child gets no environment and no file of the installation.
//!
//! This is the only place where a host that serves starts a program, and the program is itself. (The author's commands start
//! cargo: `cli/plugin/cargo.rs`.)

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{ChildStdin, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rlimit::Resource;

use super::artifact;
use super::sql::check;
use crate::storage::heap;

/// The hidden command of this binary.
pub(crate) const COMMAND: &str = "worker";
/// The binary of this very process, also after its file was replaced.
const BINARY: &str = "/proc/self/exe";
/// The exit code of a child that refuses, with the reason on its standard error.
const REFUSED: u8 = 3;
/// Longest reason.
const REASON: u64 = 64 << 10;

/// What a child can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Job {
    /// Compiles a component.
    Component,
    /// Compiles the SQL texts of a package.
    SqlTexts,
}

impl Job {
    const ALL: &[Self] = &[Self::Component, Self::SqlTexts];

    const fn name(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::SqlTexts => "sql-texts",
        }
    }

    /// Reads what it was given, answers as it goes.
    fn work(self, input: &[u8], answer: &mut dyn Write) -> Result<(), String> {
        match self {
            Self::Component => artifact::work(input, answer),
            Self::SqlTexts => check::work(input, answer),
        }
    }
}

/// What a child may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of memory beside what the binary itself takes.
    pub(super) memory: u64,
    /// Processor time, in whole seconds.
    pub(super) cpu: Duration,
    /// Time altogether.
    pub(super) wall: Duration,
    /// Bytes of its answer.
    pub(super) answer: u64,
}

/// Why a child's work came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkerError {
    /// What it was given is not good, in the child's words.
    #[error("{0}")]
    Refused(String),
    /// Its time was over.
    #[error("it took longer than it may")]
    Time,
    /// Its memory was used up.
    #[error("it needed more memory than it may have")]
    Memory,
    /// It ended otherwise.
    #[error("the process that worked on it ended: {0}")]
    Ended(String),
    /// There is no child.
    #[error("no process can be started for it: {0}")]
    Start(#[source] io::Error),
}

/// The end of a child that did not succeed, and what it had answered until then.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) answered: Vec<u8>,
    pub(super) error: WorkerError,
}

/// Has a child do the job, on this thread, which must not be an async worker.
///
/// # Errors
/// Why not, with what was answered before.
pub(super) fn run(job: Job, limits: Limits, input: &[u8]) -> Result<Vec<u8>, Failed> {
    // A test's binary is not `stoa` and has no command: there the job is done on this thread, without limits.
    if cfg!(test) {
        return here(job, input);
    }
    let failed = |error| Failed { answered: Vec::new(), error };
    let mut child = Command::new(BINARY)
        .arg0("stoa-worker")
        .args([COMMAND, job.name()])
        .args(["--memory", &limits.memory.to_string(), "--cpu", &limits.cpu.as_secs().max(1).to_string()])
        .env_clear()
        // The allocator would reserve a gigabyte before the limit is lowered, and then have it to spend.
        .env("MIMALLOC_ARENA_RESERVE", "0")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(WorkerError::Start(error)))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (ended, end) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || give(stdin, input));
        let answered = scope.spawn(move || {
            let read = read_up_to(stdout, limits.answer);
            // Whoever waits may have stopped waiting.
            let _ = ended.send(read.is_ok());
            read
        });
        let reason = scope.spawn(move || read_up_to(stderr, REASON));
        let whole = end.recv_timeout(limits.wall);
        if whole != Ok(true) {
            // It may have ended by itself meanwhile.
            let _ = child.kill();
        }
        let status = child.wait();
        let answered = answered.join().unwrap_or_else(|_| Ok(Vec::new()));
        let reason = reason.join().unwrap_or_else(|_| Ok(Vec::new())).unwrap_or_else(|part| part);
        let outcome = match (whole, status) {
            (Err(_), _) => Err(WorkerError::Time),
            (Ok(false), _) => Err(WorkerError::Ended("its answer is too long".into())),
            (Ok(true), Ok(status)) => outcome(status, &String::from_utf8_lossy(&reason)),
            (Ok(true), Err(error)) => Err(WorkerError::Ended(error.to_string())),
        };
        let answered = answered.unwrap_or_else(|part| part);
        match outcome {
            Ok(()) => Ok(answered),
            Err(error) => Err(Failed { answered, error }),
        }
    })
}

fn here(job: Job, input: &[u8]) -> Result<Vec<u8>, Failed> {
    let mut answered = Vec::new();
    match job.work(input, &mut answered) {
        Ok(()) => Ok(answered),
        Err(reason) => Err(Failed { answered, error: WorkerError::Refused(reason) }),
    }
}

fn give(stdin: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut stdin) = stdin {
        // A child that ended early does not read on; its end says why.
        let _ = stdin.write_all(input);
    }
}

/// Everything, or as an error what fits into the limit.
fn read_up_to(source: Option<impl Read>, limit: u64) -> Result<Vec<u8>, Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(source) = source {
        // A pipe that breaks is the child's end.
        let _ = source.take(limit + 1).read_to_end(&mut bytes);
    }
    if bytes.len() as u64 > limit { Err(bytes) } else { Ok(bytes) }
}

fn outcome(status: ExitStatus, reason: &str) -> Result<(), WorkerError> {
    const SIGABRT: i32 = 6;
    const SIGKILL: i32 = 9;
    const SIGXCPU: i32 = 24;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) if code == i32::from(REFUSED) => Err(WorkerError::Refused(reason.to_owned())),
        // At the hard limit of processor time the system kills.
        (_, Some(SIGXCPU | SIGKILL)) => Err(WorkerError::Time),
        (_, Some(SIGABRT)) if reason.contains("memory allocation of") => Err(WorkerError::Memory),
        _ => Err(WorkerError::Ended(format!("{status}"))),
    }
}

/// The child: what `stoa worker` does.
#[must_use]
pub(crate) fn serve(job: &str, memory: u64, cpu: u64) -> ExitCode {
    let work = || -> Result<(), String> {
        let job = Job::ALL.iter().find(|known| known.name() == job).ok_or("no such job")?;
        lower(memory, cpu).map_err(|error| format!("the limits cannot be set: {error}"))?;
        // SQLite gets less than the process, so that it can still say what it was.
        heap::limit(memory / 4 * 3);
        let mut input = Vec::new();
        io::stdin().lock().read_to_end(&mut input).map_err(|error| error.to_string())?;
        let mut answer = io::stdout().lock();
        job.work(&input, &mut answer)?;
        answer.flush().map_err(|error| error.to_string())
    };
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // Nobody is left to be told if this fails.
            let _ = io::stderr().write_all(reason.as_bytes());
            ExitCode::from(REFUSED)
        }
    }
}

/// Lowers this process's limits for good.
fn lower(memory: u64, cpu: u64) -> io::Result<()> {
    let address_space = occupied()? + memory;
    Resource::AS.set(address_space, address_space)?;
    Resource::CPU.set(cpu, cpu + 1)?;
    Resource::CORE.set(0, 0)?;
    Resource::FSIZE.set(0, 0)?;
    Resource::NOFILE.set(16, 16)
}

/// Bytes of address space that this process has already.
fn occupied() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kibibytes.map(|size| size * 1024).ok_or_else(|| io::Error::other("VmSize is not told"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_by_its_signal() {
        let ended = |raw, reason: &str| outcome(ExitStatus::from_raw(raw), reason);
        assert!(ended(0, "").is_ok());
        assert!(
            matches!(ended(i32::from(REFUSED) << 8, "bad text"), Err(WorkerError::Refused(why)) if why == "bad text")
        );
        assert!(matches!(ended(24, ""), Err(WorkerError::Time)));
        assert!(matches!(ended(9, ""), Err(WorkerError::Time)));
        assert!(matches!(ended(6, "memory allocation of 9 bytes failed"), Err(WorkerError::Memory)));
        assert!(matches!(ended(11, ""), Err(WorkerError::Ended(_))));
        assert!(matches!(ended(1 << 8, ""), Err(WorkerError::Ended(_))));
    }

    #[test]
    fn an_answer_is_read_up_to_its_limit() {
        assert_eq!(read_up_to(Some(&b"abc"[..]), 3), Ok(b"abc".to_vec()));
        assert_eq!(read_up_to(Some(&b"abcd"[..]), 3), Err(b"abcd".to_vec()));
        assert!(occupied().unwrap() > 1 << 20);
    }
}
