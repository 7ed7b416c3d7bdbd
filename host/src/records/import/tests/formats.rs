//! The same rows in every format, and what each has of its own.

use rust_xlsxwriter::{ExcelDateTime, Format as Style, Formula, Workbook};

use super::orchard::orchard;
use super::*;

/// A workbook with these texts, and whatever `more` writes into it.
fn workbook(rows: &[&[&str]], more: impl FnOnce(&mut Workbook)) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (row, cells) in (0..).zip(rows) {
        for (column, text) in (0..).zip(*cells) {
            if !text.is_empty() {
                sheet.write_string(row, column, *text).unwrap();
            }
        }
    }
    more(&mut workbook);
    workbook.save_to_buffer().unwrap()
}

#[test]
fn a_german_csv_is_read_as_it_is() {
    let desk = Desk::of(orchard());
    let text = "Name;Preis;Datum;Menge\r\nSüßkirsche;1.234,50;01.02.2026;1.000\r\nÄpfel, grün;0,5;31.12.2025;7\r\nÖlbaum;x;1.1.2026;\r\n";
    let (bytes, _, _) = encoding_rs::WINDOWS_1252.encode(text);
    let spec = json!({
        "entity": "garden.plant",
        "mapping": {
            "name": { "column": "Name" },
            "price": { "column": "Preis", "currency": "EUR", "decimal": "," },
            "day": { "column": "Datum", "format": "%d.%m.%Y" },
            "amount": { "column": "Menge", "decimal": "," },
        },
    });
    let (job, result) = desk.whole(&spec, &bytes);
    assert_eq!(counts(&result), [2, 0, 1]);
    let source = &result["source"];
    assert_eq!(source["encoding"], "windows-1252");
    assert_eq!(source["delimiter"], ";");
    assert_eq!(brief(&desk.errors(&job)), ["4,Preis,invalid_decimal"]);
    assert_eq!(
        desk.world.number(
            "select count(*) from plant where name = 'Süßkirsche' and price = 123450 and day = '2026-02-01' and amount = 1000"
        ),
        1
    );
}

