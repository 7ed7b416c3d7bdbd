//! The interfaces of the contract that this host knows and does not offer yet: each answers `not-available`.

use crate::plugins::bindings::host::stoa::plugin::types::{RecordId, Refusal};
use crate::plugins::bindings::host::stoa::plugin::{
    documents, events, files, http_client, jobs, license, mail, peers, realtime,
};
use crate::plugins::call::State;

fn not_available<T>(what: &str) -> Result<T, Refusal> {
    Err(Refusal {
        kind: "not-available".into(),
        code: "not_available".into(),
        detail: format!("this host does not offer `{what}` yet"),
        failures: Vec::new(),
        extra: String::new(),
    })
}

impl events::Host for State {
    fn publish(
        &mut self,
        _topic: String,
        _key: String,
        _payload: String,
    ) -> wasmtime::Result<Result<(), Refusal>> {
        self.enter()?;
        Ok(not_available("events"))
    }
}

impl jobs::Host for State {
    fn enqueue(
        &mut self,
        _name: String,
        _payload: String,
        _not_before: i64,
        _unique_key: String,
    ) -> wasmtime::Result<Result<String, Refusal>> {
        self.enter()?;
        Ok(not_available("jobs"))
    }
}

impl mail::Host for State {
    fn send(&mut self, _message: mail::Message) -> wasmtime::Result<Result<String, Refusal>> {
        self.enter()?;
        Ok(not_available("mail"))
    }
}

impl http_client::Host for State {
    fn send(
        &mut self,
        _requests: Vec<http_client::Request>,
    ) -> wasmtime::Result<Result<Vec<Result<http_client::Response, Refusal>>, Refusal>> {
        self.enter()?;
        Ok(not_available("http-client"))
    }
}

impl files::Host for State {
    fn of_record(
        &mut self,
        _entity: String,
        _id: RecordId,
    ) -> wasmtime::Result<Result<Vec<files::FileInfo>, Refusal>> {
        self.enter()?;
        Ok(not_available("files"))
    }

    fn read(
        &mut self,
        _id: RecordId,
        _offset: u64,
        _length: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Refusal>> {
        self.enter()?;
        Ok(not_available("files"))
    }

    fn attach(
        &mut self,
        _entity: String,
        _id: RecordId,
        _name: String,
        _media_type: String,
        _bytes: Vec<u8>,
    ) -> wasmtime::Result<Result<RecordId, Refusal>> {
        self.enter()?;
        Ok(not_available("files"))
    }
}

impl peers::Host for State {
    fn call(
        &mut self,
        _plugin: String,
        _method: String,
        _input: String,
    ) -> wasmtime::Result<Result<String, Refusal>> {
        self.enter()?;
        Ok(not_available("peers"))
    }
}

impl license::Host for State {
    fn entitlement(&mut self) -> wasmtime::Result<String> {
        self.enter()?;
        // Plugin code runs only where its module is licensed: that much is always true here.
        Ok(r#"{"v":1,"edition":"standard","features":[],"limits":{}}"#.to_owned())
    }

    fn consume(&mut self, _meter: String, _amount: u64) -> wasmtime::Result<Result<(), Refusal>> {
        self.enter()?;
        Ok(not_available("license.consume"))
    }
}

impl documents::Host for State {
    fn render(
        &mut self,
        _template: String,
        _data: String,
        _format: String,
    ) -> wasmtime::Result<Result<Vec<u8>, Refusal>> {
        self.enter()?;
        Ok(not_available("documents"))
    }
}

impl realtime::Host for State {
    fn publish(&mut self, _channel: String, _payload: String) -> wasmtime::Result<Result<(), Refusal>> {
        self.enter()?;
        Ok(not_available("realtime"))
    }
}
