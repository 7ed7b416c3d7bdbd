//! Compiled components, made once and kept by digest. What is loaded is machine code, so nothing is loaded that this
//! installation did not make itself: a keyed checksum stands beside each artifact and is verified first. The compiler works
//! in a limited child, since what a stranger wrote can make it take any time and memory, or fall over.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::engine;
use super::error::PluginError;
use super::package::Package;
use super::worker::{self, Job, Limits};

/// What compiling one component may cost.
const LIMITS: Limits = Limits {
    memory: 2 << 30,
    cpu: Duration::from_secs(60),
    // Processor time is what a component costs; a busy machine may take its time.
    wall: Duration::from_secs(240),
    answer: 256 << 20,
};

/// What the child does: a component in, machine code out.
///
/// # Errors
/// Why it is no component that can be compiled.
pub(super) fn work(input: &[u8], answer: &mut dyn Write) -> Result<(), String> {
    let engine = engine::compiler().map_err(|error| error.to_string())?;
    let artifact = engine.precompile_component(input).map_err(|error| format!("{error:#}"))?;
    answer.write_all(&artifact).map_err(|error| error.to_string())
}

/// Where compiled components are kept.
#[derive(Clone, Debug)]
pub(super) struct Artifacts {
    folder: PathBuf,
    key: [u8; 32],
}

impl Artifacts {
    pub(super) fn new(folder: PathBuf, key: [u8; 32]) -> Self {
        Self { folder, key }
    }

    /// The package's component, compiled now or before.
    pub(super) fn load(&self, engine: &Engine, package: &Package) -> Result<Component, PluginError> {
        let refuse = |detail: String| PluginError::Component { package: package.name.clone(), detail };
        if Engine::detect_precompiled(&package.component).is_some() {
            return Err(refuse(
                "it is machine code, not a component; packages carry portable components only".into(),
            ));
        }
        let mut compatibility = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut compatibility);
        let digest: String =
            Sha256::digest(&package.component).iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.folder.join(format!("{digest}-{:016x}.cwasm", compatibility.finish()));
        if let Some(component) = self.kept(engine, &path) {
            return Ok(component);
        }
        tracing::info!(package = package.name, bytes = package.component.len(), "compiling component");
        let artifact = worker::run(Job::Component, LIMITS, &package.component)
            .map_err(|failed| refuse(format!("compiling it: {}", failed.error)))?;
        if let Err(error) = self.keep(&path, &artifact) {
            tracing::warn!(%error, "the compiled component cannot be kept; it will be compiled again at the next start");
        }
        // What the pool has no room for is found here: memories, tables and instances of modules.
        deserialize(engine, &artifact).map_err(|error| refuse(format!("it does not load: {error:#}")))
    }

    fn tag(&self, artifact: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(artifact);
        mac.finalize().into_bytes().to_vec()
    }

    fn kept(&self, engine: &Engine, path: &Path) -> Option<Component> {
        let (artifact, tag) = (std::fs::read(path).ok()?, std::fs::read(path.with_extension("mac")).ok()?);
        if !bool::from(self.tag(&artifact).ct_eq(&tag)) {
            tracing::error!(path = %path.display(), "a compiled component was changed by somebody else; it is compiled anew");
            return None;
        }
        deserialize(engine, &artifact).ok()
    }

    /// Both files appear under their names only when they are whole.
    fn keep(&self, path: &Path, artifact: &[u8]) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        for (path, bytes) in [(path.to_owned(), artifact), (path.with_extension("mac"), &*self.tag(artifact))]
        {
            let part = path.with_extension(format!("part{}", std::process::id()));
            let mut file = std::fs::File::create(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&part, &path)?;
        }
        Ok(())
    }
}

#[expect(
    unsafe_code,
    reason = "wasmtime cannot prove that bytes are its own artifact; the keyed checksum above does"
)]
fn deserialize(engine: &Engine, artifact: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes come from `precompile_component` of a child of this process and this binary, or from a file that this installation
    // wrote and whose HMAC under the installation's secret key was just verified.
    unsafe { Component::deserialize(engine, artifact) }
}
