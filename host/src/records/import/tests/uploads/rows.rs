//! What becomes of the rows of records.

use super::*;

fn owned_by_name(dry_run: bool) -> Json {
    json!({
        "entity": "demo.thing", "mode": "create", "dry_run": dry_run,
        "mapping": {"name": {"column": "name"}, "owner_id": {"column": "owner", "lookup": {"by": "name"}}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_two_people_have_is_a_fault_of_its_row() {
    let world = World::new().await;
    let scope = world.scope("owner");
    for name in ["Ann", "Ann", "Bob"] {
        world.person(&scope, name, None, None).await;
    }
    let done = world.import(&scope, &owned_by_name(false), "name,owner\na,Bob\nb,Ann\nc,Bob\n").await;
    assert_eq!(done, (2, 0, 1, vec!["reference_ambiguous".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_may_refer_to_an_earlier_row_of_the_file_and_not_to_a_later_one() {
    let world = World::new().await;
    let scope = world.scope("owner");
    let csv = "number,name,parent\n1,root,\n2,child,root\n3,grandchild,child\n4,early,late\n5,late,\n";
    let done = world.import(&scope, &things("create"), csv).await;
    assert_eq!(done, (4, 0, 1, vec!["reference_not_found".to_owned()]));
    let mut spec = things("create");
    spec["mapping"]["parent"]["lookup"]["by"] = json!("external_id:erp");
    let done = world.import(&scope, &spec, "number,name,parent\n11,a,\n12,b,11\n13,c,19\n").await;
    assert_eq!(done, (2, 0, 1, vec!["reference_not_found".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_the_second_row_of_a_record_as_the_real_run_does() {
    let world = World::new().await;
    let scope = world.scope("owner");
    let csv = "number,name,parent\n1,a,\n2,b,\n1,c,\n1,d,\n";
    for (mode, expected) in [("upsert", (2, 2, 0)), ("create", (2, 0, 2))] {
        let mut spec = things(mode);
        spec["external_id"]["source"] = json!(mode);
        for dry_run in [true, false] {
            spec["dry_run"] = json!(dry_run);
            let (created, updated, failed, codes) = world.import(&scope, &spec, csv).await;
            assert_eq!((created, updated, failed), expected, "{mode}, dry run: {dry_run}");
            assert!(codes.iter().all(|code| code == "not_unique"), "{codes:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_finds_the_one_record_that_the_caller_may_read_behind_many_that_they_may_not() {
    let world = World::new().await;
    let (owner, manager) = (world.scope("owner"), world.scope("manager"));
    let spec = json!({
        "entity": "demo.thing", "mode": "create",
        "mapping": {"name": {"column": "name"}, "parent": {"column": "parent", "lookup": {"by": "name"}}},
    });
    world.import(&owner, &spec, "name,parent\ntwin,\ntwin,\ntwin,\nhidden,\n").await;
    world.import(&manager, &spec, "name,parent\ntwin,\n").await;
    let done = world.import(&manager, &spec, "name,parent\na,twin\nb,hidden\n").await;
    assert_eq!(done, (1, 0, 1, vec!["reference_not_found".to_owned()]));
    let done = world.import(&owner, &spec, "name,parent\na,twin\n").await;
    assert_eq!(done, (0, 0, 1, vec!["reference_ambiguous".to_owned()]));
}
