//! What the platform's roles may do, read from `policies/platform.csv`. Pure.

use std::sync::LazyLock;

/// The rows as shipped.
const ROWS: &str = include_str!("../../../policies/platform.csv");

/// Everything that can be asked for, in the order of their rights.
pub const ROLES: [&str; 6] = ["support", "operator", "billing", "security", "auditor", "owner"];

/// The role of whom there is always at least one.
pub const OWNER: &str = "owner";

/// What a right is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Area {
    /// The customers: that they exist, and whether they are let in.
    Organizations,
    /// What they may use.
    Licences,
    /// Administrators, their sessions, signing keys.
    Security,
    /// How the installation runs.
    Operations,
    /// What organizations keep.
    BusinessData,
    /// The log of what administrators did.
    Audit,
}

impl Area {
    /// The word of the rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organizations => "organizations",
            Self::Licences => "licences",
            Self::Security => "security",
            Self::Operations => "operations",
            Self::BusinessData => "business_data",
            Self::Audit => "audit",
        }
    }
}

/// How far a right goes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Reach {
    /// What the administrator did or has.
    Own,
    /// Everything.
    All,
}

#[derive(Clone, Debug)]
struct Grant {
    role: &'static str,
    area: &'static str,
    action: &'static str,
    reach: Reach,
}

/// A row that cannot be read grants nothing; a test holds that there is none.
static GRANTS: LazyLock<Vec<Grant>> = LazyLock::new(|| rows().filter_map(read).collect());

fn rows() -> impl Iterator<Item = &'static str> {
    ROWS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn read(row: &'static str) -> Option<Grant> {
    let mut cells = row.split(',').map(str::trim);
    let (role, area, action, reach) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    let reach = match reach {
        "own" => Reach::Own,
        "all" => Reach::All,
        _ => return None,
    };
    let whole = cells.next().is_none() && ROLES.contains(&role) && !action.is_empty();
    whole.then_some(Grant { role, area, action, reach })
}

/// How far somebody with these roles may do `action` in `area`; `None`: not at all.
#[must_use]
pub fn reach(roles: &[String], area: Area, action: &str) -> Option<Reach> {
    let mine = |grant: &&Grant| roles.iter().any(|role| role == grant.role);
    let fits = |grant: &&Grant| grant.area == area.as_str() && grant.action == action;
    GRANTS.iter().filter(mine).filter(fits).map(|grant| grant.reach).max()
}

/// Whether somebody with the roles `holder` may do everything that `wanted` may. Only then may they give these roles, take
/// them away, or touch the credentials of whoever has them.
#[must_use]
pub fn covers(holder: &[String], wanted: &[String]) -> bool {
    let granted = |roles: &[String], grant: &Grant| roles.iter().any(|role| role == grant.role);
    GRANTS.iter().filter(|grant| granted(wanted, grant)).all(|wanted| {
        let same = |held: &&Grant| held.area == wanted.area && held.action == wanted.action;
        let held = GRANTS.iter().filter(|grant| granted(holder, grant)).filter(same);
        held.map(|grant| grant.reach).max().is_some_and(|reach| reach >= wanted.reach)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREAS: [Area; 6] = [
        Area::Organizations,
        Area::Licences,
        Area::Security,
        Area::Operations,
        Area::BusinessData,
        Area::Audit,
    ];

    /// The matrix as people read it: for each role, what it may do in each area; `~` marks what reaches one's own only.
    const MATRIX: [(&str, [&str; 6]); 6] = [
        ("support", ["read", "read", "read", "read", "impersonate", "~read"]),
        (
            "operator",
            [
                "read create suspend resume move restore",
                "read roll_out pin",
                "read",
                "read write",
                "",
                "read",
            ],
        ),
        ("billing", ["read", "read write revoke", "", "", "", "~read"]),
        ("security", ["read suspend", "read revoke kill", "read write", "read", "", "read verify"]),
        ("auditor", ["read", "read", "read", "read", "", "read verify export"]),
        (
            "owner",
            [
                "read create suspend resume move restore",
                "read write revoke roll_out pin kill",
                "read write",
                "read write",
                "impersonate",
                "read verify export",
            ],
        ),
    ];

    const ACTIONS: [&str; 16] = [
        "read",
        "create",
        "suspend",
        "resume",
        "move",
        "restore",
        "write",
        "revoke",
        "roll_out",
        "pin",
        "kill",
        "impersonate",
        "verify",
        "export",
        "delete",
        "",
    ];

    fn of(role: &str) -> Vec<String> {
        vec![role.to_owned()]
    }

    #[test]
    fn every_row_can_be_read_and_names_an_area_and_an_action() {
        for row in rows() {
            let grant = read(row).unwrap_or_else(|| panic!("{row}"));
            assert!(AREAS.iter().any(|area| area.as_str() == grant.area), "{row}");
            assert!(ACTIONS.contains(&grant.action), "{row}");
        }
        assert_eq!(GRANTS.len(), rows().count());
    }

    #[test]
    fn the_whole_matrix_is_what_it_says() {
        for (role, cells) in MATRIX {
            for (area, cell) in AREAS.into_iter().zip(cells) {
                for action in ACTIONS {
                    let words: Vec<&str> = cell.split(' ').filter(|word| !word.is_empty()).collect();
                    let expected =
                        match (words.contains(&action), words.contains(&format!("~{action}").as_str())) {
                            (true, _) => Some(Reach::All),
                            (_, true) => Some(Reach::Own),
                            _ => None,
                        };
                    assert_eq!(reach(&of(role), area, action), expected, "{role} {area:?} {action}");
                }
            }
        }
        assert_eq!(reach(&[], Area::Organizations, "read"), None);
        assert_eq!(reach(&of("Owner"), Area::Organizations, "read"), None);
    }

    #[test]
    fn roles_add_up() {
        let both = vec!["support".to_owned(), "operator".to_owned()];
        assert_eq!(reach(&both, Area::Audit, "read"), Some(Reach::All));
        assert_eq!(reach(&both, Area::Organizations, "create"), Some(Reach::All));
    }

    #[test]
    fn nobody_covers_more_than_they_may() {
        for role in ROLES {
            assert!(covers(&of(role), &of(role)) && covers(&of(OWNER), &of(role)), "{role}");
            assert!(role == OWNER || !covers(&of(role), &of(OWNER)), "{role}");
        }
        assert!(!covers(&of("security"), &of("auditor")), "the auditor may export");
        assert!(!covers(&of("security"), &of("support")), "support may impersonate");
        assert!(!covers(&[], &of("billing")));
    }

    #[test]
    fn nobody_deletes_the_log_or_reads_business_data() {
        for role in ROLES {
            assert_eq!(reach(&of(role), Area::Audit, "delete"), None);
            assert_eq!(reach(&of(role), Area::Audit, "write"), None);
            assert_eq!(reach(&of(role), Area::BusinessData, "read"), None);
        }
    }
}
