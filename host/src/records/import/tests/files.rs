//! Files as they come: byte order marks, quoted cells over several lines, lines that are not text.

use super::*;

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_column() {
    let desk = Desk::new();
    assert_eq!(desk.import(&plain(), "\u{feff}name\nBirch\n"), [1, 0, 0]);
    assert_eq!(desk.import(&plain(), "\u{feff}\"name\"\r\n\"Oak, old\"\r\n"), [1, 0, 0]);
    assert_eq!(desk.names(), ["Birch", "Oak, old"]);
}

#[test]
fn a_fault_bears_the_number_of_the_line_where_its_record_starts() {
    let desk = Desk::new();
    let spec = json!({ "entity": "garden.tree", "mapping": { "name": { "column": "name" }, "body": { "column": "body" } } });
    for end in ["\n", "\r\n"] {
        let lines = [
            "name,body",
            "a,\"one",
            "two",
            "three\"",
            ",x",
            "b,\"four",
            "five\"",
            "",
            "",
            ",y",
            "c,",
            "d",
            ",z",
        ];
        let job = desk.submit(&spec, lines.join(end).as_bytes()).unwrap();
        assert_eq!(counts(&desk.run(&job)), [3, 0, 4]);
        assert_eq!(
            brief(&desk.errors(&job)),
            ["5,name,required", "10,name,required", "12,,wrong_cell_count", "13,name,required"],
            "{end:?}"
        );
    }
}

#[test]
fn a_line_that_is_not_utf8_is_reported_and_the_others_are_taken() {
    let desk = Desk::new();
    let mut spec = plain();
    spec["encoding"] = json!("utf-8");
    let job = desk.submit(&spec, b"name\nBirch\n\xff\xfe\nOak\n").unwrap();
    assert_eq!(counts(&desk.run(&job)), [2, 0, 1]);
    assert_eq!(brief(&desk.errors(&job)), ["3,,not_utf8"]);
    assert_eq!(refused(desk.submit(&spec, b"n\xffme\nBirch\n")), ["/file invalid_csv"]);
}

#[test]
fn a_line_with_too_few_or_too_many_cells_is_reported() {
    let desk = Desk::new();
    let spec =
        json!({ "entity": "garden.tree", "ignore": ["x"], "mapping": { "name": { "column": "name" } } });
    let job = desk.submit(&spec, b"name,x\na,1\nb\nc,1,2\nd,\n").unwrap();
    assert_eq!(counts(&desk.run(&job)), [2, 0, 2]);
    assert_eq!(brief(&desk.errors(&job)), ["3,,wrong_cell_count", "4,,wrong_cell_count"]);
}

#[test]
fn a_specification_hears_of_all_its_faults_at_once() {
    let desk = Desk::new();
    let spec = json!({
        "entity": "garden.tree", "mode": "upsert",
        "mapping": {
            "name": { "column": "nom" }, "price": { "column": "price" }, "stamp": { "column": "price" },
            "amount": {}, "body": { "column": "price", "lookup": { "by": "name" } }, "nothing": { "constant": 1 },
            "day": { "constant": "2024-01-01", "empty": "maybe" }, "external_ids": { "constant": {} },
        },
    });
    let mut faults = refused(desk.submit(&spec, b"name,price\nx,1\n"));
    faults.sort();
    assert_eq!(
        faults,
        [
            "/spec/external_id required",
            "/spec/mapping unmapped_column",
            "/spec/mapping/amount invalid_mapping",
            "/spec/mapping/body invalid_mapping",
            "/spec/mapping/day invalid_mapping",
            "/spec/mapping/external_ids invalid_mapping",
            "/spec/mapping/name unknown_column",
            "/spec/mapping/nothing invalid_mapping",
            "/spec/mapping/price invalid_mapping",
            "/spec/mapping/stamp invalid_mapping",
        ]
    );
    for bad in [json!({}), json!({ "entity": "garden.tree", "mapping": {}, "more": 1 }), json!([])] {
        assert_eq!(refused(desk.submit(&bad, b"name\nx\n")), ["/spec invalid_spec"]);
    }
    let unknown = json!({ "entity": "garden.nothing", "mapping": {} });
    assert_eq!(refused(desk.submit(&unknown, b"name\nx\n")), ["/spec/entity unknown_entity"]);
    for header in ["name,name\n", "\n", "", ",\n"] {
        assert_eq!(refused(desk.submit(&plain(), header.as_bytes())), ["/file invalid_csv"], "{header:?}");
    }
}

#[test]
fn a_delimiter_that_is_no_single_byte_is_refused() {
    let desk = Desk::new();
    let with = |sign: &str| {
        let mut spec = plain();
        spec["delimiter"] = json!(sign);
        spec
    };
    assert_eq!(refused(desk.submit(&with("→"), b"name\nx\n")), ["/spec/delimiter invalid_delimiter"]);
    assert_eq!(refused(desk.submit(&with("\n"), b"name\nx\n"))[0], "/spec/delimiter invalid_delimiter");
    assert_eq!(desk.import(&with(";"), "name\nx;y\n"), [0, 0, 1]);
    assert_eq!(desk.import(&with("\t"), "name\nx\n"), [1, 0, 0]);
}

#[test]
fn values_are_mapped_looked_up_and_defaulted() {
    let desk = Desk::new();
    desk.import(&plain(), "name\nBirch\nTwin\nTwin\n");
    let spec = json!({
        "entity": "garden.leaf", "ignore": ["note"],
        "mapping": {
            "name": { "column": "name", "default": "unnamed" },
            "tree": { "column": "tree", "lookup": { "by": "name" }, "values": { "Brich": "Birch" } },
        },
    });
    let job = desk.submit(&spec, b"name,tree,note\na,Birch,\n,Brich,\nb,Nowhere,\nc,Twin,\nd,,\n").unwrap();
    assert_eq!(counts(&desk.run(&job)), [3, 0, 2]);
    assert_eq!(brief(&desk.errors(&job)), ["4,tree,reference_not_found", "5,tree,reference_ambiguous"]);
    assert_eq!(
        desk.world.number("select count(*) from leaf where tree is not null and source = 'import'"),
        2
    );
    assert_eq!(desk.world.number("select count(*) from leaf where name = 'unnamed'"), 1);
}
