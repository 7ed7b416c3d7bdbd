//! Filters that cross files: what another module's file answers, with the caller's rights there, up to a limit.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::garden::{field, garden};
use super::world::{Script, World, grant};
use crate::caller::Caller;
use crate::ids::{OrganizationId, RecordId};
use crate::policy::{Grant, Policy, Scope as Reach};
use crate::records::filter::{Context, Filter, Sight, WIDTH, parse_json};
use crate::records::schema::{Entity, Field, Kind, Module, OnDelete, Operations, Parts, Target};
use crate::records::tx::Hooks;
use crate::records::write::{self, Changes};
use crate::records::{RecordError, Scope, list};
use crate::storage::Verdict;

/// Tools that are kept under trees of the garden.
pub(super) fn shed() -> Arc<Module> {
    let to = |plugin: &str, key: &str| Target { plugin: plugin.into(), entity: key.into() };
    let fields = vec![
        Field { required: true, indexed: true, ..field("name", Kind::Text) },
        field("tree", Kind::Reference(to("garden", "tree"), OnDelete::Detach)),
        field("trees", Kind::References(to("garden", "leaf"), OnDelete::Detach)),
    ];
    let parts = Parts {
        key: "tool".to_owned(),
        plural: "tools".to_owned(),
        label: "Tool".to_owned(),
        title: Some("name".to_owned()),
        fields,
        hooks: HashSet::new(),
        duplicates: Vec::new(),
        operations: Operations { create: true, update: true, delete: true },
    };
    Arc::new(Module {
        plugin: "shed".into(),
        version: "1.0.0".into(),
        entities: vec![Arc::new(Entity::new("shed", parts))],
        private: Vec::new(),
        tables: Arc::new(HashSet::from(["tool".to_owned()])),
        fingerprint: "1".into(),
        may_act_as_plugin: true,
        between: crate::records::schema::Between::default(),
    })
}

/// Two modules, in which a rep reads what is his own, and a clerk tools only.
struct Pair {
    world: World,
    shed: Arc<Module>,
}

impl Pair {
    fn new() -> Self {
        let mut world = World::of(OrganizationId::new(), garden());
        let shed = shed();
        world.runtime.block_on(world.records.prepare(&world.organization, &shed)).unwrap();
        let own =
            |object: &str| ["read", "create"].map(|action| grant("rep", object, action, Reach::Own)).to_vec();
        let mut grants: Vec<Grant> = own("shed.tool");
        ["tree", "leaf", "note", "nest"].iter().for_each(|key| grants.extend(own(&format!("garden.{key}"))));
        grants.push(grant("readonly", "shed.tool", "read", Reach::Org));
        world.policy = world.runtime.block_on(Policy::new().load(world.organization.id, &grants)).unwrap();
        Self { world, shed }
    }

    fn scope(&self, caller: &Caller) -> Scope {
        let modules = vec![Arc::clone(&self.world.module), Arc::clone(&self.shed)];
        Scope { modules: modules.into(), ..self.world.scope(caller.clone()) }
    }

    fn create(&self, caller: &Caller, plugin: &str, key: &str, members: &Json) -> RecordId {
        let (scope, hooks): (_, Arc<dyn Hooks + Send + Sync>) = (self.scope(caller), Script::silent());
        let module = Arc::clone(scope.module(plugin).unwrap());
        let (entity, members): (_, Map<String, Json>) =
            (module.entity(key).unwrap(), members.as_object().unwrap().clone());
        let work = move |tx: &crate::records::Tx| {
            write::create_one(tx, &entity, Changes::Members(members)).map(Verdict::Keep)
        };
        self.world.records.write_blocking(&scope, &module, &hooks, work).unwrap()
    }

    fn parsed(&self, scope: &Scope, plugin: &str, key: &str, json: &Json) -> Result<Filter, RecordError> {
        let context = Context::of(scope, self.world.clock.now());
        parse_json(&context, &scope.entity(plugin, key).unwrap(), json)
    }

    fn names(
        &self,
        caller: &Caller,
        plugin: &str,
        key: &str,
        json: &Json,
    ) -> Result<Vec<String>, RecordError> {
        self.seen(caller, plugin, key, json, Sight::Caller)
    }

    fn seen(
        &self,
        caller: &Caller,
        plugin: &str,
        key: &str,
        json: &Json,
        sight: Sight,
    ) -> Result<Vec<String>, RecordError> {
        let scope = self.scope(caller);
        let (entity, engine) = (scope.entity(plugin, key).unwrap(), &self.world.records);
        let filter = self.parsed(&scope, plugin, key, json)?;
        let condition = filter.condition(engine, &scope, &entity, sight)?;
        let (mut sql, mut params) = ("deleted_at is null and ".to_owned(), Vec::new());
        condition.write(&mut sql, &mut params);
        let column = entity.field("name").unwrap().column;
        let rows = engine.read(&scope, scope.module(plugin).unwrap(), |conn| {
            list::rows(conn, &entity, &sql, " order by name", &params)
        })?;
        Ok(rows.iter().map(|row| row[column].text().unwrap_or_default().to_owned()).collect())
    }
}

