//! What the host must not contain: weak algorithms, other sources of randomness than the system's, programs that it starts,
//! patterns that take more than linear time. Tests may.

use std::io;

use super::hold;
use super::source::{Source, is_word, words};

/// Words of code, and why the host does without.
const BANNED: [(&str, &str); 22] = [
    ("md5", "SHA-256 or stronger"),
    ("Md5", "SHA-256 or stronger"),
    ("sha1", "SHA-256 or stronger"),
    ("Sha1", "SHA-256 or stronger"),
    ("ecb", "authenticated encryption"),
    ("Ecb", "authenticated encryption"),
    ("cbc", "authenticated encryption"),
    ("Cbc", "authenticated encryption"),
    ("rc4", "authenticated encryption"),
    ("RSA_PKCS1_SHA1_FOR_LEGACY_USE_ONLY", "SHA-256 or stronger"),
    ("RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY", "SHA-256 or stronger"),
    ("dangerous_insecure_decode", "a token is verified before it is read"),
    ("insecure_disable_signature_validation", "a token is verified before it is read"),
    ("danger_accept_invalid_certs", "certificates are checked"),
    ("danger_accept_invalid_hostnames", "certificates are checked"),
    ("tls_danger_accept_invalid_certs", "certificates are checked"),
    ("thread_rng", "randomness is the system's"),
    ("SmallRng", "randomness is the system's"),
    ("fastrand", "randomness is the system's"),
    ("fancy_regex", "no pattern takes more than linear time"),
    ("tokio_process", "the host starts no programs"),
    ("execvp", "the host starts no programs"),
];

/// Who starts a program: a host its own binary, with lower limits; and the author's commands, which never serve, cargo.
const STARTERS: [&str; 2] = ["host/src/plugins/worker.rs", "host/src/cli/plugin/cargo.rs"];

fn banned(path: &str, text: &str) -> Vec<String> {
    if path.ends_with("tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let source = Source::of(text).without_tests();
    let mut wrong: Vec<String> = words(&source.skeleton, |character| !is_word(character))
        .filter_map(|(line, word)| {
            let (_, why) = BANNED.iter().find(|(banned, _)| *banned == word)?;
            Some(format!("{path}:{line}: `{word}`: {why}"))
        })
        .collect();
    for (number, line) in source.skeleton.lines().enumerate() {
        let names = line.contains("process::") && line.split(|c| !is_word(c)).any(|word| word == "Command");
        if names && !STARTERS.contains(&path) {
            wrong.push(format!("{path}:{}: the host starts no programs", number + 1));
        }
    }
    wrong
}

#[test]
fn the_host_has_no_weak_algorithm_and_starts_no_program() -> io::Result<()> {
    hold(banned, &["host/src"], "rs")
}

#[test]
fn what_is_banned_is_found_in_code_only() {
    let text = "\
use std::process::Command;
fn f() { let hash = Md5::new(); fastrand::u8(..) }
// md5 may be named in a comment
const A: &str = \"sha1\";
#[cfg(test)]
mod tests { use std::process::Command; }
";
    let wrong = banned("host/src/storage/mod.rs", text);
    assert_eq!(wrong.len(), 3, "{wrong:#?}");
    assert!(banned("host/src/storage/tests/mod.rs", text).is_empty());
}
