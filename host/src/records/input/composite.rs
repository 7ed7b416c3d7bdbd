//! Values of more than one part: several options, several references, a postal address. All are stored as JSON text.

use std::str::FromStr as _;

use serde_json::Value as Json;

use super::wrong;
use crate::ids::RecordId;
use crate::records::error::Fault;
use crate::records::schema::{Choice, Field, Target};

/// The most records that one field refers to.
const REFERENCES: usize = 100;
/// The members of a postal address.
pub const ADDRESS: [&str; 5] = ["street", "postal_code", "city", "region", "country"];

/// Keys of choices, each once, as a JSON array in the order in which they are declared; empty text for none.
pub(super) fn options(field: &Field, choices: &[Choice], json: &Json) -> Result<String, Fault> {
    let what = "a list of keys of options";
    let keys = json.as_array().ok_or_else(|| wrong(field, "wrong_type", what))?;
    let keys: Vec<&str> = keys
        .iter()
        .map(|key| key.as_str().ok_or_else(|| wrong(field, "wrong_type", what)))
        .collect::<Result<_, _>>()?;
    if keys.iter().any(|key| choices.iter().all(|choice| choice.key != *key)) {
        let known: Vec<&str> = choices.iter().map(|choice| choice.key.as_str()).collect();
        return Err(wrong(field, "unknown_option", &format!("some of {}", known.join(", "))));
    }
    let chosen: Vec<&str> =
        choices.iter().map(|choice| choice.key.as_str()).filter(|key| keys.contains(key)).collect();
    Ok(if chosen.is_empty() { String::new() } else { Json::from(chosen).to_string() })
}

/// Ids of records, each once, in the order given, as a JSON array; empty text for none.
pub(super) fn references(field: &Field, target: &Target, json: &Json) -> Result<String, Fault> {
    let what =
        format!("a list of at most {REFERENCES} ids of records of {}.{}", target.plugin, target.entity);
    let list = json.as_array().filter(|list| list.len() <= REFERENCES);
    let list = list.ok_or_else(|| wrong(field, "wrong_type", &what))?;
    let mut ids = Vec::with_capacity(list.len());
    for item in list {
        let id = item.as_str().and_then(|text| RecordId::from_str(text).ok());
        let id = id.ok_or_else(|| wrong(field, "invalid_id", &what))?.to_string();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(if ids.is_empty() { String::new() } else { Json::from(ids).to_string() })
}

/// The members of an address, those without a value left out; empty text for none.
pub(super) fn address(field: &Field, json: &Json) -> Result<String, Fault> {
    let what = format!("an address: an object of {}", ADDRESS.join(", "));
    let members = json.as_object().ok_or_else(|| wrong(field, "wrong_type", &what))?;
    let at = |member: &str, code: &'static str, detail: String| {
        let mut fault = Fault::at(&field.key, code, detail);
        fault.pointer.push('/');
        fault.pointer.push_str(&member.replace('~', "~0").replace('/', "~1"));
        fault
    };
    if let Some(unknown) = members.keys().find(|member| !ADDRESS.contains(&member.as_str())) {
        return Err(at(unknown, "unknown_field", format!("{} is {what}", field.label)));
    }
    let mut parts = serde_json::Map::new();
    for member in ADDRESS {
        let value = match members.get(member) {
            None | Some(Json::Null) => continue,
            Some(value) => value.as_str().map(str::trim),
        };
        let plain = |text: &&str| {
            text.chars().count() <= 200
                && text.chars().all(|c| !c.is_control() || (member == "street" && c == '\n'))
        };
        let Some(text) = value.filter(plain) else {
            return Err(at(member, "wrong_type", format!("{member} is text of at most 200 characters")));
        };
        let text = if member == "country" { text.to_uppercase() } else { text.to_owned() };
        if member == "country" && !text.is_empty() && phonenumber::country::Id::from_str(&text).is_err() {
            return Err(at(
                member,
                "unknown_country",
                "country is two letters of ISO 3166-1, such as DE".into(),
            ));
        }
        if !text.is_empty() {
            parts.insert(member.to_owned(), Json::String(text));
        }
    }
    Ok(if parts.is_empty() { String::new() } else { Json::Object(parts).to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::schema::{Kind, OnDelete};
    use crate::records::tests::garden::field;
    use serde_json::json;

    fn stored(kind: Kind, json: &Json) -> Result<String, String> {
        let field = field("f", kind);
        let (value, _) =
            super::super::field(&field, json).map_err(|fault| format!("{} {}", fault.pointer, fault.code))?;
        Ok(value.text().unwrap_or_default().to_owned())
    }

    #[test]
    fn options_are_known_and_stand_once_in_their_declared_order() {
        let choices =
            ["a", "b", "c"].map(|key| Choice { key: key.into(), label: key.into(), archived: false });
        let kind = || Kind::Options(choices.to_vec());
        assert_eq!(stored(kind(), &json!(["c", "a", "c"])).unwrap(), r#"["a","c"]"#);
        assert_eq!(stored(kind(), &json!([])).unwrap(), "");
        assert_eq!(stored(kind(), &json!(["d"])).unwrap_err(), "/f unknown_option");
        assert_eq!(stored(kind(), &json!("a")).unwrap_err(), "/f wrong_type");
    }

    #[test]
    fn references_are_ids_and_stand_once() {
        let target = Target { plugin: "garden".into(), entity: "plant".into() };
        let kind = || Kind::References(target.clone(), OnDelete::Detach);
        let id = RecordId::new().to_string();
        assert_eq!(stored(kind(), &json!([id, id])).unwrap(), json!([id]).to_string());
        assert_eq!(stored(kind(), &json!(["x"])).unwrap_err(), "/f invalid_id");
        assert_eq!(stored(kind(), &json!(vec![id; 101])).unwrap_err(), "/f wrong_type");
    }

    #[test]
    fn an_address_has_its_parts_and_no_other() {
        let good = json!({"street": " 1 Main St\nFloor 2", "city": "Wien", "country": "at", "region": null});
        assert_eq!(
            stored(Kind::Address, &good).unwrap(),
            r#"{"city":"Wien","country":"AT","street":"1 Main St\nFloor 2"}"#
        );
        assert_eq!(stored(Kind::Address, &json!({})).unwrap(), "");
        assert_eq!(stored(Kind::Address, &json!({"planet": "x"})).unwrap_err(), "/f/planet unknown_field");
        assert_eq!(
            stored(Kind::Address, &json!({"country": "Austria"})).unwrap_err(),
            "/f/country unknown_country"
        );
        assert_eq!(stored(Kind::Address, &json!({"city": 1})).unwrap_err(), "/f/city wrong_type");
    }
}
