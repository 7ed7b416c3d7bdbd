//! Files: contents and rows, quota, fields that name files, what a crash leaves.

use std::fs;
use std::io::Write as _;
use std::sync::Arc;

use serde_json::json;

use super::Bench;
use crate::ids::{OrganizationId, RecordId};
use crate::records::blobs::{Digest, Pin};
use crate::records::companions::attachment::{self, Arrived, Attachment, LOOSE};
use crate::records::companions::link::{Link, Refused};
use crate::records::companions::timeline::Part;
use crate::records::companions::{forget, reassign};
use crate::records::schema::{Field, Kind};
use crate::records::tests::garden::{entity, field, module};
use crate::records::tests::world::{World, faults};
use crate::records::{RecordError, Scope};
use crate::storage::ChangeOrigin;

/// A garden whose trees have a plan.
fn world() -> World {
    let named = Field { required: true, ..field("name", Kind::Text) };
    let fields = vec![named.clone(), field("plan", Kind::File)];
    World::of(
        OrganizationId::new(),
        module("1", vec![entity("tree", fields, &[]), entity("bush", vec![named], &[])], Vec::new()),
    )
}

impl Bench<'_> {
    fn arrive(&self, bytes: &[u8]) -> (Arrived, Pin) {
        let World { records, organization, module, .. } = self.desk.world;
        let (mut incoming, mut file) = records.blobs.begin(organization.id, &module.plugin).unwrap();
        file.write_all(bytes).unwrap();
        incoming.saw(bytes);
        let (sha256, pin) = records.blobs.keep(organization.id, &module.plugin, &incoming).unwrap();
        let (name, media_type) = ("a.txt".to_owned(), "text/plain".to_owned());
        (Arrived { name, media_type, size: bytes.len() as u64, sha256 }, pin)
    }

    fn add(&self, record: Option<RecordId>, bytes: &[u8]) -> Result<Attachment, RecordError> {
        let ((arrived, _pin), tree) = (self.arrive(bytes), Arc::clone(&self.tree));
        self.desk.write(move |tx| attachment::add(tx, &tree, record, arrived))
    }

    fn remove(&self, record: RecordId, id: RecordId) -> Result<Option<Digest>, RecordError> {
        let tree = Arc::clone(&self.tree);
        self.desk.write(move |tx| attachment::remove(tx, &tree, record, id))
    }

    fn contents(&self) -> usize {
        let World { records, organization, module, .. } = self.desk.world;
        records.blobs.contents(organization.id, &module.plugin).unwrap().len()
    }

    fn sweep(&self) -> usize {
        let World { records, organization, module, .. } = self.desk.world;
        let origin = ChangeOrigin::from(&self.desk.scope.caller);
        records.sweep_all(organization.id, module, origin).unwrap()
    }
}

fn with_quota(mut scope: Scope, bytes: u64) -> Scope {
    let set = std::collections::BTreeMap::from([("storage_quota_bytes".to_owned(), bytes.to_string())]);
    scope.settings = Arc::new([("host".into(), set)].into());
    scope
}

#[test]
fn equal_contents_are_stored_and_counted_once_and_gone_with_their_last_file() {
    let world = world();
    let bench = Bench::of(world.owner());
    let oak = bench.plant("Oak");
    let one = bench.add(Some(oak), b"same").unwrap();
    let two = bench.add(Some(oak), b"same").unwrap();
    bench.add(Some(oak), b"other!").unwrap();
    let stored = || world.number("select bytes from _stoa_storage");
    assert_eq!((bench.contents(), stored()), (2, 10));
    assert_eq!(bench.remove(oak, one.id).unwrap(), None, "the other file has it");
    assert_eq!((bench.sweep(), bench.contents()), (0, 2));
    let loose = bench.remove(oak, two.id).unwrap().unwrap();
    assert_eq!((loose, stored(), world.number("select files from _stoa_storage")), (two.sha256, 6, 1));
    let (records, module) = (&world.records, &world.module);
    assert!(records.sweep_content(world.organization.id, module, &loose).unwrap());
    assert_eq!(bench.contents(), 1);
    assert!(matches!(bench.remove(oak, two.id), Err(RecordError::NotFound)));
    assert_eq!(
        bench.told(oak, &[Part::Files]),
        [
            "files file_removed",
            "files file_removed",
            "files file_added",
            "files file_added",
            "files file_added"
        ]
    );
}

