//! The garden of the engine's tests, with a schema of its own.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::ids::RecordId;
use crate::records::configuration::{Compiled, Configuration, Ground, Published, compile, shape};
use crate::records::error::Fault;
use crate::records::list::View;
use crate::records::schema::Module;
use crate::records::tests::world::{Desk, World};
use crate::records::tx::Hooks;
use crate::records::write::{self, Changes};
use crate::records::{RecordError, Scope};
use crate::storage::Verdict;

pub(super) struct Shop {
    pub(super) world: World,
    pub(super) configuration: Configuration,
    pub(super) ground: Ground,
    /// As the organization has them now.
    pub(super) modules: Arc<[Arc<Module>]>,
}

impl Shop {
    pub(super) fn new() -> Self {
        let world = World::new();
        let configuration = Configuration::new(world.records.clone());
        let declared: Arc<[Arc<Module>]> = vec![Arc::clone(&world.module)].into();
        let ground = Ground {
            declared: Arc::clone(&declared),
            organization: Arc::clone(&world.organization),
            settings: Arc::new(HashMap::new()),
        };
        Self { world, configuration, ground, modules: declared }
    }

    /// The document read strictly and compiled against nothing before it.
    pub(super) fn compiled(&self, json: &Json) -> Compiled {
        let document = shape::document(json).unwrap();
        compile(&self.ground, &document, &document_of_nothing(), self.world.clock.now())
    }

    /// The faults of a document, whatever finds them.
    pub(super) fn faults(&self, json: &Json) -> Vec<Fault> {
        match shape::document(json) {
            Err(faults) => faults,
            Ok(_) => self.compiled(json).faults,
        }
    }

    pub(super) fn scope(&self) -> Scope {
        Scope { modules: Arc::clone(&self.modules), ..self.world.owner().scope }
    }

    pub(super) fn draft(&self, json: &Json) {
        let document = shape::document(json).unwrap();
        let caller = self.world.owner().scope.caller;
        self.world.runtime.block_on(self.configuration.replace(&caller, None, document)).unwrap();
    }

    /// Drafts the document and publishes it; from then on the desk works with it.
    pub(super) fn publish(&mut self, json: &Json) -> Result<Published, RecordError> {
        self.draft(json);
        let scope = self.scope();
        let publishing = self.configuration.publish(&scope, &self.ground, None, String::new());
        let published = self.world.runtime.block_on(publishing)?;
        self.enter(&published);
        Ok(published)
    }

    pub(super) fn roll_back(&mut self, version: i64) -> Result<Published, RecordError> {
        let scope = self.scope();
        let going = self.configuration.roll_back(&scope, &self.ground, version, String::new());
        let published = self.world.runtime.block_on(going)?;
        self.enter(&published);
        Ok(published)
    }

    pub(super) fn enter(&mut self, published: &Published) {
        let compiled = self.configuration.modules(&self.ground, published);
        assert!(compiled.faults.is_empty(), "{:?}", compiled.faults);
        self.modules = compiled.modules;
        let garden = self.modules.iter().find(|module| &*module.plugin == "garden").unwrap();
        self.world.module = Arc::clone(garden);
    }

    /// The desk of the owner, with the modules as they are now.
    pub(super) fn desk(&self) -> Desk<'_> {
        let desk = self.world.owner();
        Desk { scope: Scope { modules: Arc::clone(&self.modules), ..desk.scope.clone() }, ..desk }
    }

    fn own(&self) -> &Arc<Module> {
        self.modules.iter().find(|module| &*module.plugin == "custom").unwrap()
    }

    pub(super) fn create(&self, object: &str, json: Json) -> Result<RecordId, RecordError> {
        let Json::Object(members) = json else { panic!("no object") };
        let (desk, entity) = (self.desk(), self.own().entity(object).unwrap());
        let hooks: Arc<dyn Hooks + Send + Sync> = Arc::clone(&desk.hooks) as _;
        self.world.records.write_blocking(&desk.scope, self.own(), &hooks, move |tx| {
            write::create_one(tx, &entity, Changes::Members(members)).map(Verdict::Keep)
        })
    }

    pub(super) fn get(&self, object: &str, id: RecordId) -> Map<String, Json> {
        let entity = self.own().entity(object).unwrap();
        let view = View::parse(&entity, None, None).unwrap();
        let one = self.world.records.get(&self.scope(), &entity, id, &view).unwrap();
        serde_json::from_slice(&one.body).unwrap()
    }
}

fn document_of_nothing() -> crate::records::configuration::Document {
    crate::records::configuration::Document::default()
}
