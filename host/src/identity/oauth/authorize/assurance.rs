//! How well a client wants a person to be proved: `acr_values`, and `acr` in the parameter `claims`. Pure.
//!
//! There are two levels, `aal1` and `aal2`, and the higher one is good wherever the lower one is. `acr_values` is a wish,
//! and so is `acr` in `claims` (OpenID Connect Core, 5.5.1.1) unless it is essential and names values: then somebody is
//! proved like that, or the client gets no code.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::identity::oauth::OAuthError;

/// The longest parameter `claims` that is looked at, in bytes.
const LONGEST: usize = 4_096;

/// What a client asks for; the later ones are more.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Assurance {
    /// Nothing that not everybody has.
    #[default]
    Any,
    /// The second factor of those who have one.
    Wished,
    /// A second factor, or no code.
    Needed,
}

/// What stands in the way of a person to whom less than that was done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Gap {
    /// Nothing.
    None,
    /// They sign in again.
    SignIn,
    /// Nothing helps: they have no second factor.
    Never,
}

impl Assurance {
    /// What these two parameters ask for.
    pub(super) fn read(acr_values: &str, claims: Option<&str>) -> Result<Self, OAuthError> {
        let wished = Self::wish(acr_values.split(' '));
        Ok(wished.max(claims.map_or(Ok(Self::Any), Self::of_claims)?))
    }

    fn of_claims(text: &str) -> Result<Self, OAuthError> {
        let malformed =
            || OAuthError::InvalidRequest("The claims are a JSON object as OpenID Connect has it.");
        if text.len() > LONGEST {
            return Err(malformed());
        }
        let claims: Value = serde_json::from_str(text).map_err(|_| malformed())?;
        let id_token = match claims.as_object().ok_or_else(malformed)?.get("id_token") {
            None | Some(Value::Null) => return Ok(Self::Any),
            Some(id_token) => id_token.as_object().ok_or_else(malformed)?,
        };
        let acr = match id_token.get("acr") {
            None | Some(Value::Null) => return Ok(Self::Any),
            Some(acr) => acr.as_object().ok_or_else(malformed)?,
        };
        let many = acr.get("values").map(|values| values.as_array().ok_or_else(malformed)).transpose()?;
        let listed = acr.get("value").into_iter().chain(many.into_iter().flatten());
        let listed: Vec<&str> =
            listed.map(|value| value.as_str().ok_or_else(malformed)).collect::<Result<_, _>>()?;
        let essential = match acr.get("essential") {
            None => false,
            Some(essential) => essential.as_bool().ok_or_else(malformed)?,
        };
        match essential && !listed.is_empty() && !listed.contains(&"aal1") {
            false => Ok(Self::wish(listed.into_iter())),
            true if listed.contains(&"aal2") => Ok(Self::Needed),
            true => Err(OAuthError::UnmetAuthenticationRequirements),
        }
    }

