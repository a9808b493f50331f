//! What a service told when it was scraped.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::StatusCode;
use service_kit::metrics::{Kind, Metric};

use crate::client::Client;

type Labels = BTreeMap<String, String>;

/// What was told.
#[derive(Debug)]
pub struct Scraped {
    kinds: BTreeMap<String, String>,
    samples: Vec<(String, Labels, f64)>,
}

impl Scraped {
    /// Asks an admin listener.
    pub async fn of(client: &Client, admin_url: &str) -> Self {
        let answer = client.get(&format!("{admin_url}/metrics")).await.expect(StatusCode::OK);
        assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4");
        Self::read(answer.body.as_str().unwrap())
    }

    fn read(text: &str) -> Self {
        let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(sample);
        Self { kinds: kinds.map(|(name, kind)| (name.into(), kind.into())).collect(), samples: samples.collect() }
    }

    /// Whether there is such a metric.
    pub fn has(&self, name: &str) -> bool {
        self.kinds.contains_key(name)
    }

    /// The value of the one series with just these labels.
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect::<Labels>();
        let found = self.samples.iter().find(|(of, theirs, _)| of == name && *theirs == labels);
        found.unwrap_or_else(|| panic!("no {name} {labels:?} in {self:#?}")).2
    }

    /// Of all series with at least these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let is = |theirs: &Labels| labels.iter().all(|(label, value)| theirs.get(*label).is_some_and(|their| their == value));
        self.samples.iter().filter(|(of, theirs, _)| of == name && is(theirs)).map(|(.., value)| value).sum()
    }

    /// Just these metrics, of these kinds, with these labels.
    pub fn are(&self, table: &[Metric]) {
        let told: BTreeSet<&str> = self.kinds.keys().map(String::as_str).collect();
        assert_eq!(told, table.iter().map(|metric| metric.name).collect());
        for metric in table {
            let (kind, suffixes): (_, &[&str]) = match metric.kind {
                Kind::Counter => ("counter", &[""]),
                Kind::Gauge => ("gauge", &[""]),
                Kind::Histogram(_) => ("histogram", &["_bucket", "_sum", "_count"]),
            };
            assert_eq!(self.kinds[metric.name], kind, "{}", metric.name);
            let wished: BTreeSet<&str> = metric.labels.iter().copied().collect();
            for name in suffixes.iter().map(|suffix| format!("{}{suffix}", metric.name)) {
                let series: Vec<_> = self.samples.iter().filter(|(of, ..)| *of == name).collect();
                assert!(!series.is_empty(), "no series of {name}");
                for (_, labels, _) in series {
                    let labels: BTreeSet<&str> = labels.keys().map(String::as_str).filter(|label| *label != "le").collect();
                    assert_eq!(labels, wished, "{name}");
                }
            }
        }
    }
}

/// `name{label="value",…} 1.5`
fn sample(line: &str) -> (String, Labels, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}').unwrap().split(',').filter(|label| !label.is_empty());
    let label = |label: &str| {
        let (label, value) = label.split_once('=').unwrap();
        (label.to_owned(), value.trim_matches('"').to_owned())
    };
    (name.to_owned(), labels.map(label).collect(), value.parse().unwrap())
}
