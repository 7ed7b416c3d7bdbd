//! By what rows find their records, and what happens to those that do not.

use super::orchard::orchard;
use super::*;

fn spec(mode: &str, key: &Json) -> Json {
    json!({
        "entity": "garden.plant", "mode": mode, "key": key,
        "mapping": { "name": { "column": "name" }, "amount": { "column": "amount" }, "code": { "column": "code" } },
    })
}

#[test]
fn a_unique_field_finds_records() {
    let desk = Desk::of(orchard());
    let by_code = |mode: &str| spec(mode, &json!({ "field": "code" }));
    assert_eq!(counts(&desk.whole(&by_code("upsert"), "name,amount,code\na,1,x\nb,2,y\n").1), [2, 0, 0]);
    let (job, result) = desk.whole(&by_code("upsert"), "name,amount,code\nc,3, x \nd,4,z\ne,5,\nf,6,z\n");
    assert_eq!(counts(&result), [1, 2, 1]);
    assert_eq!(brief(&desk.errors(&job)), ["4,code,required"]);
    let (job, result) = desk.whole(&by_code("update"), "name,amount,code\ng,7,x\nh,8,nobody\ni,9,\n");
    assert_eq!(counts(&result), [0, 1, 2]);
    assert_eq!(brief(&desk.errors(&job)), ["3,code,record_not_found", "4,code,required"]);
    assert_eq!(desk.world.number("select count(*) from plant"), 3);
    assert_eq!(desk.world.number("select count(*) from plant where name = 'g' and amount = 7"), 1);
    assert_eq!(desk.world.number("select count(*) from plant where name = 'f' and amount = 6"), 1);
}

#[test]
fn an_id_and_a_number_that_the_host_gave_find_records_and_make_none() {
    let desk = Desk::of(orchard());
    desk.import(
        &json!({ "entity": "garden.plant", "mapping": { "name": { "column": "name" } } }),
        "name\na\nb\n",
    );
    let owner = desk.world.owner();
    let id = owner.page("plant", &Json::Null, "name", 9, None).unwrap()["data"][0]["id"].clone();
    let other = crate::ids::RecordId::new();
    for (field, known, unknown) in
        [("id", id.as_str().unwrap(), other.to_string()), ("number", "P-001", "P-9".into())]
    {
        let mut spec = spec("upsert", &json!({ "field": field, "column": "key" }));
        spec["mapping"].as_object_mut().unwrap().remove("code");
        let file = format!("key,name,amount\n{known},a,5\n{unknown},x,6\n,new {field},7\n");
        let (job, result) = desk.whole(&spec, file);
        assert_eq!(counts(&result), [1, 1, 1], "{field}");
        assert_eq!(brief(&desk.errors(&job)), ["3,key,record_not_found"]);
        spec["mode"] = json!("update");
        let (job, result) = desk.whole(&spec, format!("key,name,amount\n{known},a,8\nno key,a,9\n,a,9\n"));
        assert_eq!(counts(&result), [0, 1, 2], "{field}");
        assert_eq!(brief(&desk.errors(&job))[1], "4,key,required");
    }
    assert_eq!(desk.world.number("select count(*) from plant where name = 'a' and amount = 8"), 1);
}

#[test]
fn an_external_id_may_stand_under_key_too() {
    let desk = Desk::of(orchard());
    let by_id = spec("upsert", &json!({ "external_id": { "source": "old", "column": "id" } }));
    assert_eq!(counts(&desk.whole(&by_id, "id,name,amount,code\n1,a,1,x\n").1), [1, 0, 0]);
    assert_eq!(counts(&desk.whole(&by_id, "id,name,amount,code\n1,b,1,x\n").1), [0, 1, 0]);
    let mut update = by_id.clone();
    update["mode"] = json!("update");
    let (job, result) = desk.whole(&update, "id,name,amount,code\n2,c,1,\n");
    assert_eq!(counts(&result), [0, 0, 1]);
    assert_eq!(brief(&desk.errors(&job)), ["2,id,record_not_found"]);
}

#[test]
fn a_key_that_finds_nothing_certain_is_refused_before_the_start() {
    let desk = Desk::of(orchard());
    for (key, mode, expected) in [
        (json!({ "field": "name" }), "upsert", "/spec/key/field invalid_key"),
        (json!({ "field": "nothing" }), "upsert", "/spec/key/field invalid_key"),
        (json!({ "field": "id" }), "upsert", "/spec/key/column required"),
        (json!({ "field": "code" }), "create", "/spec/key invalid_key"),
        (
            json!({ "field": "code", "external_id": { "source": "a", "column": "name" } }),
            "upsert",
            "/spec/key invalid_key",
        ),
        (json!({}), "upsert", "/spec/key invalid_key"),
        (json!({ "field": "id", "column": "nowhere" }), "upsert", "/spec/key/column unknown_column"),
    ] {
        let outcome = desk.submit(&spec(mode, &key), b"name,amount,code\n");
        assert_eq!(refused(outcome), [expected], "{key}");
    }
    let mut none = spec("update", &Json::Null);
    none.as_object_mut().unwrap().remove("key");
    assert_eq!(refused(desk.submit(&none, b"name,amount,code\n")), ["/spec/external_id required"]);
}
