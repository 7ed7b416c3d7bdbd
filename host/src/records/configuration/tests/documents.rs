//! What a document may say: every fault at once, each with its place.

use serde_json::{Value as Json, json};

use super::shop::Shop;
use crate::records::schema::Kind;
use crate::records::tests::world::told;

fn tree(fields: &Json) -> Json {
    json!({"entities": {"garden.tree": {"fields": fields}}})
}

fn found(shop: &Shop, json: &Json) -> Vec<String> {
    let mut faults = told(&shop.faults(json));
    faults.sort();
    faults
}

#[test]
fn a_document_of_every_type_makes_fields_behind_the_declared_ones() {
    let shop = Shop::new();
    let compiled = shop.compiled(&json!({
        "option_sets": [{"key": "sizes", "label": "Sizes", "options": [{"key": "s", "label": "S"}, {"key": "l", "label": "L", "archived": true}]}],
        "entities": {"garden.tree": {"fields": [
            {"key": "c_text", "type": "text", "max_length": 20, "searchable": 3},
            {"key": "c_rich", "type": "rich_text"}, {"key": "c_int", "type": "integer", "min": 1, "max": 9},
            {"key": "c_dec", "type": "decimal", "scale": 2, "min": "0.50"}, {"key": "c_money", "type": "money"},
            {"key": "c_pct", "type": "percent", "max": "100"}, {"key": "c_bool", "type": "boolean", "default": true},
            {"key": "c_date", "type": "date"}, {"key": "c_at", "type": "date_time"}, {"key": "c_dur", "type": "duration"},
            {"key": "c_size", "type": "option", "option_set": "sizes", "default": "s"},
            {"key": "c_tags", "type": "options", "options": [{"key": "a", "label": "A"}]},
            {"key": "c_note", "type": "reference", "references": "garden.note", "inverse": "trees", "on_delete": "detach"},
            {"key": "c_notes", "type": "references", "references": "garden.note"},
            {"key": "c_who", "type": "reference", "references": "host.user"},
            {"key": "c_mail", "type": "email", "unique": true}, {"key": "c_phone", "type": "phone"}, {"key": "c_url", "type": "url"},
            {"key": "c_addr", "type": "address"}, {"key": "c_file", "type": "file"},
            {"key": "c_no", "type": "auto_number", "format": "T-{000}"}, {"key": "c_json", "type": "json"},
            {"key": "c_gone", "type": "text", "archived": true},
        ]}},
    }));
    assert_eq!(told(&compiled.faults), [""; 0]);
    let before = shop.world.entity("tree");
    let entity = compiled.modules[0].entity("tree").unwrap();
    assert_eq!(entity.fields.len(), before.fields.len() + 22);
    assert_eq!((entity.plugin_width, entity.plugin_select.as_str()), (before.width, before.select.as_str()));
    assert!(entity.fields.iter().skip(before.fields.len()).all(|field| field.custom));
    assert!(entity.field("c_gone").is_none(), "archived");
    let number = entity.field("c_no").unwrap();
    assert!(number.read_only && number.unique);
    let Kind::Option(choices) = &entity.field("c_size").unwrap().kind else { panic!("no option") };
    assert_eq!(choices.iter().map(|choice| choice.archived).collect::<Vec<_>>(), [false, true]);
    assert_ne!(compiled.modules[0].fingerprint, shop.world.module.fingerprint);
    let untouched = shop.compiled(&json!({}));
    assert!(
        std::sync::Arc::ptr_eq(&untouched.modules[0], &shop.world.module),
        "shared between organizations"
    );
}

