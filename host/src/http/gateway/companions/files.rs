//! Files over REST: up, listed, described with a link to their content, removed.

use std::str::FromStr as _;
use std::sync::Arc;

use poem::http::{Method, StatusCode};
use poem::{Request, Response};
use serde_json::Value as Json;

use super::comments::only_view;
use super::{
    Behind, Call, is_get, method_not_allowed, only_paging, parameters, problem, problem_of, upload, written,
};
use crate::http::gateway::mutate::{self, Sent};
use crate::http::problem::Problem;
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::blobs::Digest;
use crate::records::companions::attachment::{self, AttachmentView};
use crate::records::mutation::{Manner, Reply};
use crate::records::schema::Entity;
use crate::records::tx::Tx;
use crate::storage::ChangeOrigin;

impl Call<'_> {
    pub(super) async fn files(self, behind: Behind, request: Request) -> Result<Response, Problem> {
        let Behind { entity, record } = behind;
        match *request.method() {
            ref method if is_get(method) => {
                let paging = only_paging(&request)?;
                self.look(move |seat, conn| {
                    attachment::page(&seat.engine, &seat.scope, conn, &entity, record, &paging)
                })
                .await
            }
            Method::POST => self.add_file(&entity, Some(record), request).await,
            _ => Err(method_not_allowed("GET, POST")),
        }
    }

    pub(super) async fn loose_file(
        self,
        entity: &Arc<Entity>,
        request: Request,
    ) -> Result<Response, Problem> {
        if *request.method() != Method::POST {
            return Err(method_not_allowed("POST"));
        }
        let (engine, module) = (self.app.records.clone(), Arc::clone(&self.module));
        let (organization, origin) = (self.scope.organization.id, ChangeOrigin::from(&self.scope.caller));
        // Whoever brings new ones clears away old ones that nobody took.
        let sweep = tokio::task::spawn_blocking(move || engine.sweep_loose(organization, &module, origin));
        sweep.await.map_err(|error| Problem::internal(&error))?.map_err(problem)?;
        self.add_file(entity, None, request).await
    }

    async fn add_file(
        self,
        entity: &Arc<Entity>,
        record: Option<RecordId>,
        request: Request,
    ) -> Result<Response, Problem> {
        let (dry_run, key) = (parameters::dry_run(&request)?, mutate::key(&request)?);
        let (engine, scope, module) = (&self.app.records, &self.scope, &self.module);
        // Nobody sends 64 MiB to hear that they may not.
        let allowed = engine.read(scope, module, |conn| {
            attachment::may_add(conn, scope, entity, record)?;
            attachment::fits_quota(engine, scope, conn, module, 0)
        });
        allowed.map_err(problem)?;
        let (request, body) = request.split();
        let (arrived, pin) =
            upload::receive(&engine.blobs, scope.organization.id, &module.plugin, &request, body).await?;
        // The body went to its place while it came: what it was is its name and its content.
        let same = [arrived.name.as_bytes(), arrived.media_type.as_bytes(), &arrived.sha256];
        let asked = key.map(|key| mutate::asked(&request, &key, None, &same));
        let (kind, digest) = (Arc::clone(entity), arrived.sha256);
        let place = record.map(|record| format!("{}/{}/{record}/files", self.base, entity.plural));
        let add = move |tx: &Tx| {
            let file = attachment::add(tx, &kind, record, arrived)?;
            let location = place.map(|place| format!("{place}/{}", file.id));
            let view = attachment::shown(&tx.engine, &tx.scope, vec![file])?.pop();
            Ok(Reply { location, ..written(StatusCode::CREATED, &view) })
        };
        let added = self.done(Manner { dry_run, asked }, add).await;
        drop(pin);
        let idle = dry_run || added.as_ref().map_or(true, |reply| reply.replayed);
        self.sweep(idle.then_some(digest)).await;
        let reply = added.map_err(problem)?;
        Ok(mutate::response(if dry_run { reply } else { self.linked(reply) }))
    }

    /// A file's answer with a link to its content, good from now.
    fn linked(&self, mut reply: Reply) -> Reply {
        let Ok(mut view) = serde_json::from_slice::<Json>(&reply.body) else { return reply };
        let id = view.get("id").and_then(Json::as_str).and_then(|id| RecordId::from_str(id).ok());
        if let (Some(id), Some(members)) = (id, view.as_object_mut()) {
            members.insert("url".into(), self.link(id).into());
            reply.body = view.to_string().into_bytes();
        }
        reply
    }

    pub(super) async fn file(
        self,
        behind: Behind,
        id: &str,
        mut request: Request,
    ) -> Result<Response, Problem> {
        let missing = problem_of("file", "file_not_found");
        let id = RecordId::from_str(id).map_err(|_| missing(RecordError::NotFound))?;
        let Behind { entity, record } = behind;
        match *request.method() {
            ref method if is_get(method) => {
                only_view(&request)?;
                let (engine, scope) = (&self.app.records, &self.scope);
                let view = engine.read(scope, &self.module, |conn| {
                    attachment::get(engine, scope, conn, &entity, (record, id))
                });
                let mut view: AttachmentView = view.map_err(missing)?;
                view.url = Some(self.link(id));
                Ok(mutate::response(written(StatusCode::OK, &view)))
            }
            Method::DELETE => {
                let sent = Sent::of(&mut request).await?;
                let dry = sent.manner.dry_run;
                let remove =
                    move |tx: &Tx| attachment::remove(tx, &entity, record, id).map(|_| Reply::nothing());
                let removed = self.done(sent.manner, remove).await.map_err(missing)?;
                if !dry {
                    self.sweep(None).await;
                }
                Ok(mutate::response(removed))
            }
            _ => Err(method_not_allowed("GET, DELETE")),
        }
    }

    /// Removes a content if nothing refers to it, or what deletions left. What fails here is left for the next start.
    async fn sweep(&self, digest: Option<Digest>) {
        let (engine, module) = (self.app.records.clone(), Arc::clone(&self.module));
        let (organization, origin) = (self.scope.organization.id, ChangeOrigin::from(&self.scope.caller));
        let sweep = move || match digest {
            Some(digest) => engine.sweep_content(organization, &module, &digest).map(usize::from),
            None => engine.sweep_left(organization, &module, origin),
        };
        match tokio::task::spawn_blocking(sweep).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a content that no file names is left"),
            Err(error) => tracing::warn!(%error, "a content that no file names is left"),
        }
    }

    /// Where the content of a file is, for the next minutes.
    fn link(&self, id: RecordId) -> String {
        let module = &self.module.plugin;
        let root = self.base.strip_suffix(&**module).unwrap_or(&self.base);
        let query = self.app.records.link(self.scope.organization.id, module, id);
        format!("{root}files/{id}/content?{query}")
    }
}
