//! How many rows a second go, through the service and straight through pgbench, in turn, on the same rows.

use anyhow::ensure;
use hyper::Method;
use serde_json::json;

use crate::client::{Request, closed_loop, request};
use crate::data::{self, Size};
use crate::pgbench::Script;
use crate::report::{Goal, Line};
use crate::{Bench, World};

/// Puts the requests of a load together, a list for each connection.
type Lanes = dyn Fn(&World) -> Vec<Vec<Request>>;

/// A work that is done by the service and by scripts.
pub struct Comparison {
    /// The work's number.
    pub id: &'static str,
    /// What is done.
    pub work: String,
    /// Of which table rows go.
    pub table: &'static str,
    /// How many go.
    pub rows: u64,
    /// The requests by which they go.
    pub lanes: Box<Lanes>,
    /// The scripts by which they go.
    pub scripts: Vec<(&'static str, Script)>,
    /// What is to be reached, for each yardstick.
    pub goals: Vec<Goal>,
}

/// How many rows single deletions take in a measurement, and what a bulk load is.
#[derive(Clone, Copy, Debug)]
pub struct Loads {
    /// Single deletions.
    pub singles: u64,
    /// Connections of a bulk load.
    pub bulk_lanes: u64,
    /// Bulk deletions of 100 of each connection.
    pub hundreds: u64,
    /// Bulk deletions of 1,000 of each connection.
    pub thousands: u64,
}

impl Comparison {
    /// Has the service do it once beforehand: pgbench does not count the time in which it connects, and a service has been
    /// running for long.
    pub async fn warm_up(&self, world: &mut World) -> anyhow::Result<()> {
        data::refill(&mut world.admin, world.size).await?;
        closed_loop(world.service.address, (self.lanes)(world)).await?;
        Ok(())
    }

    /// Measures in rounds, each side in turn, another first in every round. Answers the rates, ours first.
    pub async fn rates(&self, bench: &Bench, world: &mut World) -> anyhow::Result<Vec<Vec<f64>>> {
        let mut rates = vec![Vec::new(); self.scripts.len() + 1];
        let sides = rates.len();
        for round in 0..bench.rounds {
            for turn in 0..sides {
                let side = (round + turn) % sides;
                data::refill(&mut world.admin, world.size).await?;
                let before = data::live(&mut world.admin, self.table).await?;
                let run = match side.checked_sub(1) {
                    None => closed_loop(world.service.address, (self.lanes)(world)).await?,
                    Some(script) => bench.pgbench.run(&world.database, &self.scripts[script].1)?,
                };
                let gone = before - data::live(&mut world.admin, self.table).await?;
                ensure!(gone == self.rows, "{}: {gone} rows went and not {}", self.work, self.rows);
                let rate = self.rows as f64 / run.elapsed.as_secs_f64();
                let name = side.checked_sub(1).map_or("expunge", |script| self.scripts[script].0);
                bench.say(&format!("{} {}: {name} {rate:.0} rows/s", self.id, self.work));
                rates[side].push(rate);
            }
        }
        Ok(rates)
    }

