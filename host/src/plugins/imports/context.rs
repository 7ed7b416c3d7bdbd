//! `context`: who asks, for whom, and how long there is.

use crate::ids::RecordId;
use crate::plugins::bindings::host::stoa::plugin::context::{Host, Organization, Principal};
use crate::plugins::call::{State, to_wit};

impl Host for State {
    fn get_organization(&mut self) -> wasmtime::Result<Organization> {
        self.enter()?;
        let organization = &self.scope().organization;
        Ok(Organization {
            id: to_wit(RecordId::from_bytes(*organization.id.as_bytes())),
            slug: organization.slug.to_string(),
            name: organization.name.clone(),
            zone: organization.zone.clone(),
            locale: organization.locale.clone(),
            currency: organization.currency.clone(),
        })
    }

    fn get_principal(&mut self) -> wasmtime::Result<Principal> {
        self.enter()?;
        let principal = &self.scope().caller.principal;
        Ok(Principal {
            id: to_wit(RecordId::from_bytes(*principal.id.as_bytes())),
            kind: principal.kind.as_str().to_owned(),
            name: principal.name.to_string(),
            teams: principal
                .teams
                .iter()
                .map(|team| to_wit(RecordId::from_bytes(*team.as_bytes())))
                .collect(),
            roles: principal.roles.iter().map(ToString::to_string).collect(),
        })
    }

    fn request_id(&mut self) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.scope().caller.request.to_string())
    }

    fn source(&mut self) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.scope().caller.source.as_str().to_owned())
    }

    fn remaining_ms(&mut self) -> wasmtime::Result<u32> {
        self.enter()?;
        Ok(u32::try_from(self.remaining().as_millis()).unwrap_or(u32::MAX))
    }

    fn allows(&mut self, object: String, action: String) -> wasmtime::Result<bool> {
        self.enter()?;
        let scope = self.scope();
        Ok(!scope.policy.decide(&scope.caller.principal, &object, &action).never())
    }
}
