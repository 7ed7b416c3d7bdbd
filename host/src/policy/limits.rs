//! What a credential is limited to: scopes of tokens and keys. They take away, they never give.

use std::sync::Arc;

/// The scope that covers all looking: lists and records, and nothing that leaves or changes anything.
const READ: &str = "read";

/// Whether one of the scopes covers an action on an object. A scope is `<plugin>.<entity>:<action>`, `<plugin>.<entity>:*`,
/// `<plugin>:*`, `host.<thing>:<action>` or `read`; the words of OpenID Connect (`openid`, `profile`…) cover nothing.
#[must_use]
pub fn covers(limits: &[Arc<str>], object: &str, action: &str) -> bool {
    if object.is_empty() || action.is_empty() {
        return false;
    }
    let object = object.split('#').next().unwrap_or(object);
    limits.iter().any(|scope| one(scope, object, action))
}

fn one(scope: &str, object: &str, action: &str) -> bool {
    let Some((target, allowed)) = scope.split_once(':') else {
        return scope == READ && matches!(action, "list" | "read");
    };
    match target.contains('.') {
        true => target == object && (allowed == "*" || allowed == action),
        // The host is no plugin: what administers an organization is named thing by thing.
        false => allowed == "*" && target != "host" && object.split('.').next() == Some(target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(scope: &str, object: &str, action: &str) -> bool {
        covers(&[Arc::from("openid"), Arc::from(scope)], object, action)
    }

    #[test]
    fn a_scope_covers_what_it_names_and_nothing_beside() {
        assert!(covered("crm.contact:read", "crm.contact", "read"));
        assert!(covered("crm.contact:read", "crm.contact#phone", "read"));
        assert!(covered("crm.contact:*", "crm.contact", "delete"));
        assert!(covered("crm:*", "crm.account", "merge"));
        assert!(covered("host.user:read", "host.user", "read"));
        assert!(covered("read", "crm.contact", "list") && covered("read", "host.user", "read"));
        for (scope, object, action) in [
            ("crm.contact:read", "crm.contact", "update"),
            ("crm.contact:read", "crm.contacts", "read"),
            ("crm.contact:*", "crm.account", "read"),
            ("crm:*", "crmx.account", "read"),
            ("crm:read", "crm.account", "read"),
            ("host:*", "host.user", "delete"),
            ("*:*", "crm.contact", "read"),
            ("*", "crm.contact", "read"),
            ("read", "crm.contact", "export"),
            ("read", "crm.contact", "update"),
            ("openid", "crm.contact", "read"),
            ("", "", ""),
            ("crm.contact:", "crm.contact", ""),
        ] {
            assert!(!covered(scope, object, action), "{scope}: {object} {action}");
        }
    }
}