#[test]
fn a_path_and_its_other_end_cross_files_with_the_callers_rights() {
    let pair = Pair::new();
    let (ann, bob) = (pair.world.person("Ann", "rep", None), pair.world.person("Bob", "rep", None));
    let oak = pair.create(&ann, "garden", "tree", &json!({"name": "oak", "amount": 1}));
    let fir = pair.create(&bob, "garden", "tree", &json!({"name": "fir", "amount": 2}));
    let leaf = pair.create(&ann, "garden", "leaf", &json!({"name": "green", "tree": oak}));
    pair.create(&ann, "shed", "tool", &json!({"name": "axe", "tree": oak, "trees": [leaf]}));
    pair.create(&bob, "shed", "tool", &json!({"name": "saw", "tree": fir}));
    pair.create(&ann, "shed", "tool", &json!({"name": "rake"}));
    let owner = pair.world.platform();
    let asked = |caller: &Caller, json: Json| pair.names(caller, "shed", "tool", &json).unwrap();
    let through = |op: &str, value: Json| json!({"field": "tree.amount", "op": op, "value": value});

    assert_eq!(asked(&owner, through("gte", json!(1))), ["axe", "saw"]);
    assert_eq!(asked(&owner, through("ne", json!(1))), ["rake", "saw"]);
    assert_eq!(asked(&owner, through("empty", json!(true))), ["rake"]);
    assert_eq!(asked(&owner, json!({"field": "trees.tree.name", "value": "oak"})), ["axe"]);
    assert_eq!(
        asked(&owner, json!({"field": "trees.tree.name", "op": "ne", "value": "oak"})),
        ["rake", "saw"]
    );
    // Bob's tree is not there for Ann.
    assert_eq!(asked(&ann, through("eq", json!(2))), Vec::<String>::new());
    assert_eq!(asked(&ann, through("ne", json!(1))), ["rake", "saw"]);

    let trees = |caller: &Caller, json: Json| pair.names(caller, "garden", "tree", &json).unwrap();
    let tools = |op: &str, value: Json| json!({"field": "tools", "op": op, "value": value});
    assert_eq!(trees(&owner, tools("has", json!(true))), ["fir", "oak"]);
    assert_eq!(trees(&owner, tools("has_no", json!({"field": "name", "value": "axe"}))), ["fir"]);
    assert_eq!(trees(&ann, json!({"field": "shed.tools", "op": "has"})), ["oak"]);
    assert_eq!(trees(&ann, tools("has_no", json!(true))), ["fir"]);
    let leaves = pair.names(&owner, "garden", "leaf", &json!({"field": "tools", "op": "has"})).unwrap();
    assert_eq!(leaves, ["green"]);

    // A plugin acting as itself sees its own file whole, and of others what the caller sees.
    let axes = json!({"field": "tree.amount", "value": 2});
    assert_eq!(pair.seen(&ann, "shed", "tool", &axes, Sight::Plugin).unwrap(), Vec::<String>::new());
    let twins = json!({"field": "leafs", "op": "has"});
    assert_eq!(pair.seen(&bob, "garden", "tree", &twins, Sight::Plugin).unwrap(), ["oak"]);
    assert_eq!(pair.seen(&bob, "garden", "tree", &twins, Sight::Caller).unwrap(), Vec::<String>::new());
}

#[test]
fn what_the_caller_may_not_read_at_all_is_refused() {
    let pair = Pair::new();
    let clerk = pair.world.person("Cid", "readonly", None);
    for json in [
        json!({"field": "tree.name", "value": "oak"}),
        json!({"field": "tree.name", "op": "ne", "value": "oak"}),
        json!({"field": "tree.leafs", "op": "has_no"}),
    ] {
        let outcome = pair.names(&clerk, "shed", "tool", &json);
        assert!(
            matches!(&outcome, Err(RecordError::Forbidden { object, .. }) if object.starts_with("garden."))
        );
    }
    assert!(
        pair.names(&clerk, "shed", "tool", &json!({"field": "tree", "op": "empty", "value": true})).is_ok()
    );
}

#[test]
fn too_much_to_carry_between_files_is_refused_with_advice() {
    let pair = Pair::new();
    let ann = pair.world.person("Ann", "rep", None);
    for at in 0..=WIDTH {
        let tree = pair.create(&ann, "garden", "tree", &json!({"name": format!("t{at}"), "amount": at}));
        pair.create(&ann, "shed", "tool", &json!({"name": format!("x{at}"), "tree": tree}));
    }
    let width = json!(WIDTH);
    let fits = json!({"field": "tree.amount", "op": "lt", "value": width});
    assert_eq!(pair.names(&ann, "shed", "tool", &fits).unwrap().len(), WIDTH);
    for (plugin, key, json) in [
        ("shed", "tool", json!({"field": "tree.amount", "op": "lte", "value": width})),
        ("garden", "tree", json!({"field": "tools", "op": "has"})),
    ] {
        let outcome = pair.names(&ann, plugin, key, &json);
        assert!(
            matches!(&outcome, Err(RecordError::BadRequest { code: "filter_too_wide", detail }) if detail.contains("narrow")),
            "{outcome:?}"
        );
    }
}
