//! Scopes: which there are, and what a client gets of what it asks for. Pure.

use super::OAuthError;

/// The scopes of OpenID Connect. None of them lets anybody do anything with records.
pub const STANDARD: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// What a client gets of what it asks for: the part that it is registered for.
pub(super) fn narrow(asked: &str, allowed: &[String]) -> Result<Vec<String>, OAuthError> {
    let mut granted: Vec<String> = Vec::new();
    for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
        if scope.len() > 128 || !scope.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
        {
            return Err(OAuthError::InvalidScope);
        }
        if allowed.iter().any(|known| known == scope) && !granted.iter().any(|known| known == scope) {
            granted.push(scope.to_owned());
        }
    }
    if granted.is_empty() { Err(OAuthError::InvalidScope) } else { Ok(granted) }
}

/// Whether a client may be registered for this scope: a standard one, `read`, or `<area>[.<thing>]:<action>`, where the
/// action may be `*`.
pub(super) fn is_scope(scope: &str) -> bool {
    if STANDARD.contains(&scope) || scope == "read" {
        return true;
    }
    let word = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    let Some((object, action)) = scope.split_once(':') else { return false };
    let parts: Vec<_> = object.split('.').collect();
    scope.len() <= 128 && parts.len() <= 2 && parts.into_iter().all(word) && (action == "*" || word(action))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b10_a_client_gets_what_it_is_registered_for_and_no_more() {
        let allowed = ["openid".to_owned(), "crm.contact:read".to_owned()];
        assert_eq!(narrow("openid openid admin", &allowed).unwrap(), ["openid"]);
        assert_eq!(narrow("crm.contact:read  openid", &allowed).unwrap(), ["crm.contact:read", "openid"]);
        for bad in ["", " ", "admin", "openid \"", "openid \u{e9}", "openid\tprofile"] {
            assert!(narrow(bad, &allowed).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_scope_is_a_standard_one_or_an_action_on_something() {
        for good in ["openid", "read", "crm.contact:read", "crm.contact:*", "crm:*", "host.user:create"] {
            assert!(is_scope(good), "{good}");
        }
        for bad in
            ["", "*", "admin", "a.b.c:read", "crm.contact:", ":read", "crm.contact:rea d", "Crm.x:read"]
        {
            assert!(!is_scope(bad), "{bad}");
        }
    }
}
