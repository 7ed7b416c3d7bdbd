//! What an organization is not licensed for is refused before any plugin code runs, and is not in its document.

use serde_json::json;
use stoa_testkit::Host;
use stoa_tests::id;

#[test]
fn a_module_without_a_licence_answers_license_required_everywhere() {
    let host = Host::start();
    let small = host.organization("small", &[]);
    let owner = small.owner();
    owner.post("/api/v1/crm/accounts", &json!({"name": "Initech"})).created();

    owner.get("/api/v1/sales/opportunities").problem(403, "license_required");
    owner.post("/api/v1/sales/opportunities", &json!({"name": "x"})).problem(403, "license_required");
    owner
        .get("/api/v1/sales/opportunities/00000000-0000-7000-8000-000000000000")
        .problem(403, "license_required");
    owner.get("/api/v1/sales/reports/win_rate").problem(403, "license_required");
    let action = "/api/v1/sales/opportunities/00000000-0000-7000-8000-000000000000/close-won";
    owner.post(action, &json!({})).problem(403, "license_required");
    // Who is nobody learns nothing about licences.
    small.anonymous().get("/api/v1/sales/opportunities").problem(401, "invalid_token");
}

#[test]
fn a_licence_of_one_organization_is_none_of_another() {
    let host = Host::start();
    let (with, without) = (host.organization("with", &["sales"]), host.organization("without", &[]));
    with.owner().get("/api/v1/sales/opportunities").ok();
    without.owner().get("/api/v1/sales/opportunities").problem(403, "license_required");
    let account = with.owner().post("/api/v1/crm/accounts", &json!({"name": "Initech"})).created();
    without.owner().get(&format!("/api/v1/crm/accounts/{}", id(&account))).expect(404);
}
