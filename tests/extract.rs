//! A sales extract of four CSV files: the real one where it is present, or a generated one of the same shape.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

const FILES: [&str; 4] = ["accounts.csv", "products.csv", "sales_teams.csv", "sales_pipeline.csv"];
const ACCOUNTS: usize = 85;
const AGENTS: usize = 35;
const PRODUCTS: [(&str, u32); 7] = [
    ("GTX Basic", 550),
    ("GTX Pro", 4821),
    ("MG Special", 55),
    ("MG Advanced", 3393),
    ("GTX Plus Pro", 5482),
    ("GTX Plus Basic", 1096),
    ("GTK 500", 26768),
];

/// Four files in a folder.
pub struct Extract {
    folder: PathBuf,
    /// Holds the generated files as long as they are used.
    _generated: Option<TempDir>,
}

impl Extract {
    /// How many opportunities it has; the generated one has as many as the real one.
    pub const OPPORTUNITIES: u64 = 8_800;

    /// The real extract: below `STOA_DATA_SETS`, else below `../shared/data` beside the repository.
    #[must_use]
    pub fn real() -> Option<Self> {
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
        let sets = std::env::var_os("STOA_DATA_SETS").map_or_else(beside, PathBuf::from);
        let folder = sets.join("crm-sales-opportunities");
        FILES.iter().all(|name| folder.join(name).is_file()).then_some(Self { folder, _generated: None })
    }

    /// A generated extract: the same columns, sizes, stages and kinds of dirt, other values.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn generated() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        for (name, content) in FILES.into_iter().zip([accounts(), products(), teams(), pipeline()]) {
            fs::write(folder.path().join(name), content)?;
        }
        Ok(Self { folder: folder.path().to_owned(), _generated: Some(folder) })
    }

    /// The real one, else a generated one.
    ///
    /// # Panics
    /// When neither is possible.
    #[must_use]
    pub fn any() -> Self {
        Self::real()
            .or_else(|| Self::generated().ok())
            .unwrap_or_else(|| panic!("a sales extract cannot be generated in the temporary folder"))
    }

    /// Where a file lies.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The bytes of a file.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn file(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

fn accounts() -> String {
    let mut text =
        "account,sector,year_established,revenue,employees,office_location,subsidiary_of\n".to_owned();
    for number in 0..ACCOUNTS {
        let sector = ["technolgy", "medical", "retail", "software", "finance"][number % 5];
        // Every seventh has a parent, which mostly comes later in the file, as in the real one.
        let parent = if number % 7 == 0 { account((number + 3) % ACCOUNTS) } else { String::new() };
        let (year, revenue, staff) = (1979 + number % 38, 40 + number * 13, 9 + number * 31);
        let _ =
            writeln!(text, "{},{sector},{year},{revenue}.5,{staff},United States,{parent}", account(number));
    }
    text
}

fn products() -> String {
    let mut text = "product,series,sales_price\n".to_owned();
    for (name, price) in PRODUCTS {
        let _ = writeln!(text, "{name},{},{price}", name.split(' ').next().unwrap_or_default());
    }
    text
}

fn teams() -> String {
    let mut text = "sales_agent,manager,regional_office\n".to_owned();
    for number in 0..AGENTS {
        let _ = writeln!(
            text,
            "{},Manager {},{}",
            agent(number),
            number / 6,
            ["Central", "East", "West"][number % 3]
        );
    }
    text
}

fn pipeline() -> String {
    let mut text =
        "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n"
            .to_owned();
    for number in 0..8_800_usize {
        let stage = stage(number);
        let (product, price) = PRODUCTS[number % PRODUCTS.len()];
        let product = if product == "GTX Pro" { "GTXPro" } else { product };
        let (engaged, closed) = (1 + number % 28, 1 + (number / 28) % 28);
        let engage = if stage == "Prospecting" { String::new() } else { format!("2016-11-{engaged:02}") };
        let close = if closed_stage(stage) { format!("2017-01-{closed:02}") } else { String::new() };
        let value = match stage {
            "Won" => price.to_string(),
            "Lost" => "0".to_owned(),
            _ => String::new(),
        };
        let account =
            if !closed_stage(stage) && number % 3 > 0 { String::new() } else { account(number % ACCOUNTS) };
        let agent = agent(number % AGENTS);
        let _ = writeln!(text, "G{number:07},{agent},{product},{account},{stage},{engage},{close},{value}");
    }
    text
}

fn stage(number: usize) -> &'static str {
    match number * 7_919 % 8_800 {
        0..4_238 => "Won",
        4_238..6_711 => "Lost",
        6_711..8_300 => "Engaging",
        _ => "Prospecting",
    }
}

fn closed_stage(stage: &str) -> bool {
    matches!(stage, "Won" | "Lost")
}

fn account(number: usize) -> String {
    format!("Company {number:02}")
}

fn agent(number: usize) -> String {
    format!(
        "Agent {}",
        char::from(b'A' + u8::try_from(number % 26).unwrap_or_default()).to_string().repeat(1 + number / 26)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_extract_has_the_proportions_of_the_real_one() {
        let text = pipeline();
        let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
        let of = |stage: &str| rows.iter().filter(|row| row[4] == stage).count();
        assert_eq!((of("Won"), of("Lost"), of("Engaging"), of("Prospecting")), (4_238, 2_473, 1_589, 500));
        assert!(rows.iter().all(|row| row.len() == 8));
        assert!(rows.iter().all(|row| closed_stage(row[4]) != row[6].is_empty()));
        let agents: std::collections::BTreeSet<String> = (0..AGENTS).map(agent).collect();
        assert_eq!(agents.len(), AGENTS);
    }
}
