//! What fields of several values are made of, and which are not for imports.

use super::orchard::orchard;
use super::*;

#[test]
fn options_references_addresses_and_currencies_come_out_of_cells() {
    let desk = Desk::of(orchard());
    let names = json!({ "entity": "garden.plant", "mapping": { "name": { "column": "name" } } });
    desk.import(&names, "name\nBirch\nOak\nTwin\nTwin\n");
    let spec = json!({
        "entity": "garden.plant", "ignore": ["note"],
        "mapping": {
            "name": { "column": "name" },
            "uses": { "column": "uses" },
            "friends": { "column": "friends", "separator": "|", "lookup": { "by": "name", "ignore_case": true } },
            "place.city": { "column": "city" }, "place.country": { "column": "country", "values": { "Austria": "AT" } },
            "price": { "column": "price", "currency_column": "currency", "currency": "USD" },
            "spell": { "column": "spell" }, "share": { "column": "share" },
            "external_ids.erp": { "column": "erp" }, "external_ids.old": { "column": "old" },
        },
    });
    let file = "name,uses,friends,city,country,price,currency,spell,share,erp,old,note\n\
                Ash,Food; timber wood,birch|OAK,Wien,Austria,1.5,JPY,PT1H,12.5%,1,2,\n\
                Elm,food;shade,,Wien,Austria,1.5,,90,12.5,3,,\n\
                Fir,gold,twin,Graz,Nowhere,,,,,,,\n\
                Yew,,,,,,,,,3,,\n\
                Box,,,,,,,,,,,\n";
    let (job, result) = desk.whole(&spec, file);
    assert_eq!(counts(&result), [2, 0, 3]);
    let mut errors = brief(&desk.errors(&job));
    errors.sort();
    assert_eq!(errors, ["2,price,invalid_decimal", "4,friends,reference_ambiguous", "5,erp,not_unique"]);
    let elm = "select count(*) from plant where name = 'Elm' and uses = '[\"food\",\"shade\"]' and price = 150 \
               and price_currency = 'USD' and place = '{\"city\":\"Wien\",\"country\":\"AT\"}' and spell = 90 \
               and share = 125000 and external_ids = '{\"erp\":\"3\"}'";
    assert_eq!(desk.world.number(elm), 1);
    assert_eq!(
        desk.world.number("select count(*) from plant where name = 'Box' and place is null and uses is null"),
        1
    );

    let (_, result) = desk.whole(&spec, "name,uses,friends,city,country,price,currency,spell,share,erp,old,note\nAsh,wood,birch|OAK,Wien,AT,15,JPY,PT1H,12.5%,1,2,\n");
    assert_eq!(counts(&result), [1, 0, 0]);
    let ash = "select count(*) from plant p where name = 'Ash' and price = 15 and spell = 3600000 and external_ids = \
               '{\"erp\":\"1\",\"old\":\"2\"}' and 2 = (select count(*) from _stoa_links l where l.record = p.id)";
    assert_eq!(desk.world.number(ash), 1);
}

#[test]
fn what_an_import_may_not_set_or_does_not_understand_is_refused() {
    let desk = Desk::of(orchard());
    for (key, mapping) in [
        ("number", json!({ "column": "name" })),
        ("id", json!({ "column": "name" })),
        ("created_at", json!({ "column": "name" })),
        ("place.planet", json!({ "column": "name" })),
        ("name.first", json!({ "column": "name" })),
        ("amount", json!({ "column": "name", "decimal": "x" })),
        ("amount", json!({ "column": "name", "currency_column": "name" })),
        ("external_ids", json!({ "constant": {} })),
        ("price", json!({ "column": "name" })),
        ("friends", json!({ "column": "name", "lookup": { "by": "amount" } })),
    ] {
        let spec = json!({ "entity": "garden.plant", "mapping": { key: mapping.clone() } });
        let refused = refused(desk.submit(&spec, b"name\nx\n"));
        assert_eq!(refused[0], format!("/spec/mapping/{key} invalid_mapping"), "{mapping}");
    }
}

#[test]
fn a_text_that_an_export_guarded_is_the_text_that_was_meant() {
    let desk = Desk::of(orchard());
    let spec = json!({ "entity": "garden.plant", "mapping": { "name": { "column": "name" }, "phone": { "column": "phone" } } });
    assert_eq!(desk.import(&spec, "name,phone\n'=1+1,'+43 1 2\n''-x,\n'quoted',\n"), [3, 0, 0]);
    for name in ["=1+1", "'-x", "'quoted'"] {
        let names = desk.world.owner().page("plant", &Json::Null, "", 9, None).unwrap();
        assert!(names.to_string().contains(&format!("\"name\":{}", json!(name))), "{name} {names}");
    }
    assert_eq!(desk.world.number("select count(*) from plant where phone = '+43 1 2'"), 1);
    // No sheet has been near JSON: what stands there is meant.
    assert_eq!(
        desk.import(
            &json!({ "entity": "garden.plant", "mapping": { "name": { "column": "name" } } }),
            "{\"name\":\"'=2\"}"
        ),
        [1, 0, 0]
    );
    assert_eq!(desk.world.number("select count(*) from plant where name = '''=2'"), 1);
}
