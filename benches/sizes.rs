//! Whether it stays as fast when there is more.

use crate::Bench;
use crate::compare::{self, Comparison, Loads};
use crate::data::Size;
use crate::report::{Goal, Line, median};

/// The accounts; of the smallest size each has one bulk deletion's contacts.
const ACCOUNTS: u64 = 10;

/// The same deletions at sizes that are far from each other, in turn; adds a line for each larger size.
pub async fn measure(bench: &mut Bench, is_quick: bool) -> anyhow::Result<()> {
    let sizes: &[(&str, &'static str, u64)] = if is_quick {
        &[("small", "10,000", 10_000), ("large", "20,000", 20_000)]
    } else {
        &[("small", "10,000", 10_000), ("large", "1,000,000", 1_000_000), ("largest", "10,000,000", 9_999_990)]
    };
    let mut worlds = Vec::new();
    for (database, _, contacts) in sizes {
        let size = Size { accounts: ACCOUNTS, contacts: contacts / ACCOUNTS, lists: 0, record_lists: 0, records: 0 };
        worlds.push(bench.world(database, size).await?);
    }
    let singles = if is_quick { 960 } else { 9_600 };
    let loads = Loads { singles, bulk_lanes: ACCOUNTS, hundreds: 10, thousands: 1 };
    // A millisecond's work is repeated until it is worth a measurement.
    for (kind, repeats) in [(0, 1), (1, 3)] {
        let work = |size: Size| -> Comparison {
            let mut comparison = match kind {
                0 => compare::singles(size, loads, 16, false),
                _ => compare::bulks(size, loads, 1_000, false),
            };
            comparison.id = "P7";
            comparison.scripts.truncate(1);
            comparison
        };
        for world in &mut worlds {
            work(world.size).warm_up(world).await?;
        }
        // Ours and bare, for each size: Postgres itself takes longer for rows that lie far from each other.
        let mut millis = [vec![Vec::new(); worlds.len()], vec![Vec::new(); worlds.len()]];
        for _ in 0..bench.rounds * repeats {
            for (at, world) in worlds.iter_mut().enumerate() {
                let comparison = work(world.size);
                let rounds = std::mem::replace(&mut bench.rounds, 1);
                let rates = comparison.rates(bench, world).await;
                bench.rounds = rounds;
                for (millis, rates) in millis.iter_mut().zip(rates?) {
                    millis[at].extend(rates.iter().map(|rate| comparison.rows as f64 * 1e3 / rate));
                }
            }
        }
        for (at, (_, name, _)) in sizes.iter().enumerate().skip(1) {
            let goal = Goal::Times("among 10,000", 1.15);
            for (whose, millis, goal) in [("", &millis[0], Some(goal)), (", bare", &millis[1], None)] {
                bench.report.lines.push(Line {
                    id: "P7",
                    work: format!("{}, among {name} contacts{whose}", work(worlds[at].size).work),
                    unit: "ms",
                    ours: vec![median(&millis[at])],
                    against: vec![("among 10,000", vec![median(&millis[0])])],
                    goal,
                });
            }
        }
    }
    for world in worlds {
        world.end()?;
    }
    Ok(())
}
