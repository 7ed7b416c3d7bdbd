//! What a file is and how it may be mapped, asked before; and mappings that are kept.

use super::orchard::orchard;
use super::*;
use crate::ids::RecordId;
use crate::records::import::mappings::SavedMapping;
use crate::records::mutation::Manner;

impl Desk {
    fn detect(&self, options: Json, file: &[u8]) -> Detected {
        let upload = self.world.folder.path().join("sample");
        std::fs::write(&upload, file).unwrap();
        let options = options.to_string();
        self.world.runtime.block_on(self.imports.detect(&self.scope, Some(&options), &upload)).unwrap()
    }

    fn save(&self, name: &str, spec: &Json) -> Result<SavedMapping, ImportError> {
        let spec = spec.as_object().unwrap().clone();
        let saved = self.imports.save_mapping(&self.scope, (name, spec), Manner::default());
        self.world.runtime.block_on(saved).map(|came| came.after.unwrap())
    }
}

fn faults<T: std::fmt::Debug>(outcome: Result<T, ImportError>) -> Vec<String> {
    match outcome {
        Err(ImportError::Records(RecordError::Invalid(faults))) => told(&faults),
        Err(ImportError::Records(RecordError::Conflict { code, .. })) => vec![code.into_owned()],
        other => panic!("{other:?}"),
    }
}

fn names() -> Json {
    json!({ "entity": "garden.plant", "mapping": { "name": { "column": "Title" } } })
}

#[test]
fn a_file_tells_what_it_is_and_its_columns_which_fields_they_may_become() {
    let desk = Desk::of(orchard());
    desk.import(&names(), "Title\nOak\n");
    let file =
        "NAME;Price;price.currency;place.city;Parent;Owner;remark\nElm;1,5;EUR;Wien;Oak;;x\nAsh;2;EUR;;;;\n";
    let found = desk.detect(json!({ "entity": "garden.plant" }), file.as_bytes());
    assert_eq!((found.source.delimiter, found.source.rows), (Some(';'), 2));
    assert_eq!(found.rows[0]["cells"]["Parent"], "Oak");
    let suggestion = found.suggestion.unwrap();
    assert_eq!(suggestion.unmatched, ["remark"]);
    let spec = &suggestion.spec;
    assert_eq!(spec["mapping"]["name"], json!({ "column": "NAME" }));
    assert_eq!(spec["mapping"]["place.city"], json!({ "column": "place.city" }));
    assert_eq!(spec["mapping"]["parent"], json!({ "column": "Parent", "lookup": { "by": "name" } }));
    assert_eq!(spec["ignore"], json!(["remark"]));
    let mut spec = spec.clone();
    spec["mapping"]["price"]["decimal"] = json!(",");
    assert_eq!(desk.import(&spec, file), [2, 0, 0], "a suggestion is a specification");
    // The options about the file are obeyed, and nothing is kept.
    assert_eq!(desk.detect(json!({ "delimiter": "," }), file.as_bytes()).source.columns.len(), 1);
    let folder = desk.imports.folder(desk.scope.organization.id).unwrap();
    assert!(
        std::fs::read_dir(folder)
            .unwrap()
            .all(|file| { !file.unwrap().file_name().to_string_lossy().ends_with(".look") })
    );
}

#[test]
fn a_saved_mapping_whose_columns_fit_comes_first() {
    let desk = Desk::of(orchard());
    let saved = desk.save("Titles", &names()).unwrap();
    let more = json!({ "entity": "garden.plant", "mapping": { "name": { "column": "Title" }, "amount": { "column": "Count" } } });
    desk.save("Counts", &more).unwrap();
    let suggested = |file: &str| {
        let found = desk.detect(json!({ "entity": "garden.plant" }), file.as_bytes()).suggestion.unwrap();
        (found.mapping.map(|mapping| mapping.name), found.unmatched)
    };
    assert_eq!(suggested("Title,name\nx,y\n"), (Some("Titles".into()), vec!["name".into()]));
    assert_eq!(suggested("Title,Count\nx,1\n"), (Some("Counts".into()), vec![]));
    assert_eq!(suggested("name\nx\n"), (None, vec![]));
    assert_eq!(saved.version, 1);
}

