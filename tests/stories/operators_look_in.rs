//! Operators: health and metrics on a listener of their own, and a command line that works whether or not the host runs.

use serde_json::json;
use stoa_testkit::{Client, Host, Setup};

#[test]
fn health_readiness_and_metrics_are_on_the_operations_listener_only() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    acme.owner().get("/api/v1/crm/accounts").ok();
    for path in ["/healthz", "/readyz"] {
        host.operations().get(path).expect(200);
    }
    let metrics = host.operations().get("/metrics");
    metrics.expect(200);
    assert!(
        metrics.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")),
        "{:?}",
        metrics.response.headers
    );
    assert!(metrics.text().contains("# TYPE stoa_"), "{}", metrics.text());
    host.bare().get("/metrics").expect(404);
    host.operations().get("/t/acme/api/v1/crm/accounts").expect(404);
}

#[test]
fn an_empty_folder_becomes_a_host_and_the_second_start_finds_everything() {
    let mut host = Setup::default().fresh().start();
    let token = host.organization("acme", &["sales"]).api_key().to_owned();
    host.restart();
    Client::new(host.address(), "/t/acme", Some(&token)).get("/api/v1/sales/pipelines").ok();
}

#[test]
fn organizations_and_keys_are_made_while_the_host_runs_and_while_it_does_not() {
    let mut host = Host::start();
    host.stop();
    let token = host.organization("acme", &["sales"]).api_key().to_owned();
    host.restart();
    let owner = Client::new(host.address(), "/t/acme", Some(&token));
    owner.post("/api/v1/crm/accounts", &json!({"name": "Initech"})).created();
    // While it runs, the key works at once.
    let acme = host.organization("globex", &["sales"]);
    acme.key("readonly").get("/api/v1/crm/accounts").ok();
}

#[test]
fn a_slug_is_taken_once_and_must_be_well_formed() {
    let host = Host::start();
    let _acme = host.organization("acme", &["sales"]);
    let again =
        |slug: &str| host.cli(&["org", "create", slug, "--name", "N", "--owner", "o@x.example", "--json"]);
    for slug in ["acme", "A", "-x-", "../../etc", "a b c"] {
        let finished = again(slug);
        assert!(!finished.succeeded, "{slug}: {}", finished.stdout);
        assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    }
}

#[test]
fn the_doctor_finds_a_healthy_installation_healthy() {
    let mut host = Host::start();
    let _acme = host.organization("acme", &["sales"]);
    host.cli(&["doctor"]).ok();
    host.stop();
    host.cli(&["doctor"]).ok();
}

#[test]
fn secrets_are_readable_by_the_operator_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let host = Host::start();
    let _acme = host.organization("acme", &["sales"]);
    for name in ["secrets", "master.key"] {
        let mode = std::fs::metadata(host.data().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
    assert!(!host.log().contains("stoa_k1_"), "an API key is in the log");
}
