//! Which functions of the contract this host knows: those of the very texts that its bindings are made of. A component made
//! for a later minor version may import more; told when it is loaded, that is a sentence, and when it is called, a trap.

/// The interfaces that a component may import.
const CONTRACT: &str = concat!(
    include_str!("../../../../sdk/wit/v1/types.wit"),
    include_str!("../../../../sdk/wit/v1/context.wit"),
    include_str!("../../../../sdk/wit/v1/records.wit"),
    include_str!("../../../../sdk/wit/v1/sql.wit"),
    include_str!("../../../../sdk/wit/v1/settings.wit"),
    include_str!("../../../../sdk/wit/v1/log.wit"),
    include_str!("../../../../sdk/wit/v1/clock.wit"),
    include_str!("../../../../sdk/wit/v1/random.wit"),
    include_str!("../../../../sdk/wit/v1/effects.wit"),
);

/// Whether a name is one of version 1 of the contract, known here or not: `stoa:plugin/clock@1.0.0`.
pub(in crate::plugins) fn of_contract(name: &str) -> bool {
    let version =
        name.strip_prefix("stoa:plugin/").and_then(|rest| rest.split_once('@')).map(|(_, version)| version);
    version.is_some_and(|version| version.starts_with("1."))
}

/// The interfaces that this host has.
pub(in crate::plugins) fn interfaces() -> impl Iterator<Item = &'static str> {
    CONTRACT.lines().filter_map(|line| line.strip_prefix("interface ")?.strip_suffix(" {"))
}

/// Whether this host has the interface `stoa:plugin/clock@1.0.0`, whatever its minor version.
pub(in crate::plugins) fn interface(import: &str) -> bool {
    of_contract(import) && body(import).is_some()
}

/// Whether it has this function of it: `now`, `[method]cursor.next`.
pub(in crate::plugins) fn function(import: &str, name: &str) -> bool {
    let name = name.rsplit(['.', ']']).next().unwrap_or(name);
    let declared = |line: &str| {
        let rest = line.trim_start().strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
        rest.is_some_and(|rest| rest.starts_with("func(") || rest.starts_with("static func("))
    };
    // A resource that is dropped was never a function of the text.
    body(import).is_some_and(|body| body.lines().any(declared))
}

/// The text of an interface.
fn body(import: &str) -> Option<&'static str> {
    let name = import.strip_prefix("stoa:plugin/")?.split('@').next()?;
    let (_, rest) = CONTRACT.split_once(&format!("\ninterface {name} {{\n"))?;
    rest.split("\n}").next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_contract_has_is_known_and_nothing_else() {
        for (import, name) in [
            ("stoa:plugin/clock@1.0.0", "today"),
            ("stoa:plugin/clock@1.7.0", "now"),
            ("stoa:plugin/sql@1.0.0", "[static]cursor.open"),
            ("stoa:plugin/sql@1.0.0", "[method]cursor.next"),
            ("stoa:plugin/realtime@1.0.0", "publish"),
            ("stoa:plugin/license@1.0.0", "consume"),
            ("stoa:plugin/context@1.0.0", "get-organization"),
            ("stoa:plugin/http-client@1.0.0", "send"),
            ("stoa:plugin/files@1.0.0", "of-record"),
        ] {
            assert!(interface(import) && function(import, name), "{import} {name}");
        }
        for (import, name) in [
            ("stoa:plugin/clock@1.1.0", "now-v2"),
            ("stoa:plugin/clock@1.1.0", "publish"),
            ("stoa:plugin/sql@1.1.0", "columns"),
            ("stoa:plugin/weather@1.1.0", "now"),
        ] {
            assert!(!function(import, name), "{import} {name}");
        }
        assert!(interface("stoa:plugin/types@1.0.0") && !interface("stoa:plugin/weather@1.1.0"));
    }
}
