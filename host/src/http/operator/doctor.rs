//! The doctor: whether an installation is fit to serve, told check by check.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Operator;
use crate::http::problem::chain;
use crate::plugins::Plugin;
use crate::storage;

/// Below this many open files an installation stalls under load.
const FEWEST_FILES: u64 = 1_024;

/// 2025-01-01: a clock before it would date everything wrong.
const EARLIEST: i64 = 1_735_689_600_000;

struct Check {
    name: String,
    fault: Option<String>,
    detail: String,
}

fn check<E: std::fmt::Display>(name: &str, outcome: Result<String, E>) -> Check {
    let name = name.to_owned();
    match outcome {
        Ok(detail) => Check { name, fault: None, detail },
        Err(fault) => Check { name, fault: Some(fault.to_string()), detail: String::new() },
    }
}

/// Runs every check.
pub async fn examine(operator: &Operator) -> Value {
    let mut checks = vec![
        check("sqlite", storage::check_sqlite_version().map(|()| "new enough".to_owned())),
        check("clock", clock(operator.app.clock.now())),
        check("open files", open_files()),
        check("data folder", private(&operator.data, "")),
    ];
    for name in ["secrets", "master.key"] {
        // The master key may come from the environment instead.
        if operator.data.join(name).exists() {
            checks.push(check(name, private(&operator.data, name)));
        }
    }
    checks.push(check("plugins", plugins(operator)));
    organizations(operator, &mut checks).await;
    let ok = checks.iter().all(|check| check.fault.is_none());
    let checks: Vec<Value> = checks
        .into_iter()
        .map(|c| json!({ "name": c.name, "ok": c.fault.is_none(), "detail": c.fault.unwrap_or(c.detail) }))
        .collect();
    json!({ "ok": ok, "version": env!("CARGO_PKG_VERSION"), "checks": checks })
}

fn clock(now: i64) -> Result<String, String> {
    let text = crate::clock::rfc3339(now);
    if now > EARLIEST { Ok(text) } else { Err(format!("the machine says it is {text}")) }
}

fn open_files() -> Result<String, String> {
    let (soft, hard) = rlimit::Resource::NOFILE.get().map_err(|error| error.to_string())?;
    let text = format!("{soft} allowed, {hard} at most");
    if soft >= FEWEST_FILES {
        Ok(text)
    } else {
        Err(format!("{text}: raise it to {FEWEST_FILES} or more (ulimit -n)"))
    }
}

fn private(folder: &Path, name: &str) -> Result<String, String> {
    let path = if name.is_empty() { folder.to_path_buf() } else { folder.join(name) };
    let mode = std::fs::metadata(&path).map_err(|error| error.to_string())?.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(format!("{} (mode {mode:o})", path.display()));
    }
    Err(format!("{} has mode {mode:o}: others can reach it; chmod go= it", path.display()))
}

fn plugins(operator: &Operator) -> Result<String, String> {
    let named = |plugin: &Arc<Plugin>| format!("{} {}", plugin.manifest.id, plugin.manifest.version);
    let installed: Vec<String> = operator.app.plugins.all().iter().map(named).collect();
    if installed.is_empty() {
        return Err("none is installed: build with plugins embedded, or start with --plugins DIR".to_owned());
    }
    Ok(installed.join(", "))
}

/// Enters each organization, which opens its files, checks its tables and compiles its policy.
async fn organizations(operator: &Operator, checks: &mut Vec<Check>) {
    let all = match operator.app.organizations.list().await {
        Ok(all) => all,
        Err(error) => return checks.push(check::<String>("control database", Err(chain(&error)))),
    };
    checks.push(check::<String>("control database", Ok(format!("{} organizations", all.len()))));
    for organization in all {
        let name = format!("organization {}", organization.slug);
        let outcome = match operator.app.enter(&organization).await {
            Ok(_) => Ok(organization.status.as_str().to_owned()),
            Err(error) => Err(chain(&error)),
        };
        checks.push(check(&name, outcome));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_can_reach_is_a_fault() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let set =
            |mode| std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        set(0o700);
        assert!(private(folder.path(), "").is_ok());
        set(0o755);
        assert!(private(folder.path(), "").unwrap_err().contains("755"));
    }

    #[test]
    fn a_clock_in_the_past_is_a_fault() {
        assert!(clock(0).is_err());
        assert!(clock(EARLIEST + 1).is_ok());
    }
}