    /// What is liked best, of those that there are.
    fn wish<'a>(mut values: impl Iterator<Item = &'a str>) -> Self {
        let first = values.find(|value| matches!(*value, "aal1" | "aal2"));
        if first == Some("aal2") { Self::Wished } else { Self::Any }
    }

    /// What is to be done about somebody who was proved as well as `acr` says. `could`: they have a second factor, or must
    /// add one when they sign in; `just_now`: they signed in for this request; `silent`: nobody may be asked.
    pub(super) fn gap(self, acr: &str, could: bool, just_now: bool, silent: bool) -> Gap {
        if acr == "aal2" {
            return Gap::None;
        }
        match self {
            Self::Needed if !could => Gap::Never,
            Self::Needed => Gap::SignIn,
            Self::Wished if could && !just_now && !silent => Gap::SignIn,
            Self::Any | Self::Wished => Gap::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(acr: &str) -> Result<Assurance, OAuthError> {
        Assurance::read("", Some(&format!(r#"{{"id_token": {{"acr": {acr}}}}}"#)))
    }

    #[test]
    fn acr_values_stand_in_the_order_of_liking_and_unknown_ones_are_passed_over() {
        for (values, asks) in [
            ("", false),
            ("aal1", false),
            ("aal1 aal2", false),
            ("aal2", true),
            ("aal2 aal1", true),
            ("urn:example:gold aal2", true),
            ("1 2", false),
        ] {
            let expected = if asks { Assurance::Wished } else { Assurance::Any };
            assert_eq!(Assurance::read(values, None).unwrap(), expected, "{values}");
        }
    }

    #[test]
    fn an_essential_acr_is_a_condition_and_every_other_a_wish() {
        for (acr, expected) in [
            ("null", Assurance::Any),
            (r#"{"essential": true}"#, Assurance::Any),
            (r#"{"values": ["aal2"]}"#, Assurance::Wished),
            (r#"{"value": "aal2"}"#, Assurance::Wished),
            (r#"{"essential": false, "values": ["aal2"]}"#, Assurance::Wished),
            (r#"{"essential": true, "values": ["aal2", "aal1"]}"#, Assurance::Wished),
            (r#"{"essential": true, "values": ["aal1"]}"#, Assurance::Any),
            (r#"{"essential": true, "values": ["aal2"]}"#, Assurance::Needed),
            (r#"{"essential": true, "value": "aal2"}"#, Assurance::Needed),
            (r#"{"essential": true, "values": ["urn:example:gold", "aal2"]}"#, Assurance::Needed),
        ] {
            assert_eq!(claims(acr).unwrap(), expected, "{acr}");
        }
        let unknown = claims(r#"{"essential": true, "values": ["urn:example:gold"]}"#);
        assert!(matches!(unknown, Err(OAuthError::UnmetAuthenticationRequirements)));
        let both = Assurance::read("aal1", Some(r#"{"id_token": {"acr": {"values": ["aal2"]}}}"#));
        assert_eq!(both.unwrap(), Assurance::Wished);
    }

    #[test]
    fn claims_that_cannot_be_read_are_refused_and_others_change_nothing() {
        for good in ["{}", r#"{"userinfo": {"name": null}}"#, r#"{"id_token": null}"#, r#"{"id_token": {}}"#]
        {
            assert_eq!(Assurance::read("", Some(good)).unwrap(), Assurance::Any, "{good}");
        }
        let long = format!(r#"{{"userinfo": "{}"}}"#, "x".repeat(LONGEST));
        let acr = |text: &str| format!(r#"{{"id_token": {{"acr": {text}}}}}"#);
        for bad in [
            "",
            "x",
            "[]",
            "null",
            r#"{"id_token": "acr"}"#,
            &acr(r#""aal2""#),
            &acr(r#"{"values": "aal2"}"#),
            &acr(r#"{"values": [2]}"#),
            &acr(r#"{"essential": "yes"}"#),
            &long,
        ] {
            let refused = Assurance::read("", Some(bad));
            assert!(matches!(refused, Err(OAuthError::InvalidRequest(_))), "{bad}");
        }
    }

    #[test]
    fn a_wish_is_granted_once_and_a_need_or_not_at_all() {
        use Assurance::{Any, Needed, Wished};
        for asked in [Any, Wished, Needed] {
            assert_eq!(asked.gap("aal2", false, false, true), Gap::None);
        }
        assert_eq!(Any.gap("aal1", true, false, false), Gap::None);
        assert_eq!(Wished.gap("aal1", true, false, false), Gap::SignIn);
        for (could, just_now, silent) in [(false, false, false), (true, true, false), (true, false, true)] {
            assert_eq!(Wished.gap("aal1", could, just_now, silent), Gap::None);
        }
        for (just_now, silent) in [(false, false), (true, false), (false, true)] {
            assert_eq!(Needed.gap("aal1", true, just_now, silent), Gap::SignIn);
            assert_eq!(Needed.gap("aal1", false, just_now, silent), Gap::Never);
        }
    }
}
