//! `bench plugins`: what running plugin code costs, and an upgrade of a thousand organizations while people work.

use super::inside::{Figures, shown};
use super::table::Table;
use crate::components;
use crate::fault::Fault;
use crate::workspace::Workspace;

/// A figure of `host/benches/plugins.rs`: its name, what it is, and the most that p50 may be, in nanoseconds.
const FIGURES: [(&str, &str, u64); 5] = [
    ("instance", "fresh instance, over the snapshot it stands on", 15_000),
    ("hook", "hook on create", 60_000),
    ("crossing", "100 rows of 8 columns packed, passed on and unpacked", 20_000),
    ("reading", "the same with SQLite's part", 100_000),
    ("load", "all first-party components from the cache", 50_000_000),
];
/// What the upgrade of a thousand organizations may take, in nanoseconds.
const FLEET: u64 = 60_000_000_000;

pub(super) fn measure(workspace: &Workspace) -> Result<(), Fault> {
    components::first_party(workspace)?;
    let room = workspace.target.join("measured");
    std::fs::create_dir_all(&room).map_err(Fault::at(room.display()))?;
    components::measured(workspace, &room)?;
    let (packages, guest) = (workspace.packages(), room.join("measured"));
    let folders = [("STOA_BENCH_PACKAGES", packages.as_path()), ("STOA_BENCH_GUEST", guest.as_path())];
    let figures = Figures::measure(workspace, "plugins", &folders)?;
    let mut table = Table::default();
    for (name, what, aim) in FIGURES {
        let (p50, p99) = figures.of(name)?;
        let figure = format!("p50 {}, p99 {}", shown(p50), shown(p99));
        table.add(what, figure, format!("p50 {}", shown(aim)), p50 <= aim);
    }
    let ((took, refused), (answered, _)) = (figures.of("fleet")?, figures.of("answered")?);
    let figure = format!("{}, {refused} of {} requests refused", shown(took), answered + refused);
    table.add(
        "upgrade of 1,000 organizations under load",
        figure,
        format!("{}, none", shown(FLEET)),
        took <= FLEET && refused == 0,
    );
    table.end()
}
