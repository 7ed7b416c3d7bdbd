//! The REST API: who is asked (organization), who asks (caller), one file per resource, problem+json for everything else.

pub mod problem;
pub mod request;
