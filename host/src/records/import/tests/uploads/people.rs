//! What becomes of people, really and in a dry run.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_cannot_be_read_is_reported_and_the_others_are_taken() {
    let world = World::new().await;
    let scope = world.scope("owner");
    let csv =
        b"\xef\xbb\xbfid,name,email,team,roles\n1,Ann,,East,rep\n2,\xff,,East,rep\n3,Bob\n4,Eve,,east,rep\n";
    let job = world.submit(&scope, &users("create", false), csv).await.unwrap();
    let claimed = world.jobs.claim(job.id).await.unwrap();
    let codes = vec!["not_utf8".to_owned(), "wrong_cell_count".to_owned()];
    assert_eq!(world.run(&scope, &claimed).await, (2, 0, 2, codes));
    assert_eq!(world.people.teams(world.organization.id, None, 9).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_people_says_what_the_real_run_says() {
    let rows = "id,name,email,team,roles\n\
        k,Known,,,rep\n\
        1,Ann,ann@acme.example,East,rep\n\
        2,Bob,taken@acme.example,Nowhere,rep\n\
        3,Cid,ANN@acme.example,,rep\n\
        4,Dan,,,boss\n\
        5,Eve,,,\n\
        6,Fay,,,owner\n\
        7,Gus,no address,,rep\n\
        8,,,,rep\n\
        1,Ann again,ann2@acme.example,,rep\n\
        9,Hal,ann@acme.example,,rep\n";
    for mode in ["create", "upsert"] {
        let world = World::new().await;
        // A program does not give the owner's role.
        let mut importer = world.scope("owner");
        let principal = (*importer.caller.principal).clone();
        importer.caller.principal = Arc::new(Principal { kind: PrincipalKind::ApiKey, ..principal });
        world.person(&importer, "Known", Some("taken@acme.example"), Some("k")).await;
        world.clock.advance(1);
        let dry = world.import(&importer, &users(mode, true), rows).await;
        assert!(world.people.teams(world.organization.id, None, 9).unwrap().is_empty());
        let real = world.import(&importer, &users(mode, false), rows).await;
        assert_eq!(dry, real, "{mode}");
        let expected = if mode == "create" { (1, 0, 10) } else { (2, 2, 7) };
        assert_eq!((real.0, real.1, real.2), expected, "{:?}", real.3);
        let teams = world.people.teams(world.organization.id, None, 9).unwrap();
        assert_eq!(teams.len(), 1, "a line that is refused leaves no team");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_import_of_people_counts_those_it_has_made_and_no_others() {
    let world = World::new().await;
    let scope = world.scope("owner");
    world.person(&scope, "Old", None, Some("0")).await;
    world.clock.advance(1_000);
    let csv = "id,name,email,team,roles\n0,Old,,,rep\n1,Ann,,,rep\n2,Bob,,,rep\n1,Ann,,,rep\n3,Cid,,,rep\n";
    let job = world.submit(&scope, &users("create", false), csv.as_bytes()).await.unwrap();
    let claimed = world.jobs.claim(job.id).await.unwrap();
    // What the run had done when it was interrupted; and somebody who took an id in the meantime.
    world.clock.advance(1_000);
    world.person(&scope, "Ann", None, Some("1")).await;
    world.person(&scope, "Another", None, Some("3")).await;
    let codes = vec!["not_unique".to_owned(); 3];
    assert_eq!(world.run(&scope, &claimed).await, (2, 0, 3, codes));
}
