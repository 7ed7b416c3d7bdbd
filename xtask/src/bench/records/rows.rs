//! The records: companies with names that share words as those of real ones do, some words rare and some everywhere.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::{Value, json};

use crate::bench::load::scattered;

const FIRST: [&str; 24] = [
    "Amber",
    "Birch",
    "Cedar",
    "Delta",
    "Ember",
    "Falcon",
    "Granite",
    "Harbour",
    "Indigo",
    "Juniper",
    "Keystone",
    "Lantern",
    "Meridian",
    "Northern",
    "Orchard",
    "Pioneer",
    "Quarry",
    "Riverside",
    "Summit",
    "Timber",
    "Umber",
    "Valley",
    "Willow",
    "Zenith",
];
const SECOND: [&str; 16] = [
    "Analytics",
    "Bakeries",
    "Chemicals",
    "Dynamics",
    "Electric",
    "Foods",
    "Glass",
    "Health",
    "Insurance",
    "Logistics",
    "Machines",
    "Networks",
    "Optics",
    "Paper",
    "Shipping",
    "Textiles",
];
const INDUSTRIES: [&str; 8] =
    ["retail", "software", "medical", "finance", "marketing", "services", "employment", "entertainment"];
const COUNTRIES: [&str; 5] = ["Germany", "United States", "Kenya", "Japan", "Brazil"];

fn pick<'a>(list: &[&'a str], number: usize, salt: u64) -> &'a str {
    let at = scattered((number as u64).wrapping_mul(31).wrapping_add(salt), list.len());
    list.get(at).copied().unwrap_or_default()
}

/// The n-th company's name: a word that every hundredth shares, one that every tenth shares, one of its own.
pub(in crate::bench) fn name(number: usize) -> String {
    let group = if number.is_multiple_of(3) { " Group" } else { "" };
    format!("{} {}{group} {number}", pick(&FIRST, number, 7), pick(&SECOND, number, 1_013))
}

/// What a search is asked for: a rare text, a common one, a very common one, an unfinished one.
pub(in crate::bench) fn query(number: u64, total: usize) -> String {
    let of = scattered(number, total);
    match number % 4 {
        0 => name(of),
        1 => format!("{} {}", pick(&FIRST, of, 7), pick(&SECOND, of, 1_013)),
        2 => "group".to_owned(),
        _ => pick(&SECOND, of, 1_013).chars().take(3).collect(),
    }
}

/// The n-th company as the API takes it.
pub(in crate::bench) fn account(number: usize) -> Value {
    json!({
        "name": name(number),
        "kind": "customer",
        "industry": pick(&INDUSTRIES, number, 3),
        "website": format!("https://company-{number}.example"),
        "year_founded": 1950 + number % 70,
        "employees": number % 5_000,
        "country": pick(&COUNTRIES, number, 5),
    })
}

/// The companies of these numbers as a CSV file: twelve fields, some of them empty.
pub(in crate::bench) fn csv(numbers: Range<usize>) -> String {
    let mut text = String::with_capacity(numbers.len() * 190);
    text.push_str(
        "name,legal_name,kind,industry,website,year_founded,employees,revenue,country,phone,description,number\n",
    );
    for number in numbers {
        let industry = if number % 10 == 9 { "" } else { pick(&INDUSTRIES, number, 3) };
        let _ = writeln!(
            text,
            "{name},{name} Incorporated,customer,{industry},https://company-{number}.example,{founded},{employees},\
             {revenue}.50,{country},+49 30 {phone},Makes things since {founded} in {country},{number}",
            name = name(number),
            founded = 1950 + number % 70,
            employees = number % 5_000,
            revenue = number % 1_000_000,
            country = pick(&COUNTRIES, number, 5),
            phone = 1_000_000 + number,
        );
    }
    text
}

/// How the file is imported.
pub(in crate::bench) fn spec() -> Value {
    let column = |name: &str| json!({ "column": name });
    json!({
        "entity": "crm.account",
        "external_id": { "source": "bench", "column": "number" },
        "mapping": {
            "name": column("name"),
            "legal_name": column("legal_name"),
            "kind": column("kind"),
            "industry": column("industry"),
            "website": column("website"),
            "year_founded": column("year_founded"),
            "employees": column("employees"),
            "revenue": { "column": "revenue", "currency": "EUR" },
            "country": column("country"),
            "phone": column("phone"),
            "description": column("description"),
        },
    })
}
