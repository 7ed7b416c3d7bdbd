//! An organization with two modules: the garden, whose trees are merged, and the orchard, whose baskets name trees.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::caller::Caller;
use crate::ids::{MergeId, OrganizationId, PrincipalId, RecordId};
use crate::policy::{Grant, Policy, PolicyIndex, Scope as Reach};
use crate::records::merge::Request;
use crate::records::mutation::Manner;
use crate::records::schema::{Choice, Entity, Field, Kind, Module, OnDelete, Operations, Parts, Target};
use crate::records::tests::garden::{PLUGIN, entity, field, module, tree_fields};
use crate::records::tests::world::{Desk, Script, World, acting, grant};
use crate::records::tx::{Hook, Hooks, Tx};
use crate::records::write::{self, Change, Changes};
use crate::records::{RecordError, Scope};
use crate::storage::{Connection, Verdict};

fn to_trees() -> Target {
    Target { plugin: PLUGIN.into(), entity: "tree".into() }
}

fn refers(key: &str, rule: OnDelete) -> Field {
    field(key, Kind::Reference(to_trees(), rule))
}

/// A tree with everything that a merge treats in its own way.
pub(crate) fn trees() -> Arc<Entity> {
    let choice = |key: &str| Choice { key: key.into(), label: key.into(), archived: false };
    let mut fields = tree_fields();
    fields.extend([
        field("marks", Kind::Options(["old", "tall", "rare"].map(choice).to_vec())),
        field("friends", Kind::References(to_trees(), OnDelete::Detach)),
        field("place", Kind::Address),
        Field { unique: true, read_only: true, ..field("number", Kind::AutoNumber("T-{000}".into())) },
    ]);
    entity("tree", fields, &Hook::ALL)
}

fn garden() -> Arc<Module> {
    let other = |key: &str, rule| {
        let fields = vec![field("name", Kind::Text), refers("tree", rule)];
        entity(key, fields, &Hook::ALL)
    };
    let sign = Field { unique: true, ..refers("tree", OnDelete::Restrict) };
    let entities = vec![
        trees(),
        other("leaf", OnDelete::Cascade),
        other("nest", OnDelete::Restrict),
        entity("sign", vec![field("name", Kind::Text), sign], &[]),
    ];
    module("1", entities, Vec::new())
}

fn orchard() -> Arc<Module> {
    let fields = vec![
        field("name", Kind::Text),
        refers("tree", OnDelete::Restrict),
        field("trees", Kind::References(to_trees(), OnDelete::Detach)),
    ];
    let parts = Parts {
        key: "basket".to_owned(),
        plural: "baskets".to_owned(),
        label: "basket".to_owned(),
        title: None,
        fields,
        hooks: Hook::ALL.into_iter().collect(),
        duplicates: Vec::new(),
        operations: Operations { create: true, update: true, delete: true },
    };
    Arc::new(Module {
        plugin: "orchard".into(),
        version: "1.0.0".into(),
        entities: vec![Arc::new(Entity::new("orchard", parts))],
        private: Vec::new(),
        tables: Arc::new(HashSet::from(["basket".to_owned()])),
        fingerprint: "1".into(),
        may_act_as_plugin: false,
        between: crate::records::schema::Between::default(),
    })
}

pub(crate) struct Estate {
    pub(crate) world: World,
    pub(crate) orchard: Arc<Module>,
    pub(crate) owner: Caller,
    policy: Arc<PolicyIndex>,
    pub(crate) hooks: Arc<Script>,
}

impl Estate {
    pub(crate) fn new() -> Self {
        let organization = OrganizationId::new();
        let (world, orchard) = (World::of(organization, garden()), orchard());
        world.runtime.block_on(world.records.prepare(&world.organization, &orchard)).unwrap();
        let owner = acting(organization, PrincipalId::new(), "owner", &[]);
        let modules = [&world.module, &orchard];
        let grants: Vec<Grant> = modules
            .iter()
            .flat_map(|module| &module.entities)
            .flat_map(|entity| {
                ["read", "create", "update", "delete", "merge"]
                    .map(|action| grant("rep", &entity.object, action, Reach::Own))
            })
            .collect();
        let policy = world.runtime.block_on(Policy::new().load(organization, &grants)).unwrap();
        Self { world, orchard, owner, policy, hooks: Script::silent() }
    }

    pub(crate) fn code(&self) -> Arc<dyn Hooks + Send + Sync> {
        Arc::clone(&self.hooks) as _
    }

    /// Both modules, as a caller meets them.
    pub(crate) fn scope(&self, caller: &Caller) -> Scope {
        let modules = vec![Arc::clone(&self.world.module), Arc::clone(&self.orchard)];
        Scope {
            modules: modules.into(),
            policy: Arc::clone(&self.policy),
            ..self.world.scope(caller.clone())
        }
    }