#[test]
fn each_fault_of_a_field_is_found_with_its_place() {
    let shop = Shop::new();
    let cases = [
        (json!({"key": "x", "type": "text"}), "key invalid_key"),
        (json!({"key": "C_x", "type": "text"}), "key invalid_key"),
        (json!({"key": "c_x\" text); drop table tree; --", "type": "text"}), "key invalid_key"),
        (json!({"key": "c_x", "type": "varchar"}), "type unknown_type"),
        (json!({"key": "c_x", "type": "text", "colour": 1}), "colour unknown_field"),
        (json!({"key": "c_x", "type": "text", "required": "yes"}), "required wrong_type"),
        (json!({"key": "c_x", "type": "text", "label": "x".repeat(10_000)}), "label too_long"),
        (json!({"key": "c_x", "type": "text", "label": "a\u{202e}b"}), "label control_character"),
        (json!({"key": "c_x", "type": "text", "max_length": 0}), "max_length invalid_bound"),
        (json!({"key": "c_x", "type": "text", "min": 1}), "min not_of_this_type"),
        (json!({"key": "c_x", "type": "integer", "min": "1"}), "min invalid_bound"),
        (json!({"key": "c_x", "type": "integer", "min": 2, "max": 1}), "min invalid_bound"),
        (json!({"key": "c_x", "type": "integer", "searchable": 1}), "searchable not_searchable"),
        (json!({"key": "c_x", "type": "text", "searchable": 11}), "searchable wrong_type"),
        (json!({"key": "c_x", "type": "decimal"}), "scale required"),
        (json!({"key": "c_x", "type": "decimal", "scale": 10}), "scale wrong_type"),
        (json!({"key": "c_x", "type": "option"}), "options required"),
        (json!({"key": "c_x", "type": "option", "option_set": "none"}), "option_set unknown_option_set"),
        (
            json!({"key": "c_x", "type": "option", "options": [{"key": "a", "label": "A", "archived": true}]}),
            "options required",
        ),
        (
            json!({"key": "c_x", "type": "option", "options": [{"key": "a", "label": "A"}, {"key": "a", "label": "B"}]}),
            "options/1/key duplicate_key",
        ),
        (
            json!({"key": "c_x", "type": "option", "options": [{"key": "a", "label": "A"}], "default": "b"}),
            "default invalid_default",
        ),
        (json!({"key": "c_x", "type": "integer", "default": "7"}), "default invalid_default"),
        (json!({"key": "c_x", "type": "reference"}), "references required"),
        (json!({"key": "c_x", "type": "reference", "references": "tree"}), "references invalid_key"),
        (
            json!({"key": "c_x", "type": "reference", "references": "sales.order"}),
            "references unknown_entity",
        ),
        (
            json!({"key": "c_x", "type": "reference", "references": "host.secret"}),
            "references unknown_entity",
        ),
        (
            json!({"key": "c_x", "type": "reference", "references": "garden.note", "inverse": "name"}),
            "inverse duplicate_key",
        ),
        (
            json!({"key": "c_x", "type": "reference", "references": "host.user", "on_delete": "cascade"}),
            "on_delete other_module",
        ),
        (
            json!({"key": "c_x", "type": "reference", "references": "host.user", "on_delete": "explode"}),
            " wrong_type",
        ),
        (json!({"key": "c_x", "type": "auto_number"}), "format invalid_format"),
        (
            json!({"key": "c_x", "type": "auto_number", "format": "{0}", "required": true}),
            "type not_settable",
        ),
        (json!({"key": "c_x", "type": "json", "unique": true}), "unique not_unique_kind"),
        (json!({"key": "c_x", "type": "address", "indexed": true}), "indexed not_indexable"),
        (json!({"key": "c_x", "type": "text", "class": "hidden"}), "class unknown_class"),
        (
            json!({"key": "c_x", "type": "text", "required_when": {"field": "nothing", "value": "1"}}),
            "required_when unknown_parameter",
        ),
        (json!({"key": "c_x", "type": "text", "required_when": "always"}), "required_when invalid_filter"),
        (json!({"type": "text"}), "key required"),
    ];
    for (field, expected) in cases {
        let json = tree(&json!([field]));
        let expected = match expected.strip_prefix(' ') {
            Some(code) => format!(" {code}"),
            None => format!("/entities/garden.tree/fields/0/{expected}"),
        };
        assert_eq!(found(&shop, &json), [expected], "{field}");
    }
}

