//! Who is throttled, who is not, and what each request costs.

use super::*;
use crate::caller::{Principal, Source};
use crate::ids::RequestId;

fn caller(organization: OrganizationId, kind: PrincipalKind) -> Caller {
    let principal = Arc::new(Principal::new(PrincipalId::new(), kind, "x"));
    Caller { organization, principal, request: RequestId::new(), source: Source::Api }
}

fn slow(burst: u32) -> Rate {
    Rate { per_second: 1, burst }
}

fn limits() -> Arc<Limits> {
    let wide = Rate { per_second: 1, burst: 1_000 };
    Arc::new(Limits { person: wide, program: wide, organization: wide, heavy: wide, jobs: wide, at_once: 4 })
}

fn refused(result: Result<(Place, Left), Problem>) -> String {
    let problem = result.err().unwrap();
    assert_eq!((problem.status.as_u16(), &*problem.code), (429, "rate_limited"));
    assert!(problem.retry_after.is_some_and(|seconds| seconds >= 1));
    problem.extra["limit"].as_str().unwrap().to_owned()
}

#[test]
fn what_a_request_costs_depends_on_what_it_does() {
    let class = |method: Method, path: &str| Class::of(&method, &format!("/api/v1/{path}"));
    assert_eq!(class(Method::GET, "books/novels"), Class::Plain);
    assert_eq!(class(Method::POST, "books/novels/bulk"), Class::Bulk);
    for path in ["books/novels/search", "search", "books/reports/sales", "books/novels/export"] {
        assert_eq!(class(Method::GET, path), Class::Heavy, "{path}");
    }
    assert_eq!(class(Method::POST, "imports"), Class::Job);
    assert_eq!(class(Method::GET, "imports"), Class::Plain);
}

#[test]
fn one_caller_is_throttled_and_another_of_the_organization_is_not() {
    let (rates, acme) = (Rates::new(slow(1)), OrganizationId::new());
    let limits = Arc::new(Limits { person: slow(3), ..*limits() });
    let (ann, bob) = (caller(acme, PrincipalKind::User), caller(acme, PrincipalKind::User));
    let ann = rates.meter(&limits, &ann);
    for remaining in [2, 1, 0] {
        assert_eq!(ann.admit(Class::Plain).ok().unwrap().1.remaining, remaining);
    }
    assert_eq!(refused(ann.admit(Class::Plain)), "principal");
    assert!(rates.meter(&limits, &bob).admit(Class::Plain).is_ok());
}

#[test]
fn one_organization_is_throttled_and_another_is_not_and_programs_do_not_use_up_peoples_pool() {
    let rates = Rates::new(slow(1));
    let limits = Arc::new(Limits { organization: slow(2), ..*limits() });
    let (acme, globex) = (OrganizationId::new(), OrganizationId::new());
    let program = |of| rates.meter(&limits, &caller(of, PrincipalKind::ApiKey));
    assert!(program(acme).admit(Class::Plain).is_ok() && program(acme).admit(Class::Plain).is_ok());
    assert_eq!(refused(program(acme).admit(Class::Plain)), "organization");
    assert!(rates.meter(&limits, &caller(acme, PrincipalKind::User)).admit(Class::Plain).is_ok());
    assert!(program(globex).admit(Class::Plain).is_ok());
}

#[test]
fn dear_requests_and_rows_are_charged_by_their_weight() {
    let (rates, acme) = (Rates::new(slow(1)), OrganizationId::new());
    let meter = rates.meter(&limits(), &caller(acme, PrincipalKind::User));
    assert_eq!(meter.admit(Class::Plain).ok().unwrap().1.remaining, 999);
    assert_eq!(meter.admit(Class::Heavy).ok().unwrap().1.remaining, 989);
    meter.rows(100).unwrap();
    assert_eq!(meter.admit(Class::Bulk).ok().unwrap().1.remaining, 978);
    meter.rows(1_000_000).unwrap_err();
    let tight = Arc::new(Limits { heavy: slow(1), jobs: slow(1), ..*limits() });
    let meter = rates.meter(&tight, &caller(OrganizationId::new(), PrincipalKind::User));
    assert!(meter.admit(Class::Heavy).is_ok() && meter.admit(Class::Job).is_ok());
    assert_eq!(refused(meter.admit(Class::Heavy)), "heavy");
    assert_eq!(refused(meter.admit(Class::Job)), "jobs");
    assert!(meter.admit(Class::Plain).is_ok());
}

#[test]
fn programs_leave_people_a_place() {
    let (rates, acme) = (Rates::new(slow(1)), OrganizationId::new());
    let program = rates.meter(&limits(), &caller(acme, PrincipalKind::ApiKey));
    let held: Vec<_> = (0..3).map(|_| program.admit(Class::Plain).ok().unwrap()).collect();
    assert_eq!(refused(program.admit(Class::Plain)), "at_once");
    let person = rates.meter(&limits(), &caller(acme, PrincipalKind::User));
    let last = person.admit(Class::Plain).ok().unwrap();
    assert_eq!(refused(person.admit(Class::Plain)), "at_once");
    assert_eq!(person.at_once(), (4, 4));
    drop((held, last));
    assert!(program.admit(Class::Plain).is_ok());
    assert_eq!(program.at_once().0, 0);
}

#[test]
fn strangers_are_counted_by_network_and_forgotten_when_full_again() {
    let rates = Rates::new(slow(2));
    let from = |text: &str| rates.stranger(ClientAddress(text.parse().unwrap()));
    assert!(from("2001:db8::1").is_ok() && from("2001:db8::2").is_ok());
    assert!(from("2001:db8::3").is_err(), "the same network");
    assert!(from("2001:db8:1::3").is_ok());
    for bucket in &rates.0.strangers {
        // As if it had not been used for long.
        bucket.used.store(0, Ordering::Relaxed);
    }
    rates.0.sweep();
    assert_eq!(rates.0.strangers.len(), 2, "what is not full yet is kept");
}

#[test]
fn other_limits_hold_at_once() {
    let (rates, acme) = (Rates::new(slow(1)), OrganizationId::new());
    let ann = caller(acme, PrincipalKind::User);
    let tight = Arc::new(Limits { person: slow(1), ..*limits() });
    assert!(rates.meter(&tight, &ann).admit(Class::Plain).is_ok());
    assert!(rates.meter(&tight, &ann).admit(Class::Plain).is_err());
    assert!(rates.meter(&limits(), &ann).admit(Class::Plain).is_ok());
    let names: Vec<_> = rates.meter(&limits(), &ann).left().iter().map(|row| row.0).collect();
    assert_eq!(names, ["principal", "organization", "heavy", "jobs"]);
}
