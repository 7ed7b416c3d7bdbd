//! The host dies in the middle of an import; after the restart the import goes on and no row is there twice or missing.

use stoa_testkit::Host;
use stoa_tests::kills::kill_during_import;

#[test]
fn an_import_that_was_killed_three_times_ends_with_every_row_once() {
    let mut host = Host::start();
    let kills = kill_during_import(&mut host, "acme", &[500, 3_000, 6_000]);
    assert!(kills > 0, "the import was too fast to be killed");
}