#[test]
fn an_import_names_a_saved_mapping_and_says_what_differs() {
    let desk = Desk::of(orchard());
    let saved = desk.save("Titles", &names()).unwrap();
    let mut spec = json!({ "mapping_id": saved.id.to_string() });
    assert_eq!(desk.import(&spec, "Title\nOak\n"), [1, 0, 0]);
    spec["mapping"] = json!({ "amount": { "column": "n" } });
    spec["dry_run"] = json!(true);
    assert_eq!(desk.import(&spec, "Title,n\nElm,4\n"), [1, 0, 0]);
    spec["dry_run"] = json!(false);
    assert_eq!(desk.import(&spec, "Title,n\nElm,4\n"), [1, 0, 0]);
    assert_eq!(desk.world.number("select count(*) from plant where name = 'Elm' and amount = 4"), 1);
    spec["mapping_id"] = json!(RecordId::new().to_string());
    assert_eq!(refused(desk.submit(&spec, b"Title\n")), ["/spec/mapping_id mapping_not_found"]);
    spec["mapping_id"] = json!(7);
    assert_eq!(refused(desk.submit(&spec, b"Title\n")), ["/spec/mapping_id mapping_not_found"]);
    let other = json!({ "mapping_id": saved.id.to_string(), "entity": "garden.pot" });
    assert_eq!(refused(desk.submit(&other, b"Title\n")), ["/spec invalid_spec"]);
}

#[test]
fn a_mapping_is_checked_when_it_is_saved_and_when_it_is_used() {
    let desk = Desk::of(orchard());
    let wrong =
        json!({ "entity": "garden.plant", "mapping": { "nothing": { "column": "a" }, "amount": {} } });
    let mut told = faults(desk.save("x", &wrong));
    told.sort();
    assert_eq!(told, ["/spec/mapping/amount invalid_mapping", "/spec/mapping/nothing invalid_mapping"]);
    for (member, value) in [("sheet", json!("a")), ("dry_run", json!(true)), ("mapping_id", json!("x"))] {
        let mut spec = names();
        spec[member] = value;
        assert_eq!(faults(desk.save("x", &spec)), [format!("/spec/{member} not_saved")]);
    }
    assert_eq!(
        faults(desk.save("x", &json!({ "entity": "garden.nothing", "mapping": {} }))),
        ["/spec/entity unknown_entity"]
    );
    assert_eq!(faults(desk.save(" ", &names())), ["/name invalid"]);
    let saved = desk.save("Titles", &names()).unwrap();
    assert_eq!(faults(desk.save("TITLES", &names())), ["taken"]);
    desk.save("titles", &json!({ "entity": "garden.pot", "mapping": {} })).unwrap();
    // The field goes; the mapping is still there and says so when it is used.
    let path = desk.scope.organization.id;
    let file = desk.world.records.own_file(path).unwrap();
    let origin = crate::storage::ChangeOrigin::from(&desk.scope.caller);
    let broken = file.write_blocking(origin, |conn| -> Result<_, RecordError> {
        conn.execute("update import_mappings set spec = json_set(spec, '$.mapping.gone', json('{\"column\":\"Title\"}')) where name = 'Titles'", [])?;
        Ok(crate::storage::Verdict::Keep(()))
    });
    broken.unwrap();
    let spec = json!({ "mapping_id": saved.id.to_string() });
    assert_eq!(refused(desk.submit(&spec, b"Title\nx\n")), ["/spec/mapping/gone invalid_mapping"]);
}

#[test]
fn a_mapping_changes_under_its_version_and_can_be_deleted() {
    let desk = Desk::of(orchard());
    let saved = desk.save("Titles", &names()).unwrap();
    let replace = |name: &'static str, expected| {
        let spec = names().as_object().unwrap().clone();
        let place = (saved.id, expected);
        let replaced = desk.imports.replace_mapping(&desk.scope, place, (name, spec), Manner::default());
        desk.world.runtime.block_on(replaced).map(|came| came.after.unwrap())
    };
    assert_eq!(replace("Other", Some(1)).unwrap().version, 2);
    let stale = replace("Third", Some(1));
    assert!(
        matches!(stale, Err(ImportError::Records(RecordError::Stale { current: 2, sent: 1, .. }))),
        "{stale:?}"
    );
    assert_eq!(replace("Third", None).unwrap().version, 3);
    assert_eq!(desk.imports.mapping(&desk.scope, saved.id).unwrap().name, "Third");
    let delete = |dry_run| {
        let manner = Manner { dry_run, asked: None };
        desk.world.runtime.block_on(desk.imports.delete_mapping(&desk.scope, saved.id, manner))
    };
    assert!(delete(true).unwrap().dry_run);
    assert!(delete(false).unwrap().after.is_none());
    assert!(matches!(desk.imports.mapping(&desk.scope, saved.id), Err(RecordError::NotFound)));
    assert!(delete(false).is_err());
}
