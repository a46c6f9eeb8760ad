//! What the service adds to how long one deletion takes, at a rate that burdens nobody; and how much of that any answer
//! over HTTP takes.

use hyper::Method;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::client::{open_loop, request};
use crate::compare::single_lanes;
use crate::data;
use crate::pgbench::Script;
use crate::report::{Goal, Line, percentile};
use crate::{Bench, World};

/// Deletions that begin in a second.
const RATE: f64 = 200.0;

/// Measures in rounds, in turn, and adds a line for the middle and one for the end of the distribution.
pub async fn measure(bench: &mut Bench, world: &mut World, deletions: u64) -> anyhow::Result<()> {
    let (first, accounts) = (world.size.accounts / 2, 1);
    let script = Script {
        name: "single_equal",
        clients: 1,
        transactions: deletions,
        variables: vec![("first_account", first), ("accounts", accounts), ("rows", world.size.contacts)],
        rate: Some(RATE),
    };
    let mut random = StdRng::seed_from_u64(bench.seed);
    let mut figures = [const { Vec::new() }; 4];
    let mut bare_answers = Vec::new();
    for round in 0..bench.rounds {
        let asked = (0..deletions).map(|_| request(Method::GET, "/livez", &world.accounts[0], None)).collect();
        let run = open_loop(world.service.address, asked, RATE, &mut random).await?;
        bare_answers.push(percentile(&run.millis(), 0.5));
        for turn in 0..2 {
            let is_ours = (round + turn).is_multiple_of(2);
            data::refill(&mut world.admin, world.size).await?;
            let run = if is_ours {
                let requests = single_lanes(world, 1, deletions, first, accounts).remove(0);
                open_loop(world.service.address, requests, RATE, &mut random).await?
            } else {
                bench.pgbench.run(&world.database, &script)?
            };
            let millis = run.millis();
            let (p50, p99) = (percentile(&millis, 0.5), percentile(&millis, 0.99));
            bench.say(&format!("P2 {}: p50 {p50:.3} ms, p99 {p99:.3} ms", if is_ours { "expunge" } else { "equal" }));
            let offset = if is_ours { 0 } else { 2 };
            figures[offset].push(p50);
            figures[offset + 1].push(p99);
        }
    }
    let [ours_p50, ours_p99, equal_p50, equal_p99] = figures;
    for (work, ours, equal, most) in [("p50", ours_p50, equal_p50, 0.25), ("p99", ours_p99, equal_p99, 1.0)] {
        bench.report.lines.push(Line {
            id: "P2",
            work: format!("latency of a single soft deletion, one connection, {RATE} a second: {work}"),
            unit: "ms",
            ours,
            against: vec![("equal", equal)],
            goal: Some(Goal::Added("equal", most)),
        });
    }
    bench.report.lines.push(Line {
        id: "P2",
        work: format!("latency of an answer that asks no database, one connection, {RATE} a second: p50"),
        unit: "ms",
        ours: bare_answers,
        against: Vec::new(),
        goal: None,
    });
    Ok(())
}
