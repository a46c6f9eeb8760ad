//! The process: how soon it is ready, and what it takes from the machine.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::client::closed_loop;
use crate::compare::{Loads, bulk_lanes, single_lanes};
use crate::data::{self};
use crate::report::{Goal, Line};
use crate::service::{Service, free_address};
use crate::{Bench, World};

/// Memory of a service that has just started, and of one that has been kept busy by bulk deletions.
pub async fn memory(bench: &mut Bench, world: &mut World) -> anyhow::Result<()> {
    let mut figures = [Vec::new(), Vec::new()];
    for _ in 0..bench.rounds {
        data::refill(&mut world.admin, world.size).await?;
        let service = bench.serve(&world.database).await?;
        figures[0].push(service.resident()? as f64 / 1e6);
        let each = (world.size.contacts / 1_000).min(2) * world.size.accounts / 64;
        let lanes = bulk_lanes(world, 64.min(world.size.accounts), each.max(1), 1_000.min(world.size.contacts), false);
        let mut peak = service.resident()?;
        let load = closed_loop(service.address, lanes);
        tokio::pin!(load);
        loop {
            tokio::select! {
                done = &mut load => {
                    done?;
                    break;
                }
                () = tokio::time::sleep(Duration::from_millis(5)) => peak = peak.max(service.resident()?),
            }
        }
        figures[1].push(peak.max(service.resident()?) as f64 / 1e6);
        service.stop()?;
    }
    let [idle, busy] = figures;
    for (work, ours, most) in [("idle", idle, 30.0), ("64 bulk deletions of 1,000 at once", busy, 80.0)] {
        bench.report.lines.push(Line {
            id: "P8",
            work: format!("resident memory, {work}"),
            unit: "MB",
            ours,
            against: Vec::new(),
            goal: Some(Goal::AtMost(most)),
        });
    }
    Ok(())
}

/// From the start of the program to when it is ready, on a migrated database, and of `dev` on nothing.
pub async fn start(bench: &mut Bench, world: &World) -> anyhow::Result<()> {
    let mut figures = [Vec::new(), Vec::new()];
    for round in 0..bench.rounds.max(3) {
        let log = bench.dir.join("start.log");
        let service = bench.serve(&world.database).await?;
        figures[0].push(service.ready_after.as_secs_f64() * 1e3);
        service.stop()?;
        let address = free_address()?;
        let dir = bench.dir.join(format!("dev-{round}"));
        let mut command = Command::new(&bench.program);
        command.args(["dev", "--listen", &address.to_string(), "--data-dir"]).arg(&dir);
        let service = Service::run(command, address, &log).await?;
        figures[1].push(service.ready_after.as_secs_f64() * 1e3);
        service.stop()?;
    }
    let [serve, dev] = figures;
    for (work, ours, most) in [("serve, on a migrated database", serve, 100.0), ("dev, on nothing", dev, 5_000.0)] {
        bench.report.lines.push(Line {
            id: "P9",
            work: format!("from start to ready: {work}"),
            unit: "ms",
            ours,
            against: Vec::new(),
            goal: Some(Goal::AtMost(most)),
        });
    }
    Ok(())
}

/// CPU time, and instructions where the machine counts them, of the service for one deletion.
pub async fn cost(bench: &mut Bench, world: &mut World, loads: Loads) -> anyhow::Result<()> {
    let (mut user, mut system, mut instructions) = (Vec::new(), Vec::new(), Vec::new());
    let of_each = loads.singles / 16;
    let deletions = (of_each * 16) as f64;
    for _ in 0..bench.rounds {
        data::refill(&mut world.admin, world.size).await?;
        let lanes = single_lanes(world, 16, of_each, 0, world.size.accounts);
        let counter = count_instructions(world.service.pid());
        let before = world.service.cpu_time()?;
        closed_loop(world.service.address, lanes).await?;
        let taken = world.service.cpu_time()?.since(before);
        user.push(taken.user.as_secs_f64() * 1e6 / deletions);
        system.push(taken.system.as_secs_f64() * 1e6 / deletions);
        if let Some(counted) = counter.and_then(counted) {
            instructions.push(counted / deletions);
        }
    }
    for (work, unit, ours) in [
        ("CPU time of the service for a single deletion, in the program", "µs", user),
        ("CPU time of the service for a single deletion, in the kernel", "µs", system),
        ("instructions of the service for a single deletion", "", instructions),
    ] {
        // Few virtual machines count instructions.
        if !ours.is_empty() {
            bench.report.lines.push(Line {
                id: "P10",
                work: work.to_owned(),
                unit,
                ours,
                against: Vec::new(),
                goal: None,
            });
        }
    }
    Ok(())
}

fn count_instructions(pid: u32) -> Option<std::process::Child> {
    let mut command = Command::new("perf");
    command.args(["stat", "-x", ",", "-e", "instructions:u", "-p", &pid.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().ok()
}

fn counted(counter: std::process::Child) -> Option<f64> {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(counter.id()).ok()?);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).ok()?;
    let output = counter.wait_with_output().ok()?;
    String::from_utf8_lossy(&output.stderr).split(',').next()?.trim().parse().ok()
}
