//! What `/authz` is asked, and what it answers.

use poem_openapi::Object;

use crate::policy::Rule;

/// A question.
#[derive(Object)]
#[oai(rename = "AuthzQuestion")]
pub struct Question {
    /// `<plugin>.<entity>` or `host.<thing>`.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub(super) object: String,
    /// What is to be done with it.
    #[oai(validator(min_length = 1, max_length = 64))]
    pub(super) action: String,
    /// The record's id; without it: with any at all.
    #[oai(validator(max_length = 64))]
    pub(super) record: Option<String>,
}

/// Questions about yourself.
#[derive(Object)]
pub struct AuthzCheck {
    /// 1 to 100.
    #[oai(validator(min_items = 1, max_items = 100))]
    pub(super) items: Vec<Question>,
}

/// An answer.
#[derive(Object)]
#[oai(rename = "AuthzAnswer")]
pub struct Answered {
    /// Whether you may.
    pub(super) allowed: bool,
    /// `allowed`, `denied`, or `not_found` for a record that there is not, or that you may not read.
    pub(super) reason: String,
}

/// The answers in the order of the questions.
#[derive(Object)]
pub struct AuthzAnswers {
    /// One for each.
    pub(super) results: Vec<Answered>,
}

/// What you may do with one object.
#[derive(Object)]
#[oai(rename = "AuthzObject")]
pub struct ObjectView {
    /// `<plugin>.<entity>` or `host.<thing>`.
    pub(super) object: String,
    /// What you may do with it.
    pub(super) actions: Vec<ActionView>,
    /// Fields that you do not see.
    pub(super) masked: Vec<String>,
    /// Fields that you cannot write.
    pub(super) unwritable: Vec<String>,
}

/// An action and how far it reaches.
#[derive(Object)]
#[oai(rename = "AuthzAction")]
pub struct ActionView {
    /// The action.
    pub(super) action: String,
    /// Whether it reaches every record.
    pub(super) all: bool,
    /// How far rows allow it: `own`, `team`, `subteams`, `shared`, `org`.
    pub(super) scopes: Vec<String>,
}

/// What you may do.
#[derive(Object)]
#[oai(rename = "AuthzMe")]
pub struct MeView {
    /// Your id.
    pub(super) principal: String,
    /// `user`, `api-key`, `service`.
    pub(super) kind: String,
    /// Your roles.
    pub(super) roles: Vec<String>,
    /// Your teams, the primary one first.
    pub(super) teams: Vec<String>,
    /// What your credential is limited to; null: to nothing.
    pub(super) limits: Option<Vec<String>>,
    /// Objects of which you may do something, by name.
    pub(super) objects: Vec<ObjectView>,
}

/// What is to be explained.
#[derive(Object)]
#[oai(rename = "AuthzExplain")]
pub struct ExplainInput {
    /// Of whom; you when left out.
    #[oai(validator(max_length = 64))]
    pub(super) principal: Option<String>,
    /// `<plugin>.<entity>` or `host.<thing>`.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub(super) object: String,
    /// What is to be done with it.
    #[oai(validator(min_length = 1, max_length = 64))]
    pub(super) action: String,
    /// The record's id.
    #[oai(validator(max_length = 64))]
    pub(super) record: Option<String>,
}

/// Whose filter is asked for, and of what.
#[derive(Object)]
#[oai(rename = "AuthzFilterQuestion")]
pub struct FilterInput {
    /// Of whom; you when left out.
    #[oai(validator(max_length = 64))]
    pub(super) principal: Option<String>,
    /// `<plugin>.<entity>` or `host.<thing>`.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub(super) object: String,
    /// What is to be done with it; `list` and `read` are what reads carry.
    #[oai(validator(min_length = 1, max_length = 64))]
    pub(super) action: String,
}

/// The filter that lists of somebody carry.
#[derive(Object)]
#[oai(rename = "AuthzFilter")]
pub struct FilterView {
    /// `never`: no record, and no query is run; `always`: every record; `filter`: those of which the filter holds.
    pub(super) outcome: String,
    /// In the JSON form of filters, with everything about the principal and the moment put in. `shared_with` holds of what
    /// is shared with one of these ids, at this `level` at least. Null unless `outcome` is `filter`.
    pub(super) filter: Option<serde_json::Value>,
    /// Fields that are withheld.
    pub(super) masked: Vec<String>,
}

/// A stage of a decision.
#[derive(Object)]
#[oai(rename = "AuthzStage")]
pub struct Stage {
    /// Its name.
    pub(super) stage: String,
    /// Whether it lets pass.
    pub(super) passed: bool,
    /// What it found.
    pub(super) detail: String,
}

/// A rule that matches.
#[derive(Object)]
#[oai(rename = "AuthzRule")]
pub struct RuleView {
    /// `roles.csv line 8`, `grant 12` (of a manifest), or `policy <id>`.
    pub(super) origin: String,
    /// Whom it speaks of.
    pub(super) subject: String,
    /// How far it reaches.
    pub(super) scope: String,
    /// Of which records.
    pub(super) condition: Option<serde_json::Value>,
    /// Allow or deny.
    pub(super) effect: String,
}

/// Why something is decided as it is.
#[derive(Object)]
#[oai(rename = "AuthzExplanation")]
pub struct Explanation {
    /// The decision.
    pub(super) allowed: bool,
    /// In their order; the first that does not let pass decides.
    pub(super) stages: Vec<Stage>,
    /// The rules that speak of the principal, the object and the action.
    pub(super) rules: Vec<RuleView>,
    /// Fields that are withheld; of what they hold nothing is said.
    pub(super) masked: Vec<String>,
    /// The predicate that lists carry, its values as placeholders; null for what has no records.
    pub(super) sql: Option<String>,
}

impl From<&Rule> for RuleView {
    fn from(rule: &Rule) -> Self {
        let row = &rule.row;
        Self {
            origin: rule.origin.to_string(),
            subject: row.subject.to_string(),
            scope: row.scope.as_str().to_owned(),
            condition: row.condition.as_ref().and_then(|text| serde_json::from_str(text.text()).ok()),
            effect: row.effect.as_str().to_owned(),
        }
    }
}
