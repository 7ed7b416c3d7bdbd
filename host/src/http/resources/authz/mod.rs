//! `/authz`: what is decided, and why.

pub mod views;

use std::sync::Arc;

use poem_openapi::OpenApi;

use crate::app::App;
use crate::caller::{Caller, Principal};
use crate::http::access::Access;
use crate::http::answer::Found;
use crate::http::aside::aside;
use crate::http::gateway::problem;
use crate::http::input::Input;
use crate::http::problem::{Fault, Problem};
use crate::http::resources::Tag;
use crate::organizations::Status;
use crate::policy::{Decision, Effect, FieldUse, limits};
use crate::records::rights::conditions::Reader;
use crate::records::rights::{permits, predicate, told};
use crate::records::schema::Entity;
use crate::records::{RecordError, Scope, write};

use self::views::{
    ActionView, Answered, AuthzAnswers, AuthzCheck, ExplainInput, Explanation, FilterInput, FilterView,
    MeView, ObjectView, Question, RuleView, Stage,
};

const OBJECT: &str = "host.authz";

/// Answers what somebody may do, and explains it.
pub struct AuthzApi {
    /// People, records, policies.
    pub app: App,
}

#[OpenApi(prefix_path = "/api/v1/authz", tag = "Tag::Authorization")]
impl AuthzApi {
    /// Ask whether you may
    #[oai(path = "/check", method = "post", operation_id = "check_authorization")]
    async fn check(&self, access: Access, input: Input<AuthzCheck>) -> Result<Found<AuthzAnswers>, Problem> {
        let (app, scope) = (self.app.clone(), access.entered.scope(&access.caller));
        let ask = move || {
            input.0.items.iter().map(|item| answer(&app, &scope, item)).collect::<Result<Vec<_>, Problem>>()
        };
        let results = aside(ask).await??;
        Ok(Found::new(AuthzAnswers { results }))
    }

    /// See what you may do
    #[oai(path = "/me", method = "get", operation_id = "get_my_authorization")]
    async fn me(&self, access: Access) -> Result<Found<MeView>, Problem> {
        let scope = access.entered.scope(&access.caller);
        let principal = &access.caller.principal;
        let mut objects: Vec<ObjectView> = scope
            .policy
            .objects()
            .filter_map(|(object, actions)| of_object(&scope, object, actions))
            .collect();
        objects.sort_by(|one, other| one.object.cmp(&other.object));
        let limits = principal.limits.as_ref().map(|limits| limits.iter().map(ToString::to_string).collect());
        Ok(Found::new(MeView {
            principal: principal.id.to_string(),
            kind: principal.kind.as_str().to_owned(),
            roles: principal.roles.iter().map(ToString::to_string).collect(),
            teams: principal.teams.iter().map(ToString::to_string).collect(),
            limits,
            objects,
        }))
    }

    /// See the filter that lists of somebody carry
    #[oai(path = "/filter", method = "post", operation_id = "filter_authorization")]
    async fn filter(&self, access: Access, input: Input<FilterInput>) -> Result<Found<FilterView>, Problem> {
        access.must(OBJECT, "read")?;
        let FilterInput { principal, object, action } = input.0;
        let principal = self.principal(&access, principal.as_deref())?;
        let caller = Caller { principal, ..access.caller.clone() };
        let scope = access.entered.scope(&caller);
        let rows = scope.policy.decide(&caller.principal, &object, &action);
        let entity = entity(&scope, &object);
        let (outcome, filter) = match (rows.never(), rows.always()) {
            (true, _) => ("never", None),
            (_, true) => ("always", None),
            _ => {
                let reader = Reader::of(&scope, self.app.clock.now());
                ("filter", Some(told(&reader, entity.as_deref(), &rows, &action)))
            }
        };
        let masked = entity.map(|entity| fields(&scope, &entity, FieldUse::Read)).unwrap_or_default();
        Ok(Found::new(FilterView { outcome: outcome.to_owned(), filter, masked }))
    }

    /// Explain a decision
    #[oai(path = "/explain", method = "post", operation_id = "explain_authorization")]
    async fn explain(
        &self,
        access: Access,
        input: Input<ExplainInput>,
    ) -> Result<Found<Explanation>, Problem> {
        access.must(OBJECT, "read")?;
        let ExplainInput { principal, object, action, record } = input.0;
        let (principal, enabled) = self.explained(&access, principal.as_deref())?;
        let caller = Caller { principal, ..access.caller.clone() };
        let scope = access.entered.scope(&caller);
        let question = Question { object, action, record };
        let app = self.app.clone();
        let explain = move || explanation(&app, &scope, &question, enabled);
        let found = aside(explain).await?;
        Ok(Found::new(found?))
    }
}

impl AuthzApi {
    fn principal(&self, access: &Access, named: Option<&str>) -> Result<Arc<Principal>, Problem> {
        let Some(text) = named else { return Ok(Arc::clone(&access.caller.principal)) };
        let id = text.parse().map_err(|_| nobody())?;
        self.app.identity.principal(access.organization().id, id)?.ok_or_else(nobody)
    }

    /// The same, and whether it may act: it is explained of somebody who was disabled, too.
    fn explained(&self, access: &Access, named: Option<&str>) -> Result<(Arc<Principal>, bool), Problem> {
        if let Some(id) = named.and_then(|text| text.parse().ok())
            && let Some(disabled) = self.app.identity.disabled(access.organization().id, id)?
        {
            return Ok((disabled, false));
        }
        Ok((self.principal(access, named)?, true))
    }
}

