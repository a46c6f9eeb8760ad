//! The table, for people and for machines.

use std::fmt::Write;

use serde_json::{Value, json};

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Line {
    /// The work's number.
    pub id: &'static str,
    /// What was done.
    pub work: String,
    /// What it came to, with its unit.
    pub unit: &'static str,
    /// The service's figures, one a round.
    pub ours: Vec<f64>,
    /// The yardsticks' figures, one a round, by name.
    pub against: Vec<(&'static str, Vec<f64>)>,
    /// What is to be reached.
    pub goal: Option<Goal>,
}

/// What is to be reached.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// Our figure over a yardstick's is at least that.
    Share(&'static str, f64),
    /// Our figure is at most that.
    AtMost(f64),
    /// Our figure is at most that much more than a yardstick's.
    Added(&'static str, f64),
    /// Our figure is at most that many times a yardstick's.
    Times(&'static str, f64),
}

/// Every line, and what they were measured on.
#[derive(Debug)]
pub struct Report {
    /// What they were measured on.
    pub setting: Vec<(&'static str, String)>,
    /// The lines.
    pub lines: Vec<Line>,
}

/// The middle one; of an even number the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

/// The value below which that share of the values lies.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

impl Line {
    fn yardstick(&self, name: &str) -> f64 {
        self.against.iter().find(|(other, _)| *other == name).map_or(f64::NAN, |(_, values)| median(values))
    }

    /// Our figure against its goal, and whether that is reached.
    fn judged(&self) -> Option<(f64, bool)> {
        let ours = median(&self.ours);
        Some(match self.goal? {
            Goal::Share(name, goal) => (ours / self.yardstick(name), ours / self.yardstick(name) >= goal),
            Goal::AtMost(goal) => (ours, ours <= goal),
            Goal::Added(name, goal) => (ours - self.yardstick(name), ours - self.yardstick(name) <= goal),
            Goal::Times(name, goal) => (ours / self.yardstick(name), ours / self.yardstick(name) <= goal),
        })
    }

    fn ratios(&self) -> String {
        let ours = median(&self.ours);
        let ratios: Vec<String> = self
            .against
            .iter()
            .map(|(name, values)| format!("{name} {} ({:.2}×)", figure(median(values)), ours / median(values)))
            .collect();
        ratios.join(", ")
    }

    fn goal_text(&self) -> String {
        match self.goal {
            None => "recorded".to_owned(),
            Some(Goal::Share(name, goal)) => format!("≥ {goal} × {name}"),
            Some(Goal::AtMost(goal)) => format!("≤ {goal}"),
            Some(Goal::Added(name, goal)) => format!("≤ {name} + {goal}"),
            Some(Goal::Times(name, goal)) => format!("≤ {goal} × {name}"),
        }
    }

    fn verdict(&self) -> String {
        match self.judged() {
            None => String::new(),
            Some((_, true)) => "reached".to_owned(),
            Some((value, false)) => format!("missed: {value:.2}"),
        }
    }

    fn json(&self) -> Value {
        let against: Vec<Value> = self
            .against
            .iter()
            .map(|(name, values)| {
                json!({
                    "name": name, "rounds": values, "median": median(values),
                    "ratio": median(&self.ours) / median(values),
                })
            })
            .collect();
        json!({
            "id": self.id, "work": self.work, "unit": self.unit,
            "expunge": {"rounds": self.ours, "median": median(&self.ours)},
            "against": against, "goal": self.goal_text(), "reached": self.judged().map(|(_, is_reached)| is_reached),
        })
    }
}

impl Report {
    /// As a table in Markdown.
    pub fn table(&self) -> String {
        let mut table = String::new();
        for (what, value) in &self.setting {
            let _ = writeln!(table, "* {what}: {value}");
        }
        table.push_str("\n| # | work | unit | Expunge | against (ratio) | goal | |\n|---|---|---|---|---|---|---|\n");
        for line in &self.lines {
            let _ = writeln!(
                table,
                "| {} | {} | {} | {} ({} to {}) | {} | {} | {} |",
                line.id,
                line.work,
                line.unit,
                figure(median(&line.ours)),
                figure(percentile(&line.ours, 0.0)),
                figure(percentile(&line.ours, 1.0)),
                line.ratios(),
                line.goal_text(),
                line.verdict(),
            );
        }
        table
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let setting: serde_json::Map<String, Value> =
            self.setting.iter().map(|(what, value)| ((*what).to_owned(), json!(value))).collect();
        json!({"setting": setting, "lines": self.lines.iter().map(Line::json).collect::<Vec<_>>()})
    }
}

/// A number with as many digits as say something.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
