//! Removing what no row names any more: after a deletion, after an upload that came to nothing, and at the first use of a
//! module's file in a process, when a crash may have left something.

use std::sync::Arc;

use super::{LOOSE, store};
use crate::ids::OrganizationId;
use crate::records::blobs::Digest;
use crate::records::schema::Module;
use crate::records::{RecordError, Records};
use crate::storage::{ChangeOrigin, TenantFile, Verdict};

/// Most loose files that one sweep removes: there is a next one.
const AT_ONCE: usize = 200;

impl Records {
    /// Removes a content unless a row names it or an upload is about to. May wait for the disk.
    ///
    /// # Errors
    /// A file fails.
    pub fn sweep_content(
        &self,
        organization: OrganizationId,
        module: &Module,
        digest: &Digest,
    ) -> Result<bool, RecordError> {
        let file = self.file(organization, module)?;
        let referred = || file.read(|conn| store::is_referred(conn, digest));
        self.blobs.sweep_one(organization, &module.plugin, digest, referred)
    }

    /// Removes loose files that nobody took within a day, and their contents. May wait.
    ///
    /// # Errors
    /// A file fails.
    pub fn sweep_loose(
        &self,
        organization: OrganizationId,
        module: &Module,
        origin: ChangeOrigin,
    ) -> Result<usize, RecordError> {
        let file = self.file(organization, module)?;
        let before = self.now() - LOOSE;
        let old = |file: &Arc<TenantFile>| file.read(|conn| store::loose(conn, before, AT_ONCE));
        if old(&file)?.is_empty() {
            return Ok(0);
        }
        let removed = file.write_blocking(origin, move |conn| {
            let ids = store::loose(conn, before, AT_ONCE)?;
            for id in &ids {
                store::remove(conn, *id)?;
            }
            Ok::<_, RecordError>(Verdict::Keep(ids.len()))
        })?;
        self.sweep_left(organization, module, origin)?;
        Ok(removed)
    }

    /// Removes the contents that committed deletions left: after the deletion of a file, after a purge. May wait.
    ///
    /// # Errors
    /// A file fails.
    pub fn sweep_left(
        &self,
        organization: OrganizationId,
        module: &Module,
        origin: ChangeOrigin,
    ) -> Result<usize, RecordError> {
        let (file, mut removed) = (self.file(organization, module)?, 0);
        loop {
            let contents = file.read(|conn| store::left(conn, AT_ONCE))?;
            if contents.is_empty() {
                return Ok(removed);
            }
            for digest in &contents {
                removed += usize::from(self.sweep_content(organization, module, digest)?);
            }
            // One that is pinned stays: its upload names it again, or removes it when it fails.
            file.write_blocking(origin, move |conn| store::looked_after(conn, &contents).map(Verdict::Keep))?;
        }
    }

    /// Removes what the process before this one left: uploads that were not finished, contents that no row names, loose
    /// files that nobody took. Once per module and process; walks the module's folder on a thread of its own.
    ///
    /// # Errors
    /// What was being written cannot be removed.
    pub(in crate::records) fn sweep_at_start(
        &self,
        organization: OrganizationId,
        module: &Arc<Module>,
        origin: ChangeOrigin,
    ) -> Result<(), RecordError> {
        if !self.blobs.claim_first_sweep(organization, &module.plugin) {
            return Ok(());
        }
        self.blobs.clear_incoming(organization, &module.plugin)?;
        let (engine, module) = (self.clone(), Arc::clone(module));
        let walk = move || {
            if let Err(error) = engine.sweep_all(organization, &module, origin) {
                tracing::warn!(%error, module = %module.plugin, "leftover files could not be removed");
            }
        };
        // Without a runtime (a tool, a test) there is nobody to keep waiting.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(walk)),
            Err(_) => walk(),
        }
        Ok(())
    }

    /// Removes every content that no row names.
    ///
    /// # Errors
    /// A file fails.
    pub fn sweep_all(
        &self,
        organization: OrganizationId,
        module: &Module,
        origin: ChangeOrigin,
    ) -> Result<usize, RecordError> {
        self.sweep_loose(organization, module, origin)?;
        let mut removed = self.sweep_left(organization, module, origin)?;
        for digest in self.blobs.contents(organization, &module.plugin)? {
            removed += usize::from(self.sweep_content(organization, module, &digest)?);
        }
        if removed > 0 {
            tracing::info!(%organization, module = %module.plugin, removed, "removed contents that no file names");
        }
        Ok(removed)
    }
}
