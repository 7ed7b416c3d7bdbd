//! A program that knows nothing of Stoa reads the OpenAPI document and tries everything in it: schemathesis, with all of its
//! checks. No 5xx, no status or content type that is not documented, no answer outside its schema, nothing that works
//! without a token, no refused method without its `Allow`.
//!
//! Here it walks the examples and the edges of every parameter, the same ones each time. `cargo xtask prove strangers` has
//! it go on with requests made at random.

use std::path::{Path, PathBuf};
use std::process::Command;

use stoa_testkit::Setup;

/// Seconds that the walk over the edges may take.
const TIME: &str = "150";
/// Set: it goes on at random, so many seconds in all.
const AT_RANDOM: &str = "STOA_STRANGER_SECONDS";

#[test]
fn a_stranger_finds_nothing_that_the_document_does_not_say() {
    // More than one network's share: it asks without a token, too, as often as it can.
    let host = Setup::default().environment("STOA_RATE_STRANGER", "1000000:1000000").start();
    let acme = host.organization("acme", &["sales"]);
    // A person: an operation that deletes keys finds the key it is asked with.
    let owner = acme.owner_in_person();
    let bearer = owner.token().unwrap_or_default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("strangers");
    let report = tempfile::tempdir().unwrap();
    let base = format!("http://{}/t/acme", host.address());
    std::fs::write(report.path().join("openapi.json"), acme.owner().get("/openapi.json").ok().to_string())
        .unwrap();
    let mut run = Command::new(schemathesis(&folder));
    run.arg("--config-file").arg(folder.join("schemathesis.toml"));
    run.args(["run", "openapi.json", "--url", &base, "--header", &format!("Authorization: Bearer {bearer}")]);
    match std::env::var(AT_RANDOM) {
        Ok(seconds) => run.args(["--phases", "examples,coverage,fuzzing", "--max-time", &seconds]),
        Err(_) => run.args(["--phases", "examples,coverage", "--seed", "1", "--max-time", TIME]),
    };
    let finished = run
        .args(["--checks", "all", "--max-examples", "5"])
        .args(["--continue-on-failure", "--no-shrink", "--suppress-health-check", "all"])
        // A rotation in an emergency ends the token that it is asked with.
        .args(["--exclude-operation-id", "rotate_signing_keys"])
        // So does demanding a second factor, of whoever has none.
        .args(["--exclude-operation-id", "set_sign_in_rules"])
        .args(["--request-timeout", "30", "--no-color"])
        .current_dir(report.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&finished.stdout);
    assert!(
        said.contains("API Operations"),
        "it did not run:\n{said}\n{}",
        String::from_utf8_lossy(&finished.stderr)
    );
    assert!(finished.status.success(), "{said}\n\nthe host said:\n{}", host.log());
}

/// The program, installed into `target` as `requirements.txt` says, once for each version of that file.
fn schemathesis(folder: &Path) -> PathBuf {
    let requirements = folder.join("requirements.txt");
    let here = folder.parent().and_then(Path::parent).unwrap().join("target/strangers");
    let (program, done) = (here.join("bin/schemathesis"), here.join("requirements.txt"));
    let wanted = std::fs::read(&requirements).unwrap();
    if program.exists() && std::fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return program;
    }
    let run = |command: &mut Command, why: &str| {
        let output = command.output().unwrap_or_else(|error| panic!("{why}: {error}"));
        assert!(output.status.success(), "{why}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let environment = "python3 with its module venv is needed (Debian: python3-venv)";
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&here), environment);
    let pip = here.join("bin/pip");
    run(Command::new(pip).args(["install", "--quiet", "--requirement"]).arg(&requirements), "pip install");
    std::fs::write(done, wanted).unwrap();
    program
}
