//! The organization's own schema put in force: serialized with making the organization ready, so that no file is brought
//! to an older schema while a newer one is being published.

use super::{App, AppError, Entered};
use crate::caller::Caller;
use crate::records::configuration::Published;

impl App {
    /// Puts the draft in force; the next request finds it so. `expected` is the revision that was looked at.
    ///
    /// # Errors
    /// Those of [`Configuration::publish`](crate::records::configuration::Configuration::publish).
    pub async fn publish(
        &self,
        entered: &Entered,
        caller: &Caller,
        expected: Option<i64>,
        note: String,
    ) -> Result<Published, AppError> {
        let alone = self.alone(entered.organization.id).await;
        let scope = entered.scope(caller);
        let published = self.configuration.publish(&scope, entered.ground(), expected, note).await?;
        self.entered.remove(&entered.organization.id);
        drop(alone);
        self.enter(&entered.organization).await?;
        Ok(published)
    }

    /// Puts an old version in force again, as a new one.
    ///
    /// # Errors
    /// Those of [`Configuration::roll_back`](crate::records::configuration::Configuration::roll_back).
    pub async fn roll_back(
        &self,
        entered: &Entered,
        caller: &Caller,
        version: i64,
        note: String,
    ) -> Result<Published, AppError> {
        let alone = self.alone(entered.organization.id).await;
        let scope = entered.scope(caller);
        let published = self.configuration.roll_back(&scope, entered.ground(), version, note).await?;
        self.entered.remove(&entered.organization.id);
        drop(alone);
        self.enter(&entered.organization).await?;
        Ok(published)
    }
}
