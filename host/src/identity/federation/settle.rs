//! Who somebody from elsewhere is here, and what their groups make of them.
//!
//! What the groups give follows them: at every sign-in the roles that the provider's mapping gives now are given, and those that
//! it gave before and does not give any more are taken. A role that somebody had by other hands is none of the mapping's:
//! it is not given twice, and never taken. Owners have what they have: nobody elsewhere adds to it.

use crate::clock::UnixMillis;
use crate::identity::people::{self, User, UserStatus};
use crate::identity::{IdentityError, OWNER, platform};
use crate::ids::{OrganizationId, PrincipalId, ProviderId, RequestId};
use crate::storage::Connection;

use super::id_token::Person;
use super::{Federation, Provider, refused, store};

impl Federation {
    /// Who somebody is here; made or linked if the rules allow it, with the roles of their groups.
    pub(super) async fn settle(
        &self,
        organization: OrganizationId,
        id: ProviderId,
        link: Option<PrincipalId>,
        person: Person,
    ) -> Result<PrincipalId, IdentityError> {
        // Mostly nothing has changed, and nothing is written.
        let known = self.identity.read(organization, |connection| as_ever(connection, id, &person))?;
        if let Some(user) = known.filter(|user| link.is_none_or(|asked| asked == *user)) {
            return Ok(user);
        }
        let now = self.identity.clock.now();
        let by = platform(organization, RequestId::new());
        let settled = self.identity.write(&by, move |connection| {
            // Read again: another callback may have been faster, and the provider may be disabled by now.
            let found = store::find_provider(connection, id)?;
            let (provider, _) = found.ok_or_else(|| refused("the provider is gone"))?;
            if provider.status != UserStatus::Active {
                return Err(refused("the provider is disabled"));
            }
            let linked = store::find_linked(connection, id, &person.subject)?;
            let (user, given) = match (linked, link) {
                (Some((user, _)), Some(asked)) if user != asked => {
                    return Err(refused("linked to somebody else"));
                }
                (Some((user, given)), _) => (active_user(connection, user)?, given),
                (None, Some(asked)) => (active_user(connection, asked)?, Vec::new()),
                (None, None) => fitting(connection, &provider, &person, now)?,
            };
            let (roles, given) = followed(&user.roles, &given, &provider.roles_of(&person.groups));
            store::link(connection, id, &person.subject, user.id, &given, now)?;
            let left = !roles.is_empty();
            let id = user.id;
            if roles != user.roles {
                people::follow_roles(connection, user, roles, now)?;
            }
            // What was taken stays taken, whether or not they get in.
            Ok(left.then_some(id))
        });
        settled.await?.ok_or_else(|| refused("none of their groups has a role any more"))
    }
}

/// Who somebody is whose sign-in changes nothing.
fn as_ever(
    connection: &Connection,
    id: ProviderId,
    person: &Person,
) -> Result<Option<PrincipalId>, IdentityError> {
    let (Some((user, given)), Some((provider, _))) =
        (store::find_linked(connection, id, &person.subject)?, store::find_provider(connection, id)?)
    else {
        return Ok(None);
    };
    let user = active_user(connection, user)?;
    let (roles, gives) = followed(&user.roles, &given, &provider.roles_of(&person.groups));
    let same = roles == user.roles && gives == given && !roles.is_empty();
    Ok(same.then_some(user.id))
}

/// The roles that somebody has from now on, and those of them that the mapping gives: `mapped` are what it gives now, `given`
/// what it gave before. Both sorted.
fn followed(before: &[String], given: &[String], mapped: &[String]) -> (Vec<String>, Vec<String>) {
    if before.iter().any(|role| role == OWNER) {
        return (before.to_vec(), given.to_vec());
    }
    let mut roles: Vec<String> = before.iter().filter(|role| !given.contains(role)).cloned().collect();
    let gives: Vec<String> = mapped.iter().filter(|role| !roles.contains(role)).cloned().collect();
    roles.extend(gives.iter().cloned());
    roles.sort_unstable();
    (roles, gives)
}

/// The person, if they may act.
pub(super) fn active_user(connection: &Connection, id: PrincipalId) -> Result<User, IdentityError> {
    let user = people::find_user(connection, id)?.filter(|user| user.status == UserStatus::Active);
    user.ok_or_else(|| refused("the user is disabled"))
}

/// Who somebody that nobody linked yet is: the person with their verified address, or somebody new; and the roles that their
/// groups gave them.
fn fitting(
    connection: &Connection,
    provider: &Provider,
    person: &Person,
    now: UnixMillis,
) -> Result<(User, Vec<String>), IdentityError> {
    let email = person.email.as_deref().and_then(|text| people::Email::parse(text).ok());
    if let Some(email) = &email
        && let Some(user) = people::find_by_email(connection, email.key())?
    {
        let trusted = provider.authoritative && store::is_verified(connection, email.domain())?;
        return if trusted {
            Ok((active_user(connection, user.id)?, Vec::new()))
        } else {
            Err(refused("the address is somebody's"))
        };
    }
    let roles = provider.roles_of(&person.groups);
    if !provider.provisions || roles.is_empty() {
        return Err(refused("nobody here, and none of their groups has a role"));
    }
    let name = person.name.as_deref().or(person.email.as_deref()).unwrap_or(&person.subject);
    let made = people::provision(connection, name, email.as_ref(), roles.clone(), now)?;
    Ok((made, roles))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn groups_give_and_take_what_is_theirs_and_nothing_else() {
        for (before, given, mapped, roles, gives) in [
            ("rep", "rep", "rep", "rep", "rep"),
            ("rep", "rep", "manager", "manager", "manager"),
            ("rep", "rep", "manager rep", "manager rep", "manager rep"),
            ("manager rep", "manager rep", "", "", ""),
            ("readonly rep", "rep", "", "readonly", ""),
            ("owner", "", "rep", "owner", ""),
            ("owner rep", "rep", "", "owner rep", "rep"),
            // Given by hand before the mapping gave it, so it is not the mapping's to take.
            ("rep", "", "rep", "rep", ""),
            // Taken by hand, and given again: the mapping says so.
            ("readonly", "rep", "rep", "readonly rep", "rep"),
        ] {
            let found = followed(&words(before), &words(given), &words(mapped));
            assert_eq!(found, (words(roles), words(gives)), "{before} | {given} | {mapped}");
        }
    }
}
