//! What is printed: a line a figure, and whether its aim was met.

use serde_json::json;

use crate::machine::Others;

/// Something that was measured.
#[derive(Debug)]
pub struct Figure<'a> {
    /// As it is called.
    pub name: &'a str,
    /// The median of all runs.
    pub value: f64,
    /// Of the value.
    pub unit: &'static str,
    /// What it is compared with.
    pub baseline: Option<Baseline>,
    /// What it should be.
    pub aim: Option<Aim>,
}

/// What a figure is compared with, measured in turn with it.
#[derive(Debug)]
pub struct Baseline {
    /// The median of all runs.
    pub value: f64,
    /// Says what was measured.
    pub unit: &'static str,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub enum Aim {
    /// At least so many times the baseline.
    Ratio(f64),
    /// At most so many times the baseline.
    RatioAtMost(f64),
    /// At most so much.
    AtMost(f64),
}

impl Figure<'_> {
    fn ratio(&self) -> Option<f64> {
        self.baseline.as_ref().map(|baseline| self.value / baseline.value)
    }

    fn line(&self) -> String {
        let Self { name, value, unit, .. } = self;
        match (&self.baseline, self.ratio()) {
            (Some(baseline), Some(ratio)) => {
                format!("figure {name} {value:.1} {unit} ratio {ratio:.2} of {:.1} {}", baseline.value, baseline.unit)
            }
            _ => format!("figure {name} {value:.1} {unit}"),
        }
    }

    fn json(&self) -> String {
        let baseline = self.baseline.as_ref().map(|baseline| json!({ "value": baseline.value, "unit": baseline.unit }));
        let figure = json!({
            "figure": self.name, "value": self.value, "unit": self.unit, "ratio": self.ratio(), "baseline": baseline,
            "aim_met": self.judged().map(|(met, _)| met),
        });
        figure.to_string()
    }

    /// Whether the aim was met, and which it was.
    fn judged(&self) -> Option<(bool, String)> {
        match self.aim? {
            Aim::Ratio(least) => Some((self.ratio()? >= least, format!("a ratio of at least {least}"))),
            Aim::RatioAtMost(most) => Some((self.ratio()? <= most, format!("a ratio of at most {most}"))),
            Aim::AtMost(most) => Some((self.value <= most, format!("at most {most} {}", self.unit))),
        }
    }
}

/// Prints figures as they come.
#[derive(Debug)]
pub struct Report {
    json: bool,
    failed: Vec<&'static str>,
}

impl Report {
    pub fn new(json: bool) -> Self {
        Self { json, failed: vec![] }
    }

    /// Prints a figure, and its aim for the one who looks on.
    pub fn tell(&self, figure: &Figure<'_>) {
        println!("{}", if self.json { figure.json() } else { figure.line() });
        if let Some((met, aim)) = figure.judged() {
            eprintln!("{}: the aim is {aim}: {}", figure.name, if met { "met" } else { "MISSED" });
        }
    }

    /// Notes how a group ended.
    pub fn ended(&mut self, group: &'static str, done: anyhow::Result<()>) {
        if let Err(error) = done {
            eprintln!("{group}: FAILED: {error:#}");
            self.failed.push(group);
        }
    }

    /// The end of it.
    ///
    /// # Errors
    /// Something could not be measured.
    pub fn finish(self) -> anyhow::Result<()> {
        anyhow::ensure!(self.failed.is_empty(), "not measured: {}", self.failed.join(", "));
        Ok(())
    }
}

/// The medians of both of two measurements that are done in turn, so that both see the same machine.
pub async fn in_turn(
    name: &str,
    runs: u16,
    mut ours: impl AsyncFnMut(u16) -> anyhow::Result<f64>,
    mut theirs: impl AsyncFnMut() -> anyhow::Result<f64>,
) -> anyhow::Result<(f64, f64)> {
    let (mut figures, mut baselines, mut others) = (vec![], vec![], Others::default());
    for run in 0..runs {
        others.look().await?;
        let (figure, baseline) = (ours(run).await?, theirs().await?);
        eprintln!("{name}, run {}: {figure:.1}, baseline {baseline:.1}", run + 1);
        figures.push(figure);
        baselines.push(baseline);
    }
    others.warn(name);
    Ok((median(figures), median(baselines)))
}

/// The middle one; of an even number the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(median(vec![3.0, 9.0, 1.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 9.0, 2.0]), 3.0);
    }

    #[test]
    fn a_figure_is_a_line() {
        let baseline = Some(Baseline { value: 2_000.0, unit: "inserts/s" });
        let mut figure = Figure { name: "likes", value: 8_123.5, unit: "likes/s", baseline, aim: Some(Aim::Ratio(4.0)) };
        assert_eq!(figure.line(), "figure likes 8123.5 likes/s ratio 4.06 of 2000.0 inserts/s");
        assert!(figure.judged().unwrap().0);
        figure.aim = Some(Aim::RatioAtMost(4.0));
        assert!(!figure.judged().unwrap().0);
        (figure.baseline, figure.aim) = (None, Some(Aim::AtMost(100.0)));
        assert_eq!(figure.line(), "figure likes 8123.5 likes/s");
        assert!(!figure.judged().unwrap().0);
    }
}
