//! The demo organization's records: what each manifest offers to look at, made as the organization's owner.

use std::sync::Arc;

use super::seed::plant;
use super::{App, AppError, Entered};
use crate::caller::Caller;
use crate::records::tx::Tx;
use crate::storage::Verdict;

impl App {
    /// Makes the demo records of every plugin that the organization may use, unless that was done before.
    ///
    /// # Errors
    /// A demo record breaks a rule, or storage fails.
    pub async fn plant_demo(&self, entered: &Entered, owner: &Caller) -> Result<(), AppError> {
        for plugin in entered.plugins.iter().filter(|plugin| !plugin.manifest.demo.is_empty()) {
            let offered = Arc::clone(plugin);
            let work = move |tx: &Tx| {
                if tx.conn.prepare("select 1 from _stoa_schema where key = 'demo'")?.exists([])? {
                    return Ok(Verdict::Keep(()));
                }
                plant(tx, &offered.manifest.demo)?;
                tx.conn.execute("insert into _stoa_schema (key, value) values ('demo', 'true')", [])?;
                Ok(Verdict::Keep(()))
            };
            let scope = entered.scope(owner);
            self.records.write(&scope, plugin.module(&scope)?, &self.hooks(), work).await?;
        }
        Ok(())
    }
}