#[test]
fn a_crash_between_content_and_row_leaves_nothing_after_the_next_start() {
    let world = world();
    let bench = Bench::of(world.owner());
    let oak = bench.plant("Oak");
    bench.add(Some(oak), b"kept").unwrap();
    drop(bench.arrive(b"orphan")); // the row was never written
    assert_eq!(bench.contents(), 2);
    let (incoming, _file) = world.records.blobs.begin(world.organization.id, &world.module.plugin).unwrap();
    std::mem::forget(incoming); // nor this content to its end
    let (folder, runtime, clock) = (world.folder, world.runtime, world.clock);
    let world = World::in_place((folder, runtime, clock), world.organization, world.module);
    let again = Bench::of(world.owner());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while again.contents() > 1 && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(again.contents(), 1);
    let incoming =
        world.folder.path().join(format!("organizations/{}/blobs/garden/incoming", world.organization.id));
    assert_eq!(fs::read_dir(incoming).unwrap().count(), 0);
    let kept = again.read(|conn| {
        let scope = &again.desk.scope;
        attachment::page(&world.records, scope, conn, &again.tree, oak, &super::first(9))
    });
    assert_eq!(kept.unwrap().data.len(), 1);
}

#[test]
fn an_upload_under_way_keeps_its_content_from_the_sweep() {
    let world = world();
    let bench = Bench::of(world.owner());
    let oak = bench.plant("Oak");
    let first = bench.add(Some(oak), b"x").unwrap();
    let (arrived, pin) = bench.arrive(b"x");
    assert!(bench.remove(oak, first.id).unwrap().is_some());
    assert_eq!((bench.sweep(), bench.contents()), (0, 1), "it is about to be named again");
    let tree = Arc::clone(&bench.tree);
    bench.desk.write(move |tx| attachment::add(tx, &tree, Some(oak), arrived)).unwrap();
    drop(pin);
    assert_eq!((bench.sweep(), bench.contents()), (0, 1));
}

#[test]
fn what_does_not_fit_the_quota_is_refused_with_the_figures() {
    let world = world();
    let mut bench = Bench::of(world.owner());
    bench.desk.scope = with_quota(bench.desk.scope.clone(), 10);
    let oak = bench.plant("Oak");
    bench.add(Some(oak), b"12345678").unwrap();
    bench.add(Some(oak), b"12345678").unwrap(); // the same again takes no room
    let refused = bench.add(Some(oak), b"abc");
    let Err(RecordError::Invalid(told)) = &refused else { panic!("{refused:?}") };
    assert!(
        told[0].code == "quota_exceeded" && told[0].detail.contains("10 bytes and stores 8; the 3"),
        "{told:?}"
    );
    bench.add(Some(oak), b"ab").unwrap();
    // Whoever comes first sweeps it: this, or the sweep of a file that is opened.
    bench.sweep();
    assert_eq!(bench.contents(), 2, "the refused content is gone");
}

#[test]
fn a_field_takes_a_file_of_its_record_or_a_loose_one_of_its_writer() {
    let world = world();
    let (ann, eve) = (world.person("Ann", "owner", None), world.person("Eve", "owner", None));
    let (bench, other) = (Bench::of(world.desk(ann)), Bench::of(world.desk(eve)));
    let plan = |id: RecordId| json!({"name": "Oak", "plan": id.to_string()});
    assert_eq!(faults(bench.desk.create("tree", plan(RecordId::new()))), ["/plan reference_not_found"]);
    let loose = bench.add(None, b"plan").unwrap();
    assert_eq!(
        faults(other.desk.create("tree", plan(loose.id))),
        ["/plan reference_not_found"],
        "somebody else's"
    );
    let oak = bench.desk.create("tree", plan(loose.id)).unwrap();
    assert_eq!(bench.desk.get("tree", oak).unwrap()["plan"], loose.id.to_string());
    assert_eq!(bench.told(oak, &[Part::Files]), ["files file_added"]);
    assert_eq!(
        faults(bench.desk.create("tree", plan(loose.id))),
        ["/plan reference_not_found"],
        "another record's"
    );
    let elm = bench.plant("Elm");
    let own = bench.add(Some(elm), b"own").unwrap();
    other.desk.update("tree", elm, None, json!({"plan": own.id.to_string()})).unwrap();

    let in_use = bench.remove(elm, own.id);
    assert!(
        matches!(&in_use, Err(RecordError::Conflict { code, .. }) if code == "file_in_use"),
        "{in_use:?}"
    );
    bench.desk.update("tree", elm, None, json!({"plan": null})).unwrap();
    bench.remove(elm, own.id).unwrap();

    // A merge first moves the files, then the winner takes the loser's values.
    bench.desk.write(move |tx| reassign(&tx.conn, "tree", oak, elm)).unwrap();
    bench.desk.update("tree", elm, None, json!({"plan": loose.id.to_string()})).unwrap();
}

#[test]
fn a_refused_record_takes_no_file() {
    let world = world();
    let ann = world.person("Ann", "owner", None);
    let bench = Bench::of(world.desk(ann));
    let loose = bench.add(None, b"plan").unwrap();
    let rows =
        vec![json!({"plan": loose.id.to_string()}), json!({"name": "Elm", "plan": loose.id.to_string()})];
    let outcomes = bench.desk.create_all("tree", rows).unwrap();
    assert!(outcomes[0].is_err(), "it has no name");
    assert!(outcomes[1].is_ok(), "the file is still free for it: {:?}", outcomes[1]);
}