#[test]
fn all_faults_of_a_document_are_found_at_once() {
    let shop = Shop::new();
    let json = json!({
        "option_sets": [{"key": "s", "label": "S", "options": []}, {"key": "s", "label": "S"}],
        "entities": {
            "garden.tree": {
                "fields": [{"key": "c_a", "type": "money"}, {"key": "c_a_currency", "type": "text"}, {"key": "c_b", "type": "x"}],
                "rules": [
                    {"key": "r", "condition": {"field": "amount", "op": "gt", "value": "x"}, "message": "m"},
                    {"key": "r", "condition": {"field": "amount", "op": "gt", "value": "1"}, "message": "m"},
                    {"key": "t", "condition": {"and": []}, "message": "m", "field": "nothing"},
                ],
                "required_when": {"c_a": {"and": []}, "stamp": {"and": []}, "day": {"field": "day", "op": "like", "value": "x"}},
                "duplicates": [{"key": "d", "label": "D", "criteria": [{"field": "nothing", "kind": "text"}]}, 7],
            },
            "garden.weed": {},
            "custom.project": {},
            "sales.order": {"fields": [{"key": "c_x", "type": "text"}]},
        },
    });
    assert_eq!(
        found(&shop, &json),
        [
            "/entities/custom.project own_object",
            "/entities/garden.tree/duplicates/0/criteria/0/field unknown_field",
            "/entities/garden.tree/duplicates/1 invalid_rule",
            "/entities/garden.tree/fields/1/key duplicate_key",
            "/entities/garden.tree/fields/2/type unknown_type",
            "/entities/garden.tree/required_when/c_a own_field",
            "/entities/garden.tree/required_when/day unknown_operator",
            "/entities/garden.tree/required_when/stamp unknown_field",
            "/entities/garden.tree/rules/0/condition invalid_filter_value",
            "/entities/garden.tree/rules/1/key duplicate_key",
            "/entities/garden.tree/rules/2/field unknown_field",
            "/entities/garden.weed unknown_entity",
            "/entities/sales.order unknown_entity",
            "/option_sets/1/key duplicate_key",
        ]
    );
}

#[test]
fn objects_are_named_so_that_nothing_collides() {
    let shop = Shop::new();
    let object = |key: &str, plural: &str| json!({"key": key, "plural": plural, "label": "X", "fields": [{"key": "name", "type": "text"}], "title": "name"});
    // Words of SQL are as good as others: every name is quoted.
    for good in ["select", "table", "order", "index", "project", "rowid_x"] {
        let plural = format!("{good}-list");
        assert_eq!(found(&shop, &json!({"objects": [object(good, &plural)]})), [""; 0], "{good}");
    }
    for bad in ["visible_x", "sqlite_master", "pragma_x", "dbstat", "fts5vocab", "bytecode"] {
        assert_eq!(
            found(&shop, &json!({"objects": [object(bad, "xs")]})),
            ["/objects/0/key invalid_key"],
            "{bad}"
        );
    }
    for bad in ["_stoa_changes", "x\"y", "x;y", "X", "", "1x", "ü", "x y", &"x".repeat(49)] {
        let faults = found(&shop, &json!({"objects": [object(bad, "xs")]}));
        assert_eq!(faults, ["/objects/0/key invalid_key"], "{bad}");
    }
    assert_eq!(
        found(&shop, &json!({"objects": [object("x", "reports")]})),
        ["/objects/0/plural duplicate_key"]
    );
    assert_eq!(
        found(&shop, &json!({"objects": [object("x", "xs"), object("x", "xs")]})),
        ["/objects/1/key duplicate_key", "/objects/1/plural duplicate_key"]
    );
    let own =
        |fields: &Json| json!({"objects": [{"key": "x", "plural": "xs", "label": "X", "fields": fields}]});
    for bad in ["id", "version", "owner_id", "deleted_at"] {
        let faults = found(&shop, &own(&json!([{"key": bad, "type": "text"}])));
        assert_eq!(faults, ["/objects/0/fields/0/key duplicate_key"], "{bad}");
    }
    for bad in ["limit", "sort", "rowid", "owner"] {
        let faults = found(&shop, &own(&json!([{"key": bad, "type": "text"}])));
        assert_eq!(faults, ["/objects/0/fields/0/key invalid_key"], "{bad}");
    }
    let grants = json!({"objects": [{"key": "x", "plural": "xs", "label": "X", "grants": {
        "owner": {"actions": ["read"], "scope": "org"}, "wizard": {"actions": ["read"], "scope": "org"},
        "rep": {"actions": ["read", "read", "fly"], "scope": "world"},
    }}]});
    assert_eq!(
        found(&shop, &grants),
        [
            "/objects/0/grants/owner owner_has_all",
            "/objects/0/grants/rep/actions/1 duplicate_key",
            "/objects/0/grants/rep/actions/2 unknown_action",
            "/objects/0/grants/rep/scope unknown_scope",
            "/objects/0/grants/wizard unknown_role",
        ]
    );
}