#[test]
fn json_lines_bring_values_that_no_cell_can_hold() {
    let desk = Desk::of(orchard());
    let spec = |more: Json| {
        let mut spec = json!({
            "entity": "garden.plant",
            "mapping": {
                "name": { "column": "name" }, "price": { "column": "price" }, "uses": { "column": "uses" },
                "place": { "column": "place" }, "friends": { "column": "friends", "lookup": { "by": "name" } },
                "amount": { "column": "amount" }, "done": { "column": "done" }, "ratio": { "column": "ratio" },
                "extra": { "column": "extra" },
            },
            "ignore": ["note"],
        });
        if let (Some(members), Json::Object(more)) = (spec.as_object_mut(), more) {
            members.extend(more);
        }
        spec
    };
    let lines = [
        r#"{"name":"Oak","price":{"amount":"1.50","currency":"EUR"},"uses":["shade","wood"],"place":{"city":"Wien"},"amount":5,"done":true,"ratio":7,"extra":{"a":[1]}}"#,
        "",
        r#"{"name":"Elm","friends":["Oak"],"uses":null,"note":1}"#,
        r#"{"name":"Ash","price":{"amount":1.5,"currency":"EUR"}}"#,
        r#"{"name":"Fir","friends":["Nobody"]}"#,
        r#"["no object"]"#,
        r#"{"name":"Yew","name":"Yew"}"#,
    ];
    let (job, result) = desk.whole(&spec(json!({})), lines.join("\n"));
    assert_eq!(counts(&result), [2, 0, 4]);
    assert_eq!(
        brief(&desk.errors(&job)),
        [
            "4,price,money_must_be_string",
            "5,friends,reference_not_found",
            "6,,invalid_json",
            "7,,duplicate_member"
        ]
    );
    let oak = "select count(*) from plant where name = 'Oak' and price = 150 and price_currency = 'EUR' and ratio = 7000 \
               and uses = '[\"wood\",\"shade\"]' and place = '{\"city\":\"Wien\"}' and done = 1 and extra = '{\"a\":[1]}'";
    assert_eq!(desk.world.number(oak), 1);
    assert_eq!(desk.world.number("select count(*) from _stoa_links where field = 'friends'"), 1);
    // A member that a line does not have leaves the field as it is, and a null empties it.
    let change = spec(json!({ "mode": "update", "key": { "field": "code", "column": "code" } }));
    desk.world.raw(|conn| Ok(conn.batch("update plant set code = 'c1' where name = 'Oak'")?));
    assert_eq!(
        counts(&desk.whole(&change, r#"{"code":"c1","amount":null,"name":"Oak","price":null,"uses":["food"],"place":{"city":"Graz"},"friends":[],"done":false,"ratio":"1.5","extra":1,"note":0}"#).1),
        [0, 1, 0]
    );
    assert_eq!(counts(&desk.whole(&change, r#"{"code":"c1","name":"Oak","price":null,"uses":["food"],"place":null,"friends":[],"done":false,"ratio":"1.5","extra":1,"amount":6}
{"code":"c1"}"#).1), [0, 2, 0]);
    assert_eq!(
        desk.world.number("select count(*) from plant where name = 'Oak' and amount = 6 and price is null"),
        1
    );
}

#[test]
fn a_sheet_is_read_with_its_row_numbers_dates_numbers_and_formulas() {
    let desk = Desk::of(orchard());
    let file = workbook(&[&[], &["", "name", "day", "at", "amount", "ratio", "done", "spell"]], |workbook| {
        let sheet = workbook.worksheet_from_index(0).unwrap();
        let (date, time) =
            (Style::new().set_num_format("yyyy-mm-dd"), Style::new().set_num_format("yyyy-mm-dd hh:mm"));
        let span = Style::new().set_num_format("[h]:mm:ss");
        sheet.write_string(2, 1, "Oak").unwrap();
        let day = ExcelDateTime::from_ymd(2026, 2, 28).unwrap();
        sheet.write_datetime_with_format(2, 2, &day, &date).unwrap();
        let at = ExcelDateTime::from_ymd(2026, 2, 28).unwrap().and_hms(9, 30, 0).unwrap();
        sheet.write_datetime_with_format(2, 3, &at, &time).unwrap();
        sheet.write_formula(2, 4, Formula::new("=40+2").set_result("42")).unwrap();
        sheet.write_number(2, 5, 0.1 + 0.2).unwrap();
        sheet.write_boolean(2, 6, true).unwrap();
        sheet.write_number_with_format(2, 7, 1.5, &span).unwrap();
        // A blank row, then one with an error, one with a cell that has no name, and one without its name.
        sheet.write_string(4, 1, "Elm").unwrap();
        sheet.write_formula(4, 4, Formula::new("=1/0").set_result("#DIV/0!")).unwrap();
        sheet.write_string(5, 1, "Ash").unwrap();
        sheet.write_string(5, 20, "far").unwrap();
        sheet.write_number(6, 4, 7).unwrap();
    });
    let keys = ["name", "day", "at", "amount", "ratio", "done", "spell"];
    let mapping: serde_json::Map<String, Json> =
        keys.iter().map(|key| ((*key).to_owned(), json!({ "column": key }))).collect();
    let (job, result) = desk.whole(&json!({ "entity": "garden.plant", "mapping": mapping }), file);
    assert_eq!(counts(&result), [1, 0, 3], "{result}");
    assert_eq!(result["source"]["format"], "xlsx");
    let errors: Vec<String> =
        desk.errors(&job).iter().map(|line| line.split(',').take(4).collect::<Vec<_>>().join(",")).collect();
    assert_eq!(errors, ["Sheet1,5,,invalid_cell", "Sheet1,6,,invalid_cell", "Sheet1,7,name,required"]);
    let oak = "select count(*) from plant where name = 'Oak' and day = '2026-02-28' and at = 1772271000000 and amount = 42 \
               and ratio = 300 and done = 1 and spell = 129600000";
    assert_eq!(desk.world.number(oak), 1);
}

#[test]
fn a_sheet_is_chosen_by_its_name() {
    let desk = Desk::of(orchard());
    let file = workbook(&[&["nothing"]], |workbook| {
        let second = workbook.add_worksheet();
        second.set_name("Plants").unwrap();
        second.write_string(0, 0, "name").unwrap();
        second.write_string(1, 0, "Oak").unwrap();
    });
    let mut spec = json!({ "entity": "garden.plant", "mapping": { "name": { "column": "name" } } });
    assert_eq!(
        refused(desk.submit(&spec, &file)),
        ["/spec/mapping/name unknown_column", "/spec/mapping unmapped_column"]
    );
    spec["sheet"] = json!("Plants");
    assert_eq!(desk.import(&spec, &file), [1, 0, 0]);
    spec["sheet"] = json!("Pots");
    assert_eq!(refused(desk.submit(&spec, &file)), ["/spec/sheet unknown_sheet"]);
}

#[test]
fn a_job_on_a_sheet_goes_on_where_it_stopped() {
    let desk = Desk::of(orchard());
    let names: Vec<String> = (0..700).map(|row| format!("n{row}")).collect();
    let rows: Vec<Vec<&str>> =
        std::iter::once(vec!["name"]).chain(names.iter().map(|name| vec![name.as_str()])).collect();
    let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
    let spec = json!({ "entity": "garden.plant", "mapping": { "name": { "column": "name" } } });
    let job = desk.submit(&spec, &workbook(&rows, |_| {})).unwrap();
    for _ in 0..2 {
        assert_eq!(counts(&desk.run(&job)), [700, 0, 0]);
        assert_eq!(desk.world.number("select count(distinct name) from plant"), 700);
        assert_eq!(desk.world.number("select count(*) from plant"), 700);
    }
    // However often it ran, all of it belongs to one request.
    assert_eq!(
        desk.world.number("select count(distinct request) from _stoa_changes where source = 'import'"),
        1
    );
}

#[test]
fn a_dry_run_shows_the_first_rows_as_they_would_be_stored() {
    let desk = Desk::of(orchard());
    let spec = json!({
        "entity": "garden.plant", "dry_run": true,
        "mapping": { "name": { "column": "name" }, "price": { "column": "price", "currency": "EUR" } },
    });
    let (_, result) = desk.whole(&spec, "name,price\nOak,1.5\n,2\nElm,\n");
    assert_eq!(counts(&result), [2, 0, 1]);
    let preview = result["preview"].as_array().unwrap();
    assert_eq!(preview.len(), 2);
    assert_eq!((&preview[0]["line"], &preview[0]["action"]), (&json!(2), &json!("create")));
    assert_eq!(preview[0]["record"]["price"], json!({ "amount": "1.50", "currency": "EUR" }));
    assert_eq!(preview[0]["record"]["number"], "P-001");
    assert_eq!((&preview[1]["line"], &preview[1]["record"]["name"]), (&json!(4), &json!("Elm")));
    assert_eq!(result["errors"][0]["line"], 3);
    assert_eq!(desk.world.number("select count(*) from plant"), 0);
}
