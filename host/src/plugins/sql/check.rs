//! Compiling the catalogue of a package before anything of it runs: in a limited child, once.
//!
//! The child makes the plugin's tables in memory, under the rules that hold in an organization's file, and compiles every
//! text. It answers a line for the tables and one for each text as it goes, so that its end, however violent, tells which
//! text it was. What passed is remembered by a digest of everything that went in.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Kind, Listed, excerpt};
use crate::plugins::error::PluginError;
use crate::plugins::manifest::Manifest;
use crate::plugins::package::Package;
use crate::plugins::worker::{self, Failed, Job, Limits};
use crate::records::plugin_sql;
use crate::storage::heap;

/// What all texts of a package may cost together.
const LIMITS: Limits = Limits {
    memory: 256 << 20,
    cpu: Duration::from_secs(2),
    // Processor time is what a text costs; a busy machine may take its time.
    wall: Duration::from_secs(20),
    answer: 1 << 20,
};
/// Time in which a statement of the check itself must be compiled; the child's limits come first.
const STATEMENT: Duration = Duration::from_secs(10);
/// Raised when the rules under which texts are compiled change.
const RULES: u32 = 1;

/// What compiling cost: the tables, or a text.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::plugins) struct Cost {
    /// What the statement does; of tables nothing.
    pub(in crate::plugins) kind: Option<Kind>,
    /// Time.
    pub(in crate::plugins) micros: u64,
    /// The most memory that SQLite held meanwhile.
    pub(in crate::plugins) bytes: u64,
}

#[derive(Deserialize, Serialize)]
struct Task {
    manifest: String,
    texts: Vec<Listed>,
}

/// What the child does. Answers a line for the tables and one for each text.
///
/// # Errors
/// Why the tables cannot be made, or what is wrong with the text whose line is missing.
pub(in crate::plugins) fn work(input: &[u8], answer: &mut dyn Write) -> Result<(), String> {
    let task: Task = serde_json::from_slice(input).map_err(|error| error.to_string())?;
    let manifest = Manifest::parse(task.manifest.as_bytes()).map_err(|_| "the manifest does not validate")?;
    let module = &manifest.records;
    let (conn, cost) = measured(|| plugin_sql::scratch(module).map_err(|error| error.to_string()))?;
    say(answer, Cost { kind: None, ..cost })?;
    for Listed { text, kind } in &task.texts {
        let compile =
            || plugin_sql::compile(&conn, module, text, STATEMENT).map_err(|error| error.to_string());
        let (reads, cost) = measured(compile)?;
        let found = if reads { Kind::Read } else { Kind::Write };
        if kind.is_some_and(|stated| stated != found) {
            return Err(format!("sql.json says that it is a {kind:?}, and it is a {found:?}"));
        }
        say(answer, Cost { kind: Some(found), ..cost })?;
    }
    Ok(())
}

fn measured<T>(f: impl FnOnce() -> Result<T, String>) -> Result<(T, Cost), String> {
    let started = Instant::now();
    heap::forget_peak();
    let made = f()?;
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    Ok((made, Cost { kind: None, micros, bytes: heap::peak() }))
}

fn say(answer: &mut dyn Write, cost: Cost) -> Result<(), String> {
    let mut line = serde_json::to_vec(&cost).map_err(|error| error.to_string())?;
    line.push(b'\n');
    answer.write_all(&line).and_then(|()| answer.flush()).map_err(|error| error.to_string())
}

/// What was compiled before, kept beside compiled components.
#[derive(Clone, Debug)]
pub(in crate::plugins) struct Checks {
    folder: PathBuf,
    key: [u8; 32],
}

impl Checks {
    pub(in crate::plugins) fn new(folder: PathBuf, key: [u8; 32]) -> Self {
        Self { folder, key }
    }

    /// Compiles the texts of a package and its private tables, now or before. The first cost is that of the tables.
    ///
    /// # Errors
    /// The text that was refused and why.
    pub(in crate::plugins) fn pass(
        &self,
        package: &Package,
        manifest: &Manifest,
        texts: &[Listed],
    ) -> Result<Vec<Cost>, PluginError> {
        if texts.is_empty() && manifest.records.private.is_empty() {
            return Ok(Vec::new());
        }
        let digest = self.digest(package);
        if let Some(costs) = self.kept(&digest) {
            return Ok(costs);
        }
        tracing::info!(package = package.name, texts = texts.len(), "compiling SQL");
        let costs = check_texts(&package.manifest, texts).map_err(|(text, detail)| PluginError::Sql {
            package: package.name.clone(),
            text,
            detail,
        })?;
        if let Err(error) = self.keep(&digest, &costs) {
            tracing::warn!(%error, "that the texts were compiled cannot be kept; they will be compiled again at the next start");
        }
        Ok(costs)
    }

    /// Under another key nothing is known, so the digest is keyed.
    fn digest(&self, package: &Package) -> Vec<u8> {
        let mut all = Sha256::new();
        for part in
            [env!("CARGO_PKG_VERSION").as_bytes(), &RULES.to_le_bytes(), &package.manifest, &package.sql]
        {
            all.update((part.len() as u64).to_le_bytes());
            all.update(part);
        }
        self.tag(&all.finalize(), b"")
    }

    fn tag(&self, digest: &[u8], costs: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        for part in [b"sql".as_slice(), digest, costs] {
            mac.update(part);
        }
        mac.finalize().into_bytes().to_vec()
    }

    fn path(&self, digest: &[u8]) -> PathBuf {
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{name}.sql"))
    }

    fn kept(&self, digest: &[u8]) -> Option<Vec<Cost>> {
        let file = std::fs::read(self.path(digest)).ok()?;
        let (tag, costs) = file.split_at_checked(32)?;
        bool::from(self.tag(digest, costs).ct_eq(tag)).then(|| serde_json::from_slice(costs).ok())?
    }

    /// The file appears under its name only when it is whole.
    fn keep(&self, digest: &[u8], costs: &[Cost]) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let costs = serde_json::to_vec(costs)?;
        let path = self.path(digest);
        let part = path.with_extension(format!("part{}", std::process::id()));
        std::fs::write(&part, [self.tag(digest, &costs), costs].concat())?;
        std::fs::rename(&part, &path)
    }
}

/// Compiles texts against the tables of a manifest in a limited child. The first cost is that of the tables.
///
/// # Errors
/// The beginning of the text that is refused (none: the tables) and why.
pub(in crate::plugins) fn check_texts(
    manifest: &[u8],
    texts: &[Listed],
) -> Result<Vec<Cost>, (Option<String>, String)> {
    let task = Task { manifest: String::from_utf8_lossy(manifest).into_owned(), texts: texts.to_vec() };
    let input = serde_json::to_vec(&task).map_err(|error| (None, error.to_string()))?;
    let (answered, error) = match worker::run(Job::SqlTexts, LIMITS, &input) {
        Ok(answered) => (answered, None),
        Err(Failed { answered, error }) => (answered, Some(error)),
    };
    let lines = answered.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let costs: Vec<Cost> = lines.map_while(|line| serde_json::from_slice(line).ok()).collect();
    let culprit =
        || costs.len().checked_sub(1).and_then(|at| texts.get(at)).map(|listed| excerpt(&listed.text));
    match error {
        None if costs.len() == texts.len() + 1 => Ok(costs),
        None => Err((culprit(), "the answer about it is torn".to_owned())),
        Some(error) => Err((culprit(), error.to_string())),
    }
}
