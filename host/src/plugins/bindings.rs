//! The contract's types and traits, generated from `sdk/wit/v1`. One world for each optional export, so that a component
//! without it still loads.

#![allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub, reason = "generated code")]

/// Everything a plugin may import.
pub mod host {
    wasmtime::component::bindgen!({
        world: "imports",
        path: "../sdk/wit/v1",
        imports: { default: trappable },
        with: { "stoa:plugin/sql.cursor": crate::plugins::imports::sql::Cursor },
    });
}

/// Logic while records are written.
pub mod hooks {
    wasmtime::component::bindgen!({
        world: "with-hooks",
        path: "../sdk/wit/v1",
        with: { "stoa:plugin/types": crate::plugins::bindings::host::stoa::plugin::types },
    });
}

/// Named business operations.
pub mod actions {
    wasmtime::component::bindgen!({
        world: "with-actions",
        path: "../sdk/wit/v1",
        with: { "stoa:plugin/types": crate::plugins::bindings::host::stoa::plugin::types },
    });
}

/// Figures.
pub mod reports {
    wasmtime::component::bindgen!({
        world: "with-reports",
        path: "../sdk/wit/v1",
        with: { "stoa:plugin/types": crate::plugins::bindings::host::stoa::plugin::types },
    });
}
