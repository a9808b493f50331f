//! The dashboard and the alert rules ask for what services export, and for all of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;
use service_kit::metrics::{Kind, TABLE};

/// What Prometheus adds when it scrapes.
const ADDED: [&str; 3] = ["job", "instance", "alertname"];
/// What Prometheus says of a target by itself.
const OF_TARGETS: [&str; 1] = ["up"];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every metric as it is asked for, and its labels.
fn exported() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut exported = BTreeMap::new();
    for metric in TABLE {
        let suffixes: &[&str] = match metric.kind {
            Kind::Counter | Kind::Gauge => &[""],
            Kind::Histogram(_) => &["_bucket", "_sum", "_count"],
        };
        for suffix in suffixes {
            let le = (*suffix == "_bucket").then_some("le");
            exported.insert(format!("{}{suffix}", metric.name), metric.labels.iter().copied().chain(le).collect());
        }
    }
    exported
}

/// The names and labels in an expression: labels stand in `{…}`, their values in quotes, and in `by (…)`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    metrics: BTreeSet<String>,
    labels: BTreeSet<String>,
}

impl Asked {
    fn by(expression: &str) -> Self {
        let unquoted: String = expression.split('"').step_by(2).collect();
        let ends_word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let (mut asked, mut in_labels, mut groups) = (Self::default(), false, false);
        for piece in unquoted.split_inclusive(ends_word) {
            let word = piece.trim_end_matches(ends_word);
            if in_labels && word.starts_with(|c: char| c.is_ascii_lowercase()) {
                asked.labels.insert(word.to_owned());
            } else if word.starts_with("tizza_") || OF_TARGETS.contains(&word) {
                asked.metrics.insert(word.to_owned());
            }
            groups |= !in_labels && ["by", "on", "without", "ignoring"].contains(&word);
            if piece.ends_with('{') || (groups && piece.ends_with('(')) {
                in_labels = true;
            } else if piece.ends_with(['}', ')']) {
                (in_labels, groups) = (false, false);
            }
        }
        asked
    }

    /// Each metric is exported, and each label is one of some metric here.
    fn is_exported(&self, expression: &str) {
        let exported = exported();
        let mut labels: BTreeSet<&str> = ADDED.into();
        for metric in self.metrics.iter().filter(|metric| !OF_TARGETS.contains(&metric.as_str())) {
            labels.extend(exported.get(metric).unwrap_or_else(|| panic!("no service exports {metric}: {expression}")));
        }
        let unknown: Vec<_> = self.labels.iter().filter(|label| !labels.contains(label.as_str())).collect();
        assert!(!self.metrics.is_empty() && unknown.is_empty(), "no such labels: {unknown:?} in {expression}");
    }
}

#[test]
fn names_and_labels_are_found_in_an_expression() {
    let asked = Asked::by(r#"sum by (job, le) (rate(tizza_a_total{status=~"5..",by="x{y=z}"}[5m])) / on (role) up > 0.5"#);
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(asked, Asked { metrics: set(&["tizza_a_total", "up"]), labels: set(&["job", "le", "status", "by", "role"]) });
}

#[test]
fn the_dashboard_shows_every_metric_and_none_that_is_not_exported() {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/tizza.json")).unwrap();
    let mut shown = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row") {
        assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{} tells nothing", panel["title"]);
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let asked = Asked::by(expression);
            asked.is_exported(expression);
            let legend = target["legendFormat"].as_str().unwrap();
            for label in legend.split("{{").skip(1).map(|rest| rest.split_once("}}").unwrap().0) {
                let grouped = asked.labels.contains(label) || !expression.contains(" by ");
                assert!(grouped, "{legend} names {label}, which {expression} leaves out");
            }
            shown.extend(asked.metrics);
        }
    }
    let missing: Vec<_> =
        TABLE.iter().map(|metric| metric.name).filter(|name| !shown.iter().any(|shown| shown.starts_with(name))).collect();
    assert!(missing.is_empty(), "not on the dashboard: {missing:?}");
}

#[test]
fn every_alert_asks_for_what_is_exported_and_says_what_to_do() {
    let rules: Value = serde_saphyr::from_str(&read("deploy/prometheus/alerts.yml")).unwrap();
    let headings = read("docs/deploying.md");
    let groups = rules["groups"].as_array().unwrap();
    let alerts: Vec<&Value> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(alerts.len() >= 13, "{}", alerts.len());
    for alert in alerts {
        let name = alert["alert"].as_str().unwrap();
        let expression = alert["expr"].as_str().unwrap();
        Asked::by(expression).is_exported(expression);
        assert!(["page", "ticket"].contains(&alert["labels"]["severity"].as_str().unwrap()), "{name}");
        assert!(alert["annotations"]["summary"].as_str().is_some_and(|text| text.len() > 10), "{name}");
        assert_eq!(alert["annotations"]["runbook"], format!("docs/deploying.md#{}", name.to_lowercase()));
        assert!(headings.lines().any(|line| line == format!("### {name}")), "docs/deploying.md has no heading ### {name}");
    }
    let prometheus: Value = serde_saphyr::from_str(&read("deploy/prometheus/prometheus.yml")).unwrap();
    assert_eq!(prometheus["rule_files"][0], "alerts.yml");
}