#[test]
fn objects_may_refer_to_each_other_in_circles() {
    let shop = Shop::new();
    let object = |key: &str, to: &str| {
        json!({"key": key, "plural": format!("{key}s"), "label": key, "fields": [
            {"key": "next", "type": "reference", "references": to, "on_delete": "cascade", "inverse": "previous"},
        ]})
    };
    let json =
        json!({"objects": [object("a", "custom.b"), object("b", "custom.a"), object("c", "custom.c")]});
    assert_eq!(found(&shop, &json), [""; 0]);
    assert_eq!(shop.compiled(&json).modules.len(), 2);
    let twice = json!({"objects": [object("a", "custom.b"), object("b", "custom.b")]});
    assert_eq!(found(&shop, &twice), ["/objects/1/fields/0/inverse duplicate_key"]);
}

#[test]
fn a_document_has_limits() {
    let shop = Shop::new();
    let fields: Vec<Json> = (0..201).map(|n| json!({"key": format!("c_{n}"), "type": "text"})).collect();
    assert_eq!(found(&shop, &tree(&json!(fields))), ["/entities/garden.tree/fields too_many"]);
    let wide: Vec<Json> = (0..150).map(|n| json!({"key": format!("c_{n}"), "type": "money"})).collect();
    assert_eq!(found(&shop, &tree(&json!(wide))), ["/entities/garden.tree/fields too_many"]);
    let options: Vec<Json> = (0..501).map(|n| json!({"key": format!("o{n}"), "label": "x"})).collect();
    let set = json!({"option_sets": [{"key": "s", "label": "S", "options": options}]});
    assert_eq!(found(&shop, &set), ["/option_sets/0/options too_many"]);
    let rules: Vec<Json> =
        (0..51).map(|n| json!({"key": format!("r{n}"), "condition": {"and": []}, "message": "m"})).collect();
    assert_eq!(
        found(&shop, &json!({"entities": {"garden.tree": {"rules": rules}}})),
        ["/entities/garden.tree/rules too_many"]
    );
    let objects: Vec<Json> =
        (0..101).map(|n| json!({"key": format!("x{n}"), "plural": format!("x{n}s"), "label": "X"})).collect();
    assert_eq!(found(&shop, &json!({"objects": objects})), ["/objects too_many"]);
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let faults = found(&shop, &tree(&json!([{"key": "c_x", "type": "json", "default": deep}])));
    assert_eq!(faults, ["/entities/garden.tree/fields/0/default too_deep"]);
    let long = json!({"objects": [], "entities": {"garden.tree": {"rules": [
        {"key": "r", "condition": {"field": "name", "value": "x".repeat(1 << 20)}, "message": "m"},
    ]}}});
    assert_eq!(found(&shop, &long), [" too_long"]);
    for odd in [json!([]), json!("x"), json!({"v": 2}), json!({"entities": []}), json!({"objects": {}})] {
        assert_eq!(found(&shop, &odd).len(), 1, "{odd}");
    }
}

#[test]
fn what_no_longer_fits_is_left_out_and_the_rest_works() {
    let shop = Shop::new();
    let document = crate::records::configuration::shape::document(&json!({
        "entities": {
            "garden.tree": {
                "fields": [{"key": "c_a", "type": "text"}, {"key": "c_order", "type": "reference", "references": "sales.order"}],
                "rules": [
                    {"key": "old", "condition": {"field": "dropped", "value": "1"}, "message": "m"},
                    {"key": "good", "condition": {"field": "name", "op": "ne", "value": "x"}, "message": "m"},
                ],
            },
            "sales.order": {"fields": [{"key": "c_x", "type": "text"}]},
        },
    }))
    .unwrap();
    let compiled = super::super::compile(&shop.ground, &document, &document, shop.world.clock.now());
    assert_eq!(told(&compiled.faults), ["/entities/garden.tree/rules/0/condition unknown_parameter"]);
    let entity = compiled.modules[0].entity("tree").unwrap();
    assert!(entity.field("c_a").is_some() && entity.field("c_order").is_some());
    assert_eq!(entity.rules.iter().map(|rule| &*rule.key).collect::<Vec<_>>(), ["good"]);
}
