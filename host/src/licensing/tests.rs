//! Licences on a real control database.

use super::*;
use crate::organizations::{NewOrganization, Organizations};

async fn licensing() -> (tempfile::TempDir, Licensing, Licensing, OrganizationId, Clock) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(1_700_000_000_000);
    let control = ControlPlane::open(&folder.path().join("control.sqlite")).await.unwrap();
    let text = str::to_owned;
    let new = NewOrganization {
        slug: text("acme"),
        name: text("Acme"),
        zone: text("UTC"),
        locale: text("en"),
        currency: text("EUR"),
    };
    let organization = Organizations::new(control.clone(), clock.clone()).create(new).await.unwrap().id;
    let here = Licensing::new(control.clone(), clock.clone());
    let elsewhere = Licensing::new(control, clock.clone()); // as if in another process
    (folder, here, elsewhere, organization, clock)
}

#[tokio::test]
async fn a_change_drops_the_remembered_entitlement_at_once() {
    let (_folder, licensing, _, organization, clock) = licensing().await;
    let allowed = async || licensing.entitlement(organization).await.unwrap().allows("sales", clock.now());

    assert!(!allowed().await);
    licensing.license(organization, "sales", None).await.unwrap();
    assert!(allowed().await);
    assert!(licensing.revoke(organization, "sales").await.unwrap());
    assert!(!allowed().await);
    assert!(!licensing.revoke(organization, "sales").await.unwrap());
}

#[tokio::test]
async fn the_entitlement_comes_from_memory_until_it_is_too_old() {
    let (_folder, here, elsewhere, organization, clock) = licensing().await;
    let first = here.entitlement(organization).await.unwrap();
    elsewhere.license(organization, "sales", None).await.unwrap();

    assert!(Arc::ptr_eq(&first, &here.entitlement(organization).await.unwrap()), "no query per request");
    clock.advance(FRESH);
    assert!(here.entitlement(organization).await.unwrap().allows("sales", clock.now()));
}

#[tokio::test]
async fn a_licence_ends_by_itself_and_licensing_again_replaces_it() {
    let (_folder, licensing, _, organization, clock) = licensing().await;
    licensing.license(organization, "sales", Some(clock.now() + 1_000)).await.unwrap();
    let entitlement = licensing.entitlement(organization).await.unwrap();
    assert!(entitlement.allows("sales", clock.now()));
    clock.advance(1_000);
    assert!(!entitlement.allows("sales", clock.now()));

    licensing.license(organization, "sales", None).await.unwrap();
    let entitlement = licensing.entitlement(organization).await.unwrap();
    assert!(entitlement.allows("sales", clock.now()));
    assert_eq!(entitlement.licences().len(), 1);
}
