//! `log`: lines for the operator and the author.

use crate::plugins::bindings::host::stoa::plugin::log::Host;
use crate::plugins::call::State;

/// Longest line.
const LINE: usize = 16 << 10;

impl Host for State {
    fn write(&mut self, level: String, message: String) -> wasmtime::Result<()> {
        self.enter()?;
        let line: String = message.chars().flat_map(escaped).take(LINE).collect();
        if self.log_room(line.len()) {
            self.tell(&level, &line);
        }
        // What a panic said is told with the end of the call, whatever the plugin had said before.
        if level == "error" {
            self.last_error = Some(line);
        }
        Ok(())
    }
}

impl State {
    fn tell(&self, level: &str, line: &str) {
        let (plugin, version) = (&self.plugin.manifest.id, &self.plugin.manifest.version);
        let (organization, request) = (&self.scope().organization.slug, self.scope().caller.request);
        match level {
            "error" => {
                tracing::error!(target: "plugin", %plugin, %version, %organization, %request, "{line}")
            }
            "warn" => tracing::warn!(target: "plugin", %plugin, %version, %organization, %request, "{line}"),
            "debug" => {
                tracing::debug!(target: "plugin", %plugin, %version, %organization, %request, "{line}")
            }
            "trace" => {
                tracing::trace!(target: "plugin", %plugin, %version, %organization, %request, "{line}")
            }
            _ => tracing::info!(target: "plugin", %plugin, %version, %organization, %request, "{line}"),
        }
    }
}

/// Control characters as escapes, so that a plugin cannot forge lines or steer a terminal.
fn escaped(sign: char) -> Box<dyn Iterator<Item = char>> {
    if sign.is_control() { Box::new(sign.escape_default()) } else { Box::new(std::iter::once(sign)) }
}
