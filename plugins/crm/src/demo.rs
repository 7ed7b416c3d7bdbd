//! What a demo organization has to look at: four companies, one of them the daughter of another, and their people.

use serde_json::{Value, json};
use stoa_sdk::manifest::Seed;

pub(crate) fn records() -> Vec<Seed> {
    let account = |key: &str, name: &str, industry: &str, country: &str, employees: i64| {
        json!({ "external_id": key, "name": name, "industry": industry, "country": country, "employees": employees,
            "website": format!("https://{key}.example.com") })
    };
    let mut daughter = account("harbour-labs", "Harbour Labs", "software", "Portugal", 38);
    if let Some(members) = daughter.as_object_mut() {
        members.insert("parent".into(), json!({ "external_id": "northwind" }));
    }
    let accounts = vec![
        account("northwind", "Northwind Traders", "retail", "Norway", 420),
        daughter,
        account("alpine", "Alpine Clinics", "medical", "Austria", 1_350),
        account("meridian", "Meridian Telecom", "telecommunications", "Kenya", 2_100),
    ];
    vec![Seed::new("account", accounts), Seed::new("contact", contacts())]
}

fn contacts() -> Vec<Value> {
    let people = [
        ("Ingrid", "Solberg", "Head of purchasing", "northwind"),
        ("Tomás", "Ferreira", "Managing director", "harbour-labs"),
        ("Katharina", "Moser", "Chief of operations", "alpine"),
        ("Wanjiru", "Kamau", "Chief information officer", "meridian"),
        ("Otieno", "Odhiambo", "Buyer", "meridian"),
    ];
    let contact = |(first, last, title, account): (&str, &str, &str, &str)| {
        json!({ "external_id": format!("{account}-{}", last.to_lowercase()), "first_name": first, "last_name": last,
            "title": title, "account": { "external_id": account },
            "email": format!("{}@{account}.example.com", last.to_lowercase()) })
    };
    people.into_iter().map(contact).collect()
}
