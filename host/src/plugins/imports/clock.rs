//! `clock`: the request's one instant.

use jiff::tz::TimeZone;

use crate::clock::date_in;
use crate::plugins::bindings::host::stoa::plugin::clock::Host;
use crate::plugins::call::State;

impl Host for State {
    fn now(&mut self) -> wasmtime::Result<i64> {
        self.enter()?;
        Ok(State::now(self))
    }

    fn today(&mut self) -> wasmtime::Result<String> {
        self.enter()?;
        let zone = TimeZone::get(&self.scope().organization.zone).unwrap_or(TimeZone::UTC);
        Ok(date_in(State::now(self), &zone))
    }
}
