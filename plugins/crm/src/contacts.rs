//! Contacts: people.

use serde_json::{Value, json};
use stoa_sdk::prelude::*;

/// A person, usually at an account.
#[entity(
    key = "contact",
    plural = "contacts",
    title = "name",
    duplicates = duplicates,
    hooks(before_create = write_names, before_update = write_names)
)]
pub(crate) struct Contact {
    #[field(max = 100, class = "personal")]
    pub first_name: Option<String>,
    #[field(max = 100, class = "personal", indexed)]
    pub last_name: String,
    /// First and last name, written by the plugin; search finds people by it.
    #[field(max = 201, read_only, searchable = 10, class = "personal")]
    pub name: Option<String>,
    /// What the person does there.
    #[field(max = 100, searchable = 3)]
    pub title: Option<String>,
    #[field(class = "personal", searchable = 6, indexed)]
    pub email: Option<Email>,
    #[field(class = "personal", searchable = 5)]
    pub phone: Option<Phone>,
    /// Where the person works.
    #[field(on_delete = "detach", inverse = "contacts", indexed)]
    pub account: Option<Reference<crate::accounts::Account>>,
    #[field(class = "personal", searchable = 1)]
    pub description: Option<RichText>,
}

/// When two people are taken for one. A warning can be passed with a reason; an import only reports.
fn duplicates() -> Vec<Value> {
    let name = |threshold: u8, weight: u32| {
        json!({
            "field": "first_name+last_name", "kind": "person", "method": "jaro_winkler",
            "threshold": threshold, "weight": weight
        })
    };
    vec![
        json!({
            "key": "same_email",
            "label": "Same e-mail address",
            "criteria": [{ "field": "email", "kind": "email" }],
            "on": { "create": "warn", "update": "warn", "import": "allow_and_report" }
        }),
        json!({
            "key": "same_name_and_phone",
            "label": "Similar name and the same number",
            "criteria": [name(85, 1), { "field": "phone", "kind": "phone" }],
            "threshold": 90,
        }),
        json!({
            "key": "same_name_at_account",
            "label": "Similar name at the same account",
            "criteria": [name(90, 2), { "field": "account", "kind": "text", "method": "exact" }],
            "threshold": 93,
        }),
    ]
}

/// Keeps the full name, by which lists show people, in step with its parts.
fn write_names(_: &Context, drafts: &mut [Draft<Contact>]) -> Result<()> {
    for draft in drafts {
        let name = match &draft.first_name {
            Some(first) => format!("{first} {}", draft.last_name),
            None => draft.last_name.clone(),
        };
        draft.name = Some(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use stoa_sdk::testing::Host;

    use super::*;

    #[test]
    fn a_person_is_listed_by_the_full_name() {
        let host = Host::new::<crate::Plugin>();
        let contacts = host.context().records::<Contact>();
        let ada = Contact {
            first_name: Some("Ada".into()),
            last_name: "Byron".into(),
            name: None,
            title: None,
            email: Some(Email("ada@example.com".into())),
            phone: None,
            account: None,
            description: None,
        };
        let id = contacts.create(&ada).unwrap();
        let mut ada = contacts.get(id).unwrap();
        assert_eq!(ada.name.as_deref(), Some("Ada Byron"));

        ada.last_name = "Lovelace".into();
        contacts.save(&mut ada).unwrap();
        assert_eq!(contacts.get(id).unwrap().name.as_deref(), Some("Ada Lovelace"));
    }
}