    /// Measures, and adds a line for each goal.
    pub async fn measure(&self, bench: &mut Bench, world: &mut World) -> anyhow::Result<()> {
        self.warm_up(world).await?;
        let rates = self.rates(bench, world).await?;
        let against: Vec<(&'static str, Vec<f64>)> =
            self.scripts.iter().map(|(name, _)| *name).zip(rates[1..].iter().cloned()).collect();
        for goal in &self.goals {
            bench.report.lines.push(Line {
                id: self.id,
                work: self.work.clone(),
                unit: "rows/s",
                ours: rates[0].clone(),
                against: against.clone(),
                goal: Some(*goal),
            });
        }
        Ok(())
    }
}

fn script(name: &'static str, clients: u64, transactions: u64, variables: Vec<(&'static str, u64)>) -> Script {
    Script { name, clients, transactions, variables, rate: None }
}

/// The requests of single deletions of contacts: of `accounts` accounts in turn, from one on.
pub fn single_lanes(world: &World, lanes: u64, of_each: u64, first: u64, accounts: u64) -> Vec<Vec<Request>> {
    let lane = |lane: u64| {
        let each = (0..of_each).map(|k| {
            let i = lane * of_each + k;
            let account = first + i % accounts;
            let owner = &world.accounts[usize::try_from(account).expect("few accounts")];
            let id = data::contact_id(account, i / accounts, world.size.contacts);
            request(Method::DELETE, &owner.contacts(&format!("/{id}")), owner, None)
        });
        each.collect()
    };
    (0..lanes).map(lane).collect()
}

/// Single soft deletions of contacts: of one account, or of all of them in turn.
pub fn singles(size: Size, loads: Loads, lanes: u64, is_busy: bool) -> Comparison {
    let of_each = loads.singles / lanes;
    // Not the first account: its rows lie where every scan begins.
    let (first, accounts) = if is_busy { (size.accounts / 2, 1) } else { (0, size.accounts) };
    let variables = vec![("first_account", first), ("accounts", accounts), ("rows", size.contacts)];
    let whose = if is_busy { "one busy account".to_owned() } else { format!("{accounts} accounts evenly") };
    Comparison {
        id: if is_busy { "P1a" } else { "P1b" },
        work: format!("single soft deletion, {lanes} connections, {whose}"),
        table: "contacts",
        rows: of_each * lanes,
        lanes: Box::new(move |world| single_lanes(world, lanes, of_each, first, accounts)),
        scripts: vec![
            ("bare", script("single_bare", lanes, of_each, variables.clone())),
            ("equal", script("single_equal", lanes, of_each, variables)),
        ],
        goals: if is_busy {
            vec![Goal::Share("bare", 1.0)]
        } else {
            vec![Goal::Share("bare", 0.6), Goal::Share("equal", 0.9)]
        },
    }
}

/// Bulk deletions of contacts.
pub fn bulks(size: Size, loads: Loads, of: u64, is_hard: bool) -> Comparison {
    let lanes = loads.bulk_lanes.min(size.accounts);
    let of_each = if of >= 1_000 { loads.thousands } else { loads.hundreds };
    let variables = vec![("accounts", size.accounts), ("rows", size.contacts), ("size", of)];
    let (bare, equal) =
        if is_hard { ("bulk_hard_bare", "bulk_hard_equal") } else { ("bulk_soft_bare", "bulk_soft_equal") };
    Comparison {
        id: if is_hard { "P4" } else { "P3" },
        work: format!("bulk deletion of {of} contacts, {}, {lanes} connections", if is_hard { "hard" } else { "soft" }),
        table: "contacts",
        rows: lanes * of_each * of,
        lanes: Box::new(move |world| bulk_lanes(world, lanes, of_each, of, is_hard)),
        scripts: vec![
            ("bare", script(bare, lanes, of_each, variables.clone())),
            ("equal", script(equal, lanes, of_each, variables)),
        ],
        goals: vec![Goal::Share("equal", 0.9)],
    }
}

/// The requests of bulk deletions of contacts, an account for each connection.
pub fn bulk_lanes(world: &World, lanes: u64, of_each: u64, of: u64, is_hard: bool) -> Vec<Vec<Request>> {
    let query = if is_hard { "?mode=hard" } else { "" };
    let lane = |lane: u64| {
        let account = lane % world.size.accounts;
        let owner = &world.accounts[usize::try_from(account).expect("few accounts")];
        let each = (0..of_each).map(|k| {
            let start = (lane / world.size.accounts * of_each + k) * of;
            let ids: Vec<String> =
                (start..start + of).map(|place| data::contact_id(account, place, world.size.contacts)).collect();
            let path = owner.contacts(&format!("/bulk-delete{query}"));
            request(Method::POST, &path, owner, Some(json!({"ids": ids}).to_string()))
        });
        each.collect()
    };
    (0..lanes).map(lane).collect()
}

/// Deletions of contact lists, each of which is asked for the campaigns that hold on to it.
pub fn lists(size: Size) -> Comparison {
    let lanes = 16;
    let of_each = size.lists * size.accounts / lanes;
    let variables = vec![("accounts", size.accounts)];
    Comparison {
        id: "P5",
        work: format!("deletion of a contact list with the check that it is not in use, {lanes} connections"),
        table: "contact_lists",
        rows: of_each * lanes,
        lanes: Box::new(move |world| {
            let lane = |lane: u64| {
                let each = (0..of_each).map(|k| {
                    let i = lane * of_each + k;
                    let account = i % world.size.accounts;
                    let owner = &world.accounts[usize::try_from(account).expect("few accounts")];
                    let id = data::list_id(account, i / world.size.accounts);
                    request(Method::DELETE, &owner.campaign(&format!("/contactList/{id}")), owner, None)
                });
                each.collect()
            };
            (0..lanes).map(lane).collect()
        }),
        scripts: vec![
            ("bare", script("list_bare", lanes, of_each, variables.clone())),
            ("equal", script("list_equal", lanes, of_each, variables)),
        ],
        goals: vec![Goal::Share("equal", 0.9)],
    }
}

/// Bulk deletions of records by number, or by external reference.
pub fn records(size: Size, is_by_number: bool) -> Comparison {
    let (lanes, of) = (size.record_lists, 100);
    let of_each = size.records / of;
    let variables = vec![("accounts", size.accounts), ("size", of)];
    let (bare, equal) = if is_by_number {
        ("records_by_number_bare", "records_by_number_equal")
    } else {
        ("records_by_reference_bare", "records_by_reference_equal")
    };
    Comparison {
        id: "P5",
        work: format!(
            "bulk deletion of {of} records by {}, {lanes} connections",
            if is_by_number { "number" } else { "external reference" }
        ),
        table: "records",
        rows: lanes * of_each * of,
        lanes: Box::new(move |world| {
            let lane = |lane: u64| {
                let owner = &world.accounts[usize::try_from(lane % world.size.accounts).expect("few accounts")];
                let each = (0..of_each).map(|k| {
                    let items: Vec<_> = (k * of..(k + 1) * of)
                        .map(|place| {
                            let number = data::record_number(lane, place);
                            if is_by_number {
                                json!({"phone_number": format!("+{number}")})
                            } else {
                                json!({"external_provider": "crm", "external_id": number})
                            }
                        })
                        .collect();
                    let path = format!("/record-lists/{}/records/bulks", data::record_list_id(lane));
                    request(Method::DELETE, &path, owner, Some(json!(items).to_string()))
                });
                each.collect()
            };
            (0..lanes).map(lane).collect()
        }),
        scripts: vec![
            ("bare", script(bare, lanes, of_each, variables.clone())),
            ("equal", script(equal, lanes, of_each, variables)),
        ],
        goals: vec![Goal::Share("equal", 0.9)],
    }
}
