//! What is refused before anything happens, and where the upload is.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_stays_until_its_job_is_over() {
    let world = World::new().await;
    let scope = world.scope("owner");
    let job = world.submit(&scope, &things("create"), b"number,name,parent\n1,a,\n").await.unwrap();
    world.jobs.claim(job.id).await.unwrap();
    // A host that starts again puts the job back; its file must still be there.
    world.jobs.resume().await.unwrap();
    let claimed = world.jobs.claim(job.id).await.unwrap();
    assert_eq!(world.uploads(), 1);
    assert_eq!(world.run(&scope, &claimed).await.0, 1);
    world.imports.discard(&claimed);
    world.imports.discard(&claimed);
    assert_eq!(world.uploads(), 0);
    assert!(world.imports.errors_csv(&scope, job.id).await.is_ok(), "the errors need no upload");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_is_refused_leaves_no_file() {
    let world = World::new().await;
    world.refused(&things("create"), "number,name,parent,more\n").await;
    assert_eq!(world.uploads(), 0);
    // The job cannot be made: nobody knows the organization.
    let mut scope = world.scope("owner");
    let stranger = Organization { id: crate::ids::OrganizationId::new(), ..(*scope.organization).clone() };
    scope.organization = Arc::new(stranger);
    let refused = world.submit(&scope, &things("create"), b"number,name,parent\n").await;
    assert!(matches!(refused, Err(ImportError::Job(_))), "{refused:?}");
    let folder = world.imports.folder(scope.organization.id).unwrap();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_takes_the_right_to_import_beside_the_right_to_create() {
    let world = World::new().await;
    let csv = b"number,name,parent\n";
    assert!(world.submit(&world.scope("manager"), &things("create"), csv).await.is_ok());
    for (role, spec) in [("rep", things("create")), ("manager", users("create", false))] {
        let refused = world.submit(&world.scope(role), &spec, csv).await;
        assert!(matches!(refused, Err(ImportError::Records(RecordError::Forbidden { .. }))), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_names_what_its_target_can_be_found_by() {
    let world = World::new().await;
    let mut spec = things("create");
    spec["mapping"]["owner_id"] = json!({"column": "owner", "lookup": {"by": "email"}});
    spec["mapping"]["team_id"] = json!({"column": "team", "lookup": {"by": "name"}});
    spec["mapping"]["parent"]["lookup"]["by"] = json!("external_id:erp");
    let csv = "number,name,parent,owner,team\n";
    assert!(world.submit(&world.scope("owner"), &spec, csv.as_bytes()).await.is_ok());
    for (field, by) in [
        ("parent", "size"),
        ("parent", "colour"),
        ("parent", "external_id:"),
        ("owner_id", "external_id:hr"),
        ("owner_id", "id"),
        ("team_id", "email"),
    ] {
        let mut wrong = spec.clone();
        wrong["mapping"][field]["lookup"]["by"] = json!(by);
        let faults = world.refused(&wrong, csv).await;
        assert!(
            matches!(faults.as_slice(), [(code, detail)] if code == "invalid_mapping" && detail.contains(by))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_need_an_external_id() {
    let world = World::new().await;
    let spec = json!({"entity": "users", "mapping": {"name": {"column": "name"}}});
    let faults = world.refused(&spec, "name\n").await;
    assert_eq!(faults[0].0, "required");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_columns_nobody_mentions_is_refused_in_a_hundred_lines() {
    let world = World::new().await;
    let names: Vec<String> = (0..300).map(|column| format!("c{column}")).collect();
    let faults = world.refused(&things("create"), &format!("number,name,parent,{}\n", names.join(","))).await;
    assert_eq!(faults.len(), 100);
    assert!(faults[0].1.contains("200 columns more"), "{}", faults[0].1);
}

#[test]
fn a_delimiter_is_one_ascii_character_that_means_nothing_else() {
    let parsed =
        |sign: &str| Spec::parse(&json!({"entity": "users", "mapping": {}, "delimiter": sign}).to_string());
    for good in [",", ";", "\t", "|"] {
        assert!(parsed(good).is_ok(), "{good:?}");
    }
    for bad in ["\"", "\r", "\n", "\0", "é", "··", ""] {
        assert!(parsed(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn what_is_not_understood_names_members_and_no_types() {
    let told = |json: &str| match Spec::parse(json) {
        Err(RecordError::Invalid(faults)) => faults[0].detail.clone(),
        other => panic!("{other:?}"),
    };
    for json in ["[]", "7", r#"{"mapping":{"a":3}}"#, r#"{"entity":"a","mapping":{},"mode":7}"#] {
        let detail = told(json);
        assert!(detail.contains("`dry_run`"), "{detail}");
        for name in ["struct", "enum", "Spec", "Mapping", "Mode"] {
            assert!(!detail.contains(name), "{detail}");
        }
    }
    assert!(told(r#"{"entity":"a","mapping":{},"modee":7}"#).contains("`modee`"));
}
