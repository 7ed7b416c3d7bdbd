//! Sixty-four writers on one organization: all are served, and what was acknowledged survives `kill -9`.

use stoa_testkit::Host;
use stoa_tests::kills::kill_during_writes;

#[test]
fn every_acknowledged_write_of_sixty_four_writers_survives_a_kill() {
    let mut host = Host::start();
    assert!(kill_during_writes(&mut host, "acme", 600) >= 600);
}
