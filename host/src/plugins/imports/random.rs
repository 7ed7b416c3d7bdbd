//! `random`: strong bytes and fresh ids.

use crate::ids::RecordId;
use crate::plugins::bindings::host::stoa::plugin::random::Host;
use crate::plugins::bindings::host::stoa::plugin::types::RecordId as WitId;
use crate::plugins::call::{State, to_wit};

/// Most bytes of one call.
pub(super) const MOST: u64 = 4096;

pub(super) fn strong(length: usize) -> wasmtime::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).map_err(|error| wasmtime::format_err!("no randomness: {error}"))?;
    Ok(bytes)
}

impl Host for State {
    fn bytes(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        self.enter()?;
        strong(usize::try_from(u64::from(length).min(MOST)).unwrap_or_default())
    }

    fn id(&mut self) -> wasmtime::Result<WitId> {
        self.enter()?;
        Ok(to_wit(RecordId::new()))
    }
}
