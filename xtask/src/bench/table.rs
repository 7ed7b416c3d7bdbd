//! Figures against their aims, as a table.

use super::load::Round;
use crate::fault::Fault;
use crate::workspace::say;

/// One line of the table.
struct Line {
    what: String,
    figure: String,
    aim: String,
    reached: bool,
}

/// The table as it grows.
#[derive(Default)]
pub(super) struct Table(Vec<Line>);

impl Table {
    /// Adds a line and says it at once.
    pub(super) fn add(
        &mut self,
        what: impl Into<String>,
        figure: String,
        aim: impl Into<String>,
        reached: bool,
    ) {
        let line = Line { what: what.into(), figure, aim: aim.into(), reached };
        say(format_args!("{}: {} (aim {})", line.what, line.figure, line.aim));
        self.0.push(line);
    }

    /// A latency that 95 of 100 requests must not exceed.
    pub(super) fn latency(&mut self, what: &str, round: &Round, aim: f64) {
        let (middle, high) = (round.latency(50), round.latency(95));
        let figure = format!("p50 {middle:.2} ms, p95 {high:.2} ms, {:.0}/s", round.per_second());
        self.add(what, figure, format!("p95 {aim:.0} ms"), high <= aim);
    }

    /// Prints all of it; an aim that was missed is an error.
    pub(super) fn end(&self) -> Result<(), Fault> {
        println!("\n{:<44}{:<46}{:<18}", "", "measured", "aim");
        for line in &self.0 {
            let mark = if line.reached { "reached" } else { "MISSED" };
            println!("{:<44}{:<46}{:<18}{mark}", line.what, line.figure, line.aim);
        }
        if self.0.iter().all(|line| line.reached) { Ok(()) } else { Err(Fault::new("an aim was missed")) }
    }
}
