//! What can be said to `stoa plugin` about the plugins of one organization.

use std::str::FromStr;

use clap::{Args, Subcommand};

use super::catalogue::{Setting, name};

/// What is done with an organization's plugins.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum InstallationCommand {
    /// Install a version of a plugin in an organization
    Install(InstallVersion),
    /// Bring an organization's plugin to a newer version
    Upgrade(InstallVersion),
    /// Go back to the version that ran before
    Rollback(RollBack),
    /// Switch a plugin on
    Enable(SwitchOn),
    /// Switch a plugin off; its records wait
    Disable(SwitchOff),
    /// Have roll-outs pass a plugin by
    Pin(Pin),
    /// Let roll-outs have a plugin again
    Unpin(Unpin),
    /// Take a plugin away; its file is put aside
    Uninstall(Uninstall),
    /// List the plugins of an organization
    Installed(Installed),
}

/// In which organization.
#[derive(Args, Debug)]
pub(in crate::cli) struct Place {
    #[command(flatten)]
    pub setting: Setting,
    /// The organization
    #[arg(long, value_name = "SLUG")]
    pub org: String,
}

/// `notes` or `notes@1.0.0`.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Wanted {
    pub plugin: String,
    pub version: Option<String>,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (plugin, version) = match text.split_once('@') {
            Some((plugin, version)) => (plugin, Some(name(version)?)),
            None => (text, None),
        };
        Ok(Self { plugin: name(plugin)?, version })
    }
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  stoa plugin install notes --org acme --dry-run      what it would bring, and what there is to agree to
  stoa plugin install notes --org acme                asks whether you agree, on a terminal
  stoa plugin upgrade notes --org acme --consent      agrees to what the new version can do and the old one could not
  stoa plugin install notes@1.0.0 --org acme          this version, also an older one that ran there before

The organization is made ready while its people go on with what they have; then the version takes over between two
requests. When it cannot be made ready, what was there runs on. A plugin with a module runs once the module is licensed:
`stoa license`.")]
pub(in crate::cli) struct InstallVersion {
    #[command(flatten)]
    pub place: Place,
    /// The plugin, and the version unless it is the newest
    #[arg(value_name = "ID[@VERSION]")]
    pub wanted: Wanted,
    /// Agree to everything that the version can do and that was not agreed to before
    #[arg(long)]
    pub consent: bool,
    /// Only show what would change
    #[arg(long)]
    pub dry_run: bool,
}

/// Which plugin of which organization.
#[derive(Args, Debug)]
pub(in crate::cli) struct One {
    #[command(flatten)]
    pub place: Place,
    /// The plugin
    #[arg(value_name = "ID", value_parser = name)]
    pub plugin: String,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin rollback notes --org acme

Rows that were written since are kept, also the values of fields that the older version does not show. An earlier one than
that: `stoa plugin install notes@VERSION --org acme`.")]
pub(in crate::cli) struct RollBack {
    #[command(flatten)]
    pub one: One,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin enable notes --org acme")]
pub(in crate::cli) struct SwitchOn {
    #[command(flatten)]
    pub one: One,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin disable notes --org acme

Its addresses answer 403 plugin_disabled from the next request on. A plugin that others need stays on.")]
pub(in crate::cli) struct SwitchOff {
    #[command(flatten)]
    pub one: One,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin pin notes --org acme

A plugin that comes with the installation is pinned to the version that runs now.")]
pub(in crate::cli) struct Pin {
    #[command(flatten)]
    pub one: One,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin unpin notes --org acme")]
pub(in crate::cli) struct Unpin {
    #[command(flatten)]
    pub one: One,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin uninstall notes --org acme

Its records go with it: its file is put into the organization's folder archive/, and nothing opens it any more. Plugins that
come with the installation are disabled instead.")]
pub(in crate::cli) struct Uninstall {
    #[command(flatten)]
    pub one: One,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin installed --org acme

Which version runs, whether there is a newer one, and what could not be made ready.")]
pub(in crate::cli) struct Installed {
    #[command(flatten)]
    pub place: Place,
}

impl InstallationCommand {
    /// Where.
    pub(in crate::cli) fn place(&self) -> &Place {
        match self {
            Self::Install(options) | Self::Upgrade(options) => &options.place,
            Self::Rollback(RollBack { one })
            | Self::Enable(SwitchOn { one })
            | Self::Disable(SwitchOff { one })
            | Self::Pin(Pin { one })
            | Self::Unpin(Unpin { one })
            | Self::Uninstall(Uninstall { one }) => &one.place,
            Self::Installed(Installed { place }) => place,
        }
    }
}
