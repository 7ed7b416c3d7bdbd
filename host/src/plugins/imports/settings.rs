//! `settings`: what the organization set, else what the manifest says.

use crate::plugins::bindings::host::stoa::plugin::settings::Host;
use crate::plugins::call::State;

impl Host for State {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        let Some(declared) = self.plugin.manifest.settings.iter().find(|setting| setting.key == key) else {
            return Ok(None);
        };
        let set = self.scope().settings.get(&self.plugin.manifest.id).and_then(|values| values.get(&key));
        Ok(Some(set.cloned().unwrap_or_else(|| declared.default.to_string())))
    }
}
