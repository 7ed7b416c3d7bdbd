//! Vouchers: what a browser brings from a provider's callback to the sign-in page, good once and for a minute, in the
//! browser that went there.

use crate::identity::{AccessToken, External, IdentityError, IssueToken, LIFETIME};
use crate::organizations::Organization;

use super::settle::active_user;
use super::{Federation, refused, store};

impl Federation {
    /// Exchanges a voucher for an access token: for people without a second factor.
    ///
    /// # Errors
    /// [`IdentityError::FederationRefused`], [`IdentityError::SecondFactorRequired`].
    pub async fn redeem(
        &self,
        organization: &Organization,
        browser: Option<&str>,
        voucher: &str,
    ) -> Result<AccessToken, IdentityError> {
        let person = self.take(organization, browser, voucher).await?;
        // One factor, unless the organization listed what the provider says: who has a second one, or must have one, goes
        // through the login in steps.
        if person.acr != "aal2" && self.identity.needs_second(organization.id, person.user)? {
            return Err(IdentityError::SecondFactorRequired);
        }
        self.identity
            .issue(IssueToken {
                organization,
                user: person.user,
                session: None,
                client: None,
                scope: "",
                grant: None,
                auth_time: person.auth_time,
                amr: &["fed".to_owned()],
                acr: &person.acr,
                life: LIFETIME,
            })
            .await
    }

    /// Who a voucher is for, for a login in steps. It is gone then.
    ///
    /// # Errors
    /// [`IdentityError::FederationRefused`].
    pub async fn take(
        &self,
        organization: &Organization,
        browser: Option<&str>,
        voucher: &str,
    ) -> Result<External, IdentityError> {
        let hash = self.hash(organization.id, voucher)?;
        let taken = self.identity.note(organization.id, move |c| Ok(store::take_voucher(c, &hash)?)).await?;
        let voucher = taken.ok_or_else(|| refused("unknown voucher"))?;
        if voucher.expires_at <= self.identity.clock.now() {
            return Err(refused("too late"));
        }
        self.same_browser(organization.id, browser, &voucher.browser)?;
        self.active(organization.id, voucher.provider)?;
        self.identity.read(organization.id, |connection| active_user(connection, voucher.user))?;
        Ok(External { user: voucher.user, acr: voucher.acr, auth_time: voucher.auth_time })
    }
}
