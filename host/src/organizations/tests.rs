//! The directory on a real control database.

use super::*;

async fn directory() -> (tempfile::TempDir, Organizations, Organizations, Clock) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(1_700_000_000_000);
    let control = ControlPlane::open(&folder.path().join("control.sqlite")).await.unwrap();
    let here = Organizations::new(control.clone(), clock.clone());
    let elsewhere = Organizations::new(control, clock.clone()); // as if in another process
    (folder, here, elsewhere, clock)
}

fn new(slug: &str) -> NewOrganization {
    NewOrganization {
        slug: slug.to_owned(),
        name: "Acme".to_owned(),
        zone: "UTC".to_owned(),
        locale: "en".to_owned(),
        currency: "EUR".to_owned(),
    }
}

#[tokio::test]
async fn what_was_created_is_found_by_slug_and_by_id() {
    let (_folder, here, elsewhere, _) = directory().await;
    let made = here.create(new("acme")).await.unwrap();

    for directory in [&here, &elsewhere] {
        assert_eq!(directory.by_slug("acme").await.unwrap().unwrap(), made);
        assert_eq!(directory.get(made.id).await.unwrap(), made);
    }
    assert_eq!(elsewhere.list().await.unwrap(), [made]);
}

#[tokio::test]
async fn a_slug_is_given_once() {
    let (_folder, here, elsewhere, _) = directory().await;
    here.create(new("acme")).await.unwrap();
    assert!(
        matches!(elsewhere.create(new("acme")).await, Err(OrganizationError::SlugTaken(slug)) if slug.as_str() == "acme")
    );
}

#[tokio::test]
async fn an_absent_organization_is_remembered_as_absent_for_a_second_only() {
    let (_folder, here, elsewhere, clock) = directory().await;
    assert!(here.by_slug("acme").await.unwrap().is_none());

    elsewhere.create(new("acme")).await.unwrap();
    assert!(here.by_slug("acme").await.unwrap().is_none(), "still from memory");
    clock.advance(ABSENT);
    assert!(here.by_slug("acme").await.unwrap().is_some());
}

#[tokio::test]
async fn creating_an_organization_ends_its_absence_at_once() {
    let (_folder, here, _, _) = directory().await;
    assert!(here.by_slug("acme").await.unwrap().is_none());
    here.create(new("acme")).await.unwrap();
    assert!(here.by_slug("acme").await.unwrap().is_some());
}

#[tokio::test]
async fn suspension_elsewhere_is_seen_within_seconds_and_here_at_once() {
    let (_folder, here, elsewhere, clock) = directory().await;
    let made = here.create(new("acme")).await.unwrap();

    elsewhere.set_status(made.id, Status::Suspended).await.unwrap();
    assert_eq!(elsewhere.get(made.id).await.unwrap().status, Status::Suspended);
    clock.advance(FRESH);
    assert_eq!(here.by_slug("acme").await.unwrap().unwrap().status, Status::Suspended);
}

#[tokio::test]
async fn text_that_is_no_slug_is_nobody() {
    let (_folder, here, _, _) = directory().await;
    for text in ["", "..", "a_b", "ACME", "acme%", "%00", "a".repeat(64).as_str(), "' or 1=1"] {
        assert!(here.by_slug(text).await.unwrap().is_none(), "{text}");
    }
    assert!(matches!(here.get(OrganizationId::new()).await, Err(OrganizationError::NotFound(_))));
}