fn nobody() -> Problem {
    let detail = "there is nobody with this id who can act";
    Problem::invalid(vec![Fault::new("/principal", "reference_not_found", detail)])
}

fn entity(scope: &Scope, object: &str) -> Option<Arc<Entity>> {
    object.split_once('.').and_then(|(plugin, key)| scope.entity(plugin, key))
}

/// Whether the caller may do it with the record; `None`: there is none that he may read.
fn of_record(
    app: &App,
    scope: &Scope,
    entity: &Entity,
    rows: &Decision,
    text: &str,
) -> Result<Option<bool>, RecordError> {
    let (Ok(id), Some(module)) = (text.parse(), scope.module(&entity.plugin)) else { return Ok(None) };
    app.records.read(scope, module, |conn| {
        let values = write::readable(conn, scope, entity, id)?;
        Ok(values.map(|values| permits(conn, scope, entity, &Some(rows.clone()), &values)))
    })
}

fn answer(app: &App, scope: &Scope, asked: &Question) -> Result<Answered, Problem> {
    let rows = scope.policy.decide(&scope.caller.principal, &asked.object, &asked.action);
    let (allowed, reason) = match (&asked.record, entity(scope, &asked.object)) {
        (None, _) => (!rows.never(), "denied"),
        (Some(_), None) => (false, "not_found"),
        (Some(text), Some(entity)) => match of_record(app, scope, &entity, &rows, text).map_err(problem)? {
            None => (false, "not_found"),
            Some(allowed) => (allowed, "denied"),
        },
    };
    Ok(Answered { allowed, reason: if allowed { "allowed" } else { reason }.to_owned() })
}

fn of_object<'a>(scope: &Scope, object: &str, actions: impl Iterator<Item = &'a str>) -> Option<ObjectView> {
    let principal = &scope.caller.principal;
    let mut found: Vec<ActionView> = actions
        .filter_map(|action| {
            let rows = scope.policy.decide(principal, object, action);
            let allowing = rows.parts().filter(|(_, effect, _)| *effect == Effect::Allow);
            let mut scopes: Vec<String> = allowing.map(|(reach, ..)| reach.as_str().to_owned()).collect();
            scopes.dedup();
            (!rows.never()).then(|| ActionView { action: action.to_owned(), all: rows.always(), scopes })
        })
        .collect();
    found.sort_by(|one, other| one.action.cmp(&other.action));
    let entity = entity(scope, object);
    let without = |by| entity.as_ref().map(|entity| fields(scope, entity, by)).unwrap_or_default();
    let (masked, unwritable) = (without(FieldUse::Read), without(FieldUse::Write));
    (!found.is_empty()).then(|| ObjectView { object: object.to_owned(), actions: found, masked, unwritable })
}

fn fields(scope: &Scope, entity: &Entity, by: FieldUse) -> Vec<String> {
    let kept = entity.fields.iter().filter(|field| !scope.allows_field(entity, field, by));
    kept.map(|field| field.key.to_string()).collect()
}

fn explanation(app: &App, scope: &Scope, asked: &Question, enabled: bool) -> Result<Explanation, Problem> {
    let (principal, policy) = (&scope.caller.principal, &scope.policy);
    let entity = entity(scope, &asked.object);
    let rules = policy.explain(principal, &asked.object, &asked.action);
    let rows = policy.decide(principal, &asked.object, &asked.action);
    let covered =
        principal.limits.as_ref().is_none_or(|limits| limits::covers(limits, &asked.object, &asked.action));
    let known = entity.is_some() || policy.objects().any(|(object, _)| object == asked.object);
    let roles = principal.roles.join(", ");
    let acts = if enabled { "acts" } else { "is disabled, and would act" };
    let active = scope.organization.status == Status::Active;
    let mut stages = vec![
        stage("organization", active, &format!("the organization is {}", scope.organization.status.as_str())),
        stage("licence", known, "the organization has an object of this name: its module is licensed"),
        stage("principal", enabled, &format!("{} {acts} with the roles {roles}", principal.name)),
        stage("credential", covered, "what the credential is limited to covers the action"),
        stage("policy", !rows.never(), &format!("{} rules speak of this", rules.len())),
    ];
    let mut sql = None;
    if let Some(entity) = &entity {
        let (mut text, mut params) = (String::new(), Vec::new());
        predicate(scope, entity, &rows, None, &mut text, &mut params).map_err(problem)?;
        sql = Some(text);
        if let Some(record) = &asked.record {
            let found = of_record(app, scope, entity, &rows, record).map_err(problem)?;
            stages.push(stage(
                "record",
                found.is_some(),
                "there is such a record, and the principal may read it",
            ));
            stages.push(stage("rows", found == Some(true), "the rules cover this record"));
        }
    }
    Ok(Explanation {
        allowed: stages.iter().all(|stage| stage.passed),
        stages,
        rules: rules.iter().map(RuleView::from).collect(),
        masked: entity.map(|entity| fields(scope, &entity, FieldUse::Read)).unwrap_or_default(),
        sql,
    })
}

fn stage(name: &str, passed: bool, detail: &str) -> Stage {
    Stage { stage: name.to_owned(), passed, detail: detail.to_owned() }
}
