//! `stoa plugin dev`: a host with a demo organization that runs the author's plugin, built anew at every change and swapped
//! while the host goes on. What does not build, or what a host would refuse, is told, and the version before keeps running.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;

use super::build::{self, Built};
use super::cargo::Project;
use super::{Scratch, UNPUBLISHED};
use crate::app::App;
use crate::cli::arguments::{Arguments, Command, DevProject};
use crate::cli::{CliError, demo, output, serve};
use crate::clock::Clock;
use crate::plugins::{Archive, Plugin, Trust};

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Folders in which nothing is that becomes part of the plugin.
const ASIDE: [&str; 4] = ["target", ".git", "tests", "node_modules"];

/// An author's folder and what is made of it.
struct Workshop {
    project: Project,
    /// Packages that the host reads at its start: this one alone.
    packages: PathBuf,
}

pub(super) async fn run(options: DevProject) -> Result<ExitCode, CliError> {
    let folder = options.folder.clone();
    let opening = tokio::task::spawn_blocking(move || Workshop::open(&folder));
    let workshop = opening.await.map_err(|_| CliError::Author("the build ended abnormally".into()))??;
    let data = options.data.unwrap_or_else(|| workshop.packages.with_file_name("data"));
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut words: Vec<String> = ["stoa", "serve", "--demo"].map(str::to_owned).to_vec();
    words.extend(["--data".to_owned(), text(&data), "--plugins".to_owned(), text(&workshop.packages)]);
    words.extend(["--listen".to_owned(), options.listen.to_string()]);
    for listener in ["--ops-listen", "--platform-listen"] {
        words.extend([listener.to_owned(), "127.0.0.1:0".to_owned()]);
    }
    let Ok(Arguments { command: Command::Serve(serve) }) = Arguments::try_parse_from(words) else {
        return Err(CliError::Author("the host cannot be told what to serve".into()));
    };
    serve::run_with(serve, Clock::system(), |app| {
        tokio::spawn(follow(workshop, app));
    })
    .await
}

impl Workshop {
    /// Builds for the first time: there must be something to run.
    fn open(folder: &Path) -> Result<Self, CliError> {
        let project = Project::find(folder)?;
        let scratch = Scratch::new()?;
        let packages = project.packages.with_file_name("stoa-dev").join("packages");
        let workshop = Self { project, packages };
        let built = build::build(&workshop.project, &scratch.maker()?)?;
        workshop.lay_out(&built)?;
        Ok(workshop)
    }

    /// Where the host finds it at its next start, and nothing else.
    fn lay_out(&self, built: &Built) -> Result<(), CliError> {
        let failed = |error| CliError::File(self.packages.clone(), error);
        if self.packages.exists() {
            std::fs::remove_dir_all(&self.packages).map_err(failed)?;
        }
        build::lay_out(&self.packages.join(&built.id), &built.files).map_err(failed)
    }

    /// When the newest of the author's files was written, and how many there are.
    fn stamp(&self) -> (Option<SystemTime>, usize) {
        let mut stamp = (None, 0);
        look(&self.project.folder, &mut stamp);
        stamp
    }

    /// Builds what is there now, and has the host check it as it checks every package.
    fn make(&self, app: &App) -> Result<(Plugin, Instant), String> {
        let built = build::build(&self.project, app.plugins.maker()).map_err(|error| error.to_string())?;
        let compiled = Instant::now();
        let archive =
            Archive::pack(built.files.clone(), UNPUBLISHED, None).map_err(|fault| fault.to_string())?;
        let plugin = app
            .plugins
            .check(&archive, Trust::Local)
            .map_err(|faults| faults.iter().map(|fault| format!("\n  {fault}")).collect::<String>())?;
        self.lay_out(&built).map_err(|error| error.to_string())?;
        Ok((plugin, compiled))
    }
}

fn look(folder: &Path, stamp: &mut (Option<SystemTime>, usize)) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        // The manifest is written by the build itself.
        if name == "manifest.json" || name == "Cargo.lock" || ASIDE.iter().any(|aside| name == *aside) {
            continue;
        }
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() {
            look(&entry.path(), stamp);
        } else {
            stamp.0 = stamp.0.max(about.modified().ok());
            stamp.1 += 1;
        }
    }
}

/// Swaps the plugin whenever the folder changes, for as long as the host runs.
async fn follow(workshop: Workshop, app: App) {
    if let Err(why) = ready(&app).await {
        output::say(&why);
    }
    output::say(&format!("Following {}; Ctrl-C ends it.", workshop.project.folder.display()));
    let workshop = Arc::new(workshop);
    let mut seen = workshop.stamp();
    loop {
        tokio::time::sleep(LOOK).await;
        let now = workshop.stamp();
        if now == seen {
            continue;
        }
        seen = now;
        let (shop, host) = (Arc::clone(&workshop), app.clone());
        let made = tokio::task::spawn_blocking(move || shop.make(&host)).await;
        let outcome = match made {
            Ok(Ok((plugin, compiled))) => swap(&app, plugin, compiled).await,
            Ok(Err(why)) => Err(why),
            Err(error) => Err(error.to_string()),
        };
        match outcome {
            Ok(said) => output::say(&said),
            Err(why) => output::say(&format!("Refused; the version before keeps running: {why}")),
        }
    }
}

/// Puts the new one into the place of all that ran before; and back, when the organization's data does not fit it.
async fn swap(app: &App, plugin: Plugin, compiled: Instant) -> Result<String, String> {
    let (id, version) = (Arc::clone(&plugin.manifest.id), Arc::clone(&plugin.manifest.version));
    let before = app.plugins.versions(&id);
    app.plugins.shelve(plugin);
    for old in before.iter().filter(|old| old.manifest.version != version) {
        app.plugins.take_off(&id, &old.manifest.version);
    }
    if let Err(why) = ready(app).await {
        app.plugins.take_off(&id, &version);
        for old in before {
            app.plugins.shelve(old);
        }
        return Err(why);
    }
    Ok(format!("Swapped {id} {version}, {} ms after the compiler was done.", compiled.elapsed().as_millis()))
}

/// The demo organization, licensed for everything and brought to the schema of what runs now.
async fn ready(app: &App) -> Result<(), String> {
    let found = app.organizations.by_slug(demo::SLUG).await.map_err(|error| error.to_string())?;
    let organization = found.ok_or("there is no demo organization")?;
    for module in app.modules() {
        app.licensing.license(organization.id, &module, None).await.map_err(|error| error.to_string())?;
    }
    app.enter(&organization).await.map(|_| ()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_author_writes_is_seen_and_what_the_build_writes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = || {
            let mut stamp = (None, 0);
            look(folder.path(), &mut stamp);
            stamp.1
        };
        for (path, files) in [("src/lib.rs", 1), ("target/x", 1), ("manifest.json", 1), ("docs/a.md", 2)] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            assert_eq!(stamp(), files, "{}", path.display());
        }
    }
}