#[test]
fn a_loose_file_that_nobody_takes_is_gone_after_a_day() {
    let world = world();
    let bench = Bench::of(world.owner());
    bench.add(None, b"old").unwrap();
    world.clock.advance(LOOSE);
    bench.add(None, b"new").unwrap();
    let origin = ChangeOrigin::from(&bench.desk.scope.caller);
    let sweep = || world.records.sweep_loose(world.organization.id, &world.module, origin).unwrap();
    assert_eq!(sweep(), 0, "a day is a day");
    world.clock.advance(1);
    assert_eq!((sweep(), bench.contents()), (1, 1));
    assert_eq!(world.number("select bytes from _stoa_storage"), 3);
}

#[test]
fn files_of_a_purged_record_go_with_the_next_sweep() {
    let world = world();
    let bench = Bench::of(world.owner());
    let (oak, elm) = (bench.plant("Oak"), bench.plant("Elm"));
    bench.add(Some(oak), b"shared").unwrap();
    bench.add(Some(elm), b"shared").unwrap();
    bench.add(Some(oak), b"its own").unwrap();
    bench.desk.write(move |tx| forget(&tx.conn, "tree", oak)).unwrap();
    let origin = ChangeOrigin::from(&bench.desk.scope.caller);
    let sweep = || world.records.sweep_left(world.organization.id, &world.module, origin).unwrap();
    assert_eq!((sweep(), sweep(), bench.contents()), (1, 0, 1));
    assert_eq!(world.number("select bytes from _stoa_storage"), 6);
}

#[test]
fn who_may_not_change_a_record_gives_it_no_file_and_takes_none() {
    let world = world();
    let (ann, bob) = (world.person("Ann", "rep", None), world.person("Bob", "readonly", None));
    let (all, own, guest) =
        (Bench::of(world.owner()), Bench::of(world.desk(ann)), Bench::of(world.desk(bob)));
    let oak = all.plant("Oak");
    let file = all.add(Some(oak), b"x").unwrap();
    assert!(matches!(own.add(Some(oak), b"y"), Err(RecordError::NotFound)));
    assert!(matches!(own.remove(oak, file.id), Err(RecordError::NotFound)));
    assert!(own.add(None, b"y").is_ok(), "for a record of one's own");
    assert!(matches!(guest.add(None, b"y"), Err(RecordError::Forbidden { .. })));
    let elm = own.plant("Elm");
    assert!(matches!(own.remove(elm, file.id), Err(RecordError::NotFound)), "another record's file");
    let look =
        own.read(|conn| attachment::get(&world.records, &own.desk.scope, conn, &own.tree, (elm, file.id)));
    assert!(matches!(look, Err(RecordError::NotFound)));
}

#[test]
fn a_link_opens_one_file_of_one_organization_for_ten_minutes() {
    let world = world();
    let bench = Bench::of(world.owner());
    let oak = bench.plant("Oak");
    let file = bench.add(Some(oak), b"content").unwrap();
    let (acme, records) = (world.organization.id, &world.records);
    let query = records.link(acme, "garden", file.id);
    let value = |name: &str| {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        pair.unwrap().to_owned()
    };
    let expires: i64 = value("expires").parse().unwrap();
    let link = |organization, id| Link { organization, module: "garden", file: id, expires };
    let (found, path) = records.open_link(&link(acme, file.id), &value("signature")).unwrap();
    assert_eq!((found.id, fs::read(path).unwrap()), (file.id, b"content".to_vec()));
    let other = records.open_link(&link(OrganizationId::new(), file.id), &value("signature"));
    assert!(matches!(other, Err(Ok(Refused::Forged))));
    bench.remove(oak, file.id).unwrap();
    let gone = records.open_link(&link(acme, file.id), &value("signature"));
    assert!(matches!(gone, Err(Err(RecordError::NotFound))));
    world.clock.advance(10 * 60 * 1000);
    let late = records.open_link(&link(acme, file.id), &value("signature"));
    assert!(matches!(late, Err(Ok(Refused::Expired))));
}

#[test]
fn a_file_is_expanded_where_a_field_names_it() {
    let world = world();
    let ann = world.person("Ann", "owner", None);
    let bench = Bench::of(world.desk(ann));
    let (oak, other) = (bench.plant("Oak"), RecordId::new());
    let file = bench.add(Some(oak), b"x").unwrap();
    let ids = [file.id, other].into();
    let json = attachment::attachment_json(&world.records, &bench.desk.scope, &world.module, &ids).unwrap();
    assert_eq!(json.len(), 1);
    let shown: serde_json::Value = serde_json::from_slice(&json[&file.id]).unwrap();
    assert_eq!((&shown["name"], &shown["by"]["name"]), (&json!("a.txt"), &json!("Ann")));
}
