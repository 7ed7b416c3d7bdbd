//! What a server cost: user + system time of its process tree, from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::fault::Fault;

/// A process and all that it has started.
pub(super) struct Tree {
    root: u32,
    ticks_per_second: f64,
}

struct Stat {
    parent: u32,
    ticks: u64,
}

impl Tree {
    pub(super) fn of(root: u32) -> Result<Self, Fault> {
        if stat(root).is_none() {
            return Err(Fault::new(format!("/proc/{root}/stat: process time can only be read on Linux")));
        }
        let asked = Command::new("getconf").arg("CLK_TCK").output().ok();
        let ticks = asked.and_then(|output| String::from_utf8_lossy(&output.stdout).trim().parse().ok());
        Ok(Self { root, ticks_per_second: ticks.unwrap_or(100.0) })
    }

    /// The processes that are alive now.
    pub(super) fn members(&self) -> Vec<u32> {
        let all = everything();
        let mut members = vec![self.root];
        let mut next = 0;
        while let Some(&parent) = members.get(next) {
            members.extend(all.iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, _)| *pid));
            next += 1;
        }
        members
    }

    /// Processor time that the living members have used so far.
    pub(super) fn used(&self) -> Duration {
        let ticks: u64 = self.members().into_iter().filter_map(stat).map(|stat| stat.ticks).sum();
        #[expect(clippy::cast_precision_loss, reason = "a bench does not run for years")]
        Duration::from_secs_f64(ticks as f64 / self.ticks_per_second)
    }
}

fn everything() -> HashMap<u32, Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

/// Fields 4, 14 and 15 of proc(5); the name in field 2 may hold spaces, so counting starts after its `)`.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat { parent: u32::try_from(field(4)?).ok()?, ticks: field(14)? + field(15)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_belongs_to_the_tree() {
        let mut child = Command::new("sleep").arg("30").spawn().unwrap();
        let tree = Tree::of(std::process::id()).unwrap();
        assert!(tree.members().contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!tree.members().contains(&child.id()));
    }
}
