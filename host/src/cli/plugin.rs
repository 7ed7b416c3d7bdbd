//! `stoa plugin`: what authors and publishers do with plugins and packages.
//!
//! This file makes, signs and checks packages; the folder has what authors do before (`new.rs`, `cargo.rs`, `build.rs`,
//! `dev.rs`, `battery/`) and what operators do afterwards (`catalogue.rs`, `installations.rs`).

mod battery;
mod build;
mod cargo;
mod catalogue;
mod dev;
mod installations;
mod new;
mod stage;

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use zeroize::Zeroizing;

use super::arguments::{CheckPackage, KeyGen, PackFolder, PluginCommand, SignPackage};
use super::{CliError, output};
use crate::plugins::{Archive, LARGEST, Maker, PackageFault, PrivateKey, PublicKey, Trust};

/// Who publishes what is only checked.
const UNPUBLISHED: &str = "nobody yet";

pub(super) async fn run(command: PluginCommand) -> Result<ExitCode, CliError> {
    match command {
        PluginCommand::New(options) => new::run(&options),
        PluginCommand::Build(options) => build::run(&options),
        PluginCommand::Dev(options) => dev::run(options).await,
        PluginCommand::Stage(options) => stage::run(options).await,
        PluginCommand::Test(options) => battery::run(options).await,
        PluginCommand::Keygen(options) => keygen(&options),
        PluginCommand::Pack(options) => pack(&options),
        PluginCommand::Sign(options) => sign(&options),
        PluginCommand::Check(options) => check(&options),
        PluginCommand::Catalogue(command) => catalogue::run(command).await,
        PluginCommand::Installation(command) => installations::run(command).await,
    }
}

fn keygen(options: &KeyGen) -> Result<ExitCode, CliError> {
    let key =
        PrivateKey::generate().ok_or_else(|| CliError::Package("the system gives no randomness".into()))?;
    let failed = |error| CliError::File(options.file.clone(), error);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&options.file).map_err(failed)?;
    file.write_all(key.pem().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    let public = key.public();
    if options.json {
        output::json(&json!({ "key_id": public.id(), "public_key": public.to_string() }));
    } else {
        output::say(&format!("Key {}\nPublic key, for whoever is to trust you:\n  {public}", public.id()));
    }
    Ok(ExitCode::SUCCESS)
}

fn pack(options: &PackFolder) -> Result<ExitCode, CliError> {
    let scratch = Scratch::new()?;
    let files = build::files(&options.folder, &scratch.maker()?)?;
    let mut archive = Archive::pack(files, &options.publisher, options.host.as_deref()).map_err(refused)?;
    if let Some(path) = &options.key {
        archive = archive.sign(&private_key(path)?);
    }
    let file = options.output.clone().unwrap_or_else(|| PathBuf::from(archive.file_name()));
    write(&file, &archive)?;
    report(&file, &archive, options.json)
}

fn sign(options: &SignPackage) -> Result<ExitCode, CliError> {
    let archive = read(&options.file)?.sign(&private_key(&options.key)?);
    write(&options.file, &archive)?;
    report(&options.file, &archive, options.json)
}

fn check(options: &CheckPackage) -> Result<ExitCode, CliError> {
    let scratch = Scratch::new()?;
    let maker = scratch.maker()?;
    let archive = if options.file.is_dir() {
        Archive::pack(build::files(&options.file, &maker)?, UNPUBLISHED, None).map_err(refused)?
    } else {
        read(&options.file)?
    };
    if let Some(text) = &options.public_key {
        let key = PublicKey::parse(text)
            .ok_or_else(|| CliError::Package(format!("`{text}` is no public key: 32 bytes in base64")))?;
        archive.verify(&key).map_err(refused)?;
    }
    let trust = Trust::parse(&options.trust)
        .ok_or_else(|| CliError::Package(format!("`{}` is no level of trust", options.trust)))?;
    maker.check(&archive, trust, None).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
        CliError::Package(format!("{} is refused:{}", options.file.display(), lines.concat()))
    })?;
    report(&options.file, &archive, options.json)
}

fn report(file: &Path, archive: &Archive, as_json: bool) -> Result<ExitCode, CliError> {
    let (index, key) = (archive.index(), archive.signed_by());
    if as_json {
        output::json(&json!({ "file": file, "index": index, "signed_by": key }));
        return Ok(ExitCode::SUCCESS);
    }
    let signed = key.map_or_else(|| "not signed".to_owned(), |key| format!("signed with key {key}"));
    let mut text = format!(
        "{}: {} {} by {}, {signed}\n  contract {}, host {} or newer",
        file.display(),
        index.plugin,
        index.version,
        index.publisher,
        index.contract,
        index.host,
    );
    for listed in &index.files {
        text.push_str(&format!("\n  {:>9}  {}", listed.size, listed.path));
    }
    output::say(&text);
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn refused(fault: PackageFault) -> CliError {
    CliError::Package(fault.to_string())
}

fn read(path: &Path) -> Result<Archive, CliError> {
    Archive::read(&bytes_of(path)?)
        .map_err(|fault| CliError::Package(format!("{} is refused: {fault}", path.display())))
}

/// What the file of a package holds, and one byte more than may be: then whoever reads it says so.
fn bytes_of(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |error| CliError::File(path.to_owned(), error);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    Ok(bytes)
}

/// Whole or not at all: the file appears under its name when it is on the disk.
fn write(path: &Path, archive: &Archive) -> Result<(), CliError> {
    let bytes = archive.to_bytes().map_err(refused)?;
    let part = path.with_extension(format!("part{}", std::process::id()));
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    };
    write().map_err(|error| CliError::File(path.to_owned(), error))
}

fn private_key(path: &Path) -> Result<PrivateKey, CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| CliError::File(path.to_owned(), error))?;
    let bad = || CliError::Package(format!("{} is no key of `stoa plugin keygen`", path.display()));
    PrivateKey::parse(&Zeroizing::new(text)).ok_or_else(bad)
}

/// A folder of this process alone, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, CliError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let name = format!("stoa-check-{}", crate::ids::RequestId::new());
        let path = std::env::temp_dir().join(name);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| CliError::File(path.clone(), error))?;
        Ok(Self(path))
    }

    /// Makes plugins here. Nothing that is compiled here outlives the command, so nobody needs to know the key.
    fn maker(&self) -> Result<Maker, CliError> {
        Self::maker_in(self.0.clone())
    }

    /// The same on another thread.
    fn maker_in(folder: PathBuf) -> Result<Maker, CliError> {
        Maker::new(folder, [0; 32]).map_err(|error| CliError::Package(error.to_string()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is the temporary folder's business.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