    pub(crate) fn desk(&self) -> Desk<'_> {
        self.desk_of(&self.owner)
    }

    pub(crate) fn desk_of(&self, caller: &Caller) -> Desk<'_> {
        Desk { world: &self.world, scope: self.scope(caller), hooks: Arc::clone(&self.hooks) }
    }

    pub(crate) fn tree(&self, json: Json) -> RecordId {
        self.desk().create("tree", json).unwrap()
    }

    /// Writes in the orchard.
    pub(crate) fn picks<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, RecordError> {
        let (scope, hooks) = (self.scope(&self.owner), self.code());
        self.world.records.write_blocking(&scope, &self.orchard, &hooks, move |tx| f(tx).map(Verdict::Keep))
    }

    pub(crate) fn basket(&self, json: Json) -> Result<RecordId, RecordError> {
        let Json::Object(members) = json else { panic!("no object") };
        self.picks(move |tx| {
            write::create_one(tx, &tx.module.entity("basket").unwrap(), Changes::Members(members))
        })
    }

    pub(crate) fn repick(&self, id: RecordId, json: Json) {
        let Json::Object(members) = json else { panic!("no object") };
        let change = Change { id, version: None, changes: Changes::Members(members) };
        self.picks(move |tx| write::update(tx, &tx.module.entity("basket").unwrap(), vec![change])).unwrap();
    }

    /// A basket as the API shows it.
    pub(crate) fn basket_of(&self, id: RecordId, expand: Option<&str>) -> Json {
        let basket = self.orchard.entity("basket").unwrap();
        let view = crate::records::list::View::parse(&basket, None, expand).unwrap();
        let one = self.world.records.get(&self.scope(&self.owner), &basket, id, &view).unwrap();
        serde_json::from_slice(&one.body).unwrap()
    }

    pub(crate) fn request(&self, survivor: RecordId, losers: &[RecordId]) -> Request {
        Request { survivor, losers: losers.to_vec(), choices: Map::new(), versions: BTreeMap::new() }
    }

    pub(crate) fn merge_as(&self, caller: &Caller, request: Request, dry: bool) -> Result<Json, RecordError> {
        let (scope, hooks) = (self.scope(caller), self.code());
        let tree = self.world.entity("tree");
        let manner = Manner { dry_run: dry, asked: None };
        let merge = self.world.records.merge(&scope, &tree, &hooks, request, manner);
        self.world.runtime.block_on(merge).map(|outcome| outcome.body)
    }

    pub(crate) fn merge(&self, survivor: RecordId, losers: &[RecordId]) -> Result<Json, RecordError> {
        self.merge_as(&self.owner, self.request(survivor, losers), false)
    }

    pub(crate) fn undo(&self, merge: &Json, dry: bool) -> Result<Json, RecordError> {
        self.undo_as(&self.owner, id_of(merge), dry)
    }

    pub(crate) fn undo_as(&self, caller: &Caller, id: MergeId, dry: bool) -> Result<Json, RecordError> {
        let (scope, hooks) = (self.scope(caller), self.code());
        let manner = Manner { dry_run: dry, asked: None };
        let undo = self.world.records.undo_merge(&scope, &hooks, id, manner);
        self.world.runtime.block_on(undo).map(|outcome| outcome.body)
    }

    /// Everything that is stored in both files, but for versions and who changed last.
    pub(crate) fn everything(&self) -> BTreeMap<String, Vec<String>> {
        let scope = self.scope(&self.owner);
        let mut all = BTreeMap::new();
        for module in &*scope.modules {
            let mut tables: Vec<String> = module.tables.iter().cloned().collect();
            tables.extend(
                ["_stoa_external_ids", "_stoa_links", "_stoa_tombstones", "_stoa_merged_ids"]
                    .map(String::from),
            );
            for table in tables {
                let rows = self.world.records.read(&scope, module, |conn| dumped(conn, &table)).unwrap();
                all.insert(format!("{}.{table}", module.plugin), rows);
            }
        }
        all
    }
}

/// The rows of a table as texts.
fn dumped(conn: &Rc<Connection>, table: &str) -> Result<Vec<String>, RecordError> {
    let mut statement = conn.prepare(&format!("select * from \"{table}\""))?;
    let names: Vec<String> = statement.column_names().iter().map(|name| (*name).to_owned()).collect();
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let cells = names
            .iter()
            .enumerate()
            .filter(|(_, name)| !["version", "updated_at", "updated_by"].contains(&name.as_str()));
        found.push(
            cells
                .map(|(at, name)| format!("{name}={:?}", row.get_ref(at).unwrap()))
                .collect::<Vec<_>>()
                .join(" "),
        );
    }
    found.sort();
    Ok(found)
}

/// The id of the merge that an answer tells of.
pub(crate) fn id_of(answer: &Json) -> MergeId {
    answer["merge"]["id"].as_str().unwrap().parse().unwrap()
}

/// The code of a conflict.
pub(crate) fn conflict<T: std::fmt::Debug>(outcome: Result<T, RecordError>) -> String {
    match outcome {
        Err(RecordError::Conflict { code, .. }) => code.into_owned(),
        other => panic!("{other:?} is no conflict"),
    }
}
