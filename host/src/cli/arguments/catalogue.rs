//! What can be said to `stoa plugin` about publishers and the versions that they published.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Installation;
use crate::plugins::PublicKey;

/// What is done with the catalogue of an installation.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CatalogueCommand {
    /// Trust a publisher, or one more key of one
    Trust(TrustPublisher),
    /// Trust a key no longer: nothing that it signed runs any more
    #[command(visible_alias = "untrust")]
    Revoke(RevokeKey),
    /// Show which publishers are trusted, and their keys
    Publishers(ListPublishers),
    /// Put a signed package into the catalogue
    #[command(visible_alias = "upload")]
    Publish(PublishPackage),
    /// List every version of every plugin
    List(ListPlugins),
    /// Show the versions of a plugin, and how many organizations run them
    Show(ShowPlugin),
    /// Stop a version in every organization
    Kill(KillVersion),
    /// Let a version run again that was stopped
    Revive(ReviveVersion),
}

/// Which installation, and how to answer.
#[derive(Args, Debug)]
pub(in crate::cli) struct Setting {
    #[command(flatten)]
    pub installation: Installation,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  stoa plugin trust acme --name 'Acme Inc.' --public-key 'xIS3…=' --level community
  stoa plugin trust acme --public-key 'Zk9w…='          one more key, for a change of keys without a gap

The key is what `stoa plugin keygen` printed on the publisher's side; take it by another way than the packages. The level
decides what packages may have (docs/PLUGINS.md has the table), and is never changed: verified is reviewed by you, private
is of one customer for itself, community is anybody whose key you know.")]
pub(in crate::cli) struct TrustPublisher {
    #[command(flatten)]
    pub setting: Setting,
    /// The publisher's id: a-z, 0-9 and dashes, beginning with a letter
    #[arg(value_name = "PUBLISHER", value_parser = name)]
    pub publisher: String,
    /// With what they sign, Ed25519
    #[arg(long, value_name = "BASE64", value_parser = public_key)]
    pub public_key: String,
    /// How far they are trusted; left out for one more key of a known publisher
    #[arg(long, value_name = "LEVEL", value_parser = ["verified", "private", "community"])]
    pub level: Option<String>,
    /// What people call them [default: PUBLISHER]
    #[arg(long, value_name = "NAME", requires = "level")]
    pub name: Option<String>,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  stoa plugin publishers                    has the ids of keys
  stoa plugin revoke acme 8f14e45fceea167a

Nothing that the key signed runs from the next request on, in no organization: its addresses answer 503 plugin_stopped. A
revoked key is never trusted again.")]
pub(in crate::cli) struct RevokeKey {
    #[command(flatten)]
    pub setting: Setting,
    /// Whose key
    #[arg(value_name = "PUBLISHER", value_parser = name)]
    pub publisher: String,
    /// The id of the key
    #[arg(value_name = "KEY", value_parser = name)]
    pub key: String,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin publishers --json | jq -r '.data[].keys[].id'")]
pub(in crate::cli) struct ListPublishers {
    #[command(flatten)]
    pub setting: Setting,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  stoa plugin publish notes-1.0.0.stoa --dry-run      everything is looked at, nothing is kept
  stoa plugin publish notes-1.0.0.stoa

A trusted key must have signed it, and it must pass everything that `stoa plugin check` looks at, with its publisher's
level. A plugin belongs to the publisher who came first. A version is never changed: the same file again is the same
version, another one is refused. Published is not installed: `stoa plugin install` does that, organization by organization.")]
pub(in crate::cli) struct PublishPackage {
    #[command(flatten)]
    pub setting: Setting,
    /// The package
    #[arg(value_name = "FILE.stoa")]
    pub file: PathBuf,
    /// Only look at it
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin list

Those that are part of the installation (core: in the binary, local: in the folder of --plugins) and those that publishers
brought, with whether they run.")]
pub(in crate::cli) struct ListPlugins {
    #[command(flatten)]
    pub setting: Setting,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin show notes

What each version can do, whose it is, its sum, and in how many organizations it was installed.")]
pub(in crate::cli) struct ShowPlugin {
    #[command(flatten)]
    pub setting: Setting,
    /// The plugin
    #[arg(value_name = "ID", value_parser = name)]
    pub plugin: String,
}

/// Which version of which plugin.
#[derive(Args, Debug)]
pub(in crate::cli) struct OneVersion {
    #[command(flatten)]
    pub setting: Setting,
    /// The plugin
    #[arg(value_name = "ID", value_parser = name)]
    pub plugin: String,
    /// The version
    #[arg(value_name = "VERSION", value_parser = name)]
    pub number: String,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin kill notes 1.0.0 --reason 'writes prices in the wrong currency'

From the next request on its addresses answer 503 plugin_stopped, in every organization. Nothing of theirs is changed: they
can be brought to another version, and `stoa plugin revive` lets this one run again.")]
pub(in crate::cli) struct KillVersion {
    #[command(flatten)]
    pub version: OneVersion,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin revive notes 1.0.0

Its package is looked at again first: one whose key was revoked stays stopped.")]
pub(in crate::cli) struct ReviveVersion {
    #[command(flatten)]
    pub version: OneVersion,
}

/// An id or a version: one segment of an address as it is.
pub(super) fn name(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+');
    let whole = text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let fits = whole && text.bytes().all(plain);
    fits.then(|| text.to_owned())
        .ok_or_else(|| "an id or a version has letters, digits and - _ . + only".to_owned())
}

fn public_key(text: &str) -> Result<String, String> {
    let wrong = || "a public key is 32 bytes in base64, as `stoa plugin keygen` prints it".to_owned();
    PublicKey::parse(text).map(|_| text.to_owned()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        for good in ["notes", "field_visits", "1.0.0-beta.1+build", "acme-2"] {
            assert_eq!(name(good).as_deref(), Ok(good));
        }
        for bad in ["", "..", ".", "a/b", "a b", "a%2f", "-x", "ü", &"a".repeat(65)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
