//! Jobs on a real control database.

use super::*;

async fn jobs() -> (tempfile::TempDir, Jobs, OrganizationId, Clock) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(1_700_000_000_000);
    let control = ControlPlane::open(&folder.path().join("control.sqlite")).await.unwrap();
    let organization = store::insert_organization(control.pool()).await.unwrap();
    (folder, Jobs::new(control, clock.clone()), organization, clock)
}

fn import(organization: OrganizationId) -> NewJob {
    let (kind, spec) = ("import".to_owned(), r#"{"file":"x"}"#.to_owned());
    NewJob { organization, kind, spec, created_by: PrincipalId::new() }
}

#[tokio::test]
async fn a_job_is_run_once_and_keeps_its_result() {
    let (_folder, jobs, organization, clock) = jobs().await;
    let made = jobs.create(import(organization)).await.unwrap();
    assert_eq!(jobs.get(organization, made.id).await.unwrap(), made);

    let claimed = jobs.claim_next().await.unwrap().unwrap();
    assert_eq!(
        (claimed.id, claimed.state, claimed.started_at),
        (made.id, JobState::Running, Some(clock.now()))
    );
    assert!(jobs.claim_next().await.unwrap().is_none());
    assert!(matches!(jobs.claim(made.id).await, Err(JobError::NotWaiting(_))));

    let progress = Progress { done: 5, total: Some(9), failed: 1 };
    jobs.set_progress(made.id, progress).await.unwrap();
    jobs.finish(made.id, r#"{"created":4}"#).await.unwrap();

    let over = jobs.get(organization, made.id).await.unwrap();
    assert_eq!((over.state, over.progress), (JobState::Succeeded, progress));
    assert_eq!((over.result.as_deref(), over.finished_at), (Some(r#"{"created":4}"#), Some(clock.now())));
    assert!(matches!(jobs.fail(made.id, "late", "").await, Err(JobError::NotRunning(_))));
}

#[tokio::test]
async fn running_jobs_go_back_to_the_queue_when_a_host_starts() {
    let (_folder, jobs, organization, clock) = jobs().await;
    let first = jobs.create(import(organization)).await.unwrap();
    let second = jobs.create(import(organization)).await.unwrap();
    jobs.claim_next().await.unwrap().unwrap();
    jobs.set_progress(first.id, Progress { done: 3, total: None, failed: 0 }).await.unwrap();

    let after_crash = Jobs::new(jobs.control.clone(), clock.clone());
    assert_eq!(after_crash.resume().await.unwrap(), 1);
    let again = after_crash.claim_next().await.unwrap().unwrap();
    assert_eq!((again.id, again.progress.done), (first.id, 3));
    assert_eq!(after_crash.claim_next().await.unwrap().unwrap().id, second.id);
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once_and_a_running_one_when_it_stops() {
    let (_folder, jobs, organization, _) = jobs().await;
    let running = jobs.create(import(organization)).await.unwrap();
    jobs.claim_next().await.unwrap().unwrap();
    let waiting = jobs.create(import(organization)).await.unwrap();

    assert_eq!(jobs.cancel(organization, waiting.id).await.unwrap().state, JobState::Cancelled);
    let asked = jobs.cancel(organization, running.id).await.unwrap();
    assert_eq!((asked.state, asked.cancelling), (JobState::Running, true));
    let told = jobs.set_progress(running.id, Progress::default()).await;
    assert!(matches!(told, Err(JobError::Cancelled(_))));
    jobs.stopped(running.id, None).await.unwrap();
    assert_eq!(jobs.cancel(organization, running.id).await.unwrap().state, JobState::Cancelled);
}

#[tokio::test]
async fn another_organization_has_no_such_job() {
    let (_folder, jobs, organization, _) = jobs().await;
    let job = jobs.create(import(organization)).await.unwrap();
    let stranger = OrganizationId::new();
    assert!(matches!(jobs.get(stranger, job.id).await, Err(JobError::NotFound(_))));
    assert!(matches!(jobs.cancel(stranger, job.id).await, Err(JobError::NotFound(_))));
    assert_eq!(jobs.get(organization, job.id).await.unwrap().state, JobState::Queued);
    assert!(jobs.list(stranger, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn jobs_are_listed_newest_first_in_pages() {
    let (_folder, jobs, organization, _) = jobs().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(jobs.create(import(organization)).await.unwrap().id);
    }
    made.reverse();
    let page = jobs.list(organization, None, 2).await.unwrap();
    assert_eq!(page.iter().map(|job| job.id).collect::<Vec<_>>(), made[..2]);
    let rest = jobs.list(organization, Some(made[1]), 2).await.unwrap();
    assert_eq!(rest.iter().map(|job| job.id).collect::<Vec<_>>(), made[2..]);
}

#[tokio::test]
async fn the_jobs_of_one_person_fill_their_pages_whoever_else_has_some() {
    let (_folder, jobs, organization, _) = jobs().await;
    let mine = jobs.create(import(organization)).await.unwrap();
    for _ in 0..3 {
        jobs.create(import(organization)).await.unwrap();
    }
    let page = jobs.list_of(organization, mine.created_by, None, 1).await.unwrap();
    assert_eq!(page.iter().map(|job| job.id).collect::<Vec<_>>(), [mine.id]);
    assert!(jobs.list_of(organization, mine.created_by, Some(mine.id), 1).await.unwrap().is_empty());
    assert!(jobs.list_of(OrganizationId::new(), mine.created_by, None, 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn creating_a_job_wakes_whoever_waits_for_one() {
    let (_folder, jobs, organization, _) = jobs().await;
    let waiting = tokio::spawn({
        let jobs = jobs.clone();
        async move { jobs.arrival().await }
    });
    jobs.create(import(organization)).await.unwrap();
    waiting.await.unwrap();
}

#[tokio::test]
async fn a_spec_is_json() {
    let (_folder, jobs, organization, _) = jobs().await;
    let broken = NewJob { spec: "{".to_owned(), ..import(organization) };
    assert!(matches!(jobs.create(broken).await, Err(JobError::InvalidSpec)));
}
