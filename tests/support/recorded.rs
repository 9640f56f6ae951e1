//! The metrics that were recorded.

use std::collections::BTreeMap;

use metrics::Label;
use metrics_util::debugging::{DebugValue, Snapshotter};

/// All recorded metrics by name and labels. The names are without the crate's name.
pub type Recorded = BTreeMap<String, DebugValue>;

/// Returns the metrics that were recorded on this thread.
pub fn recorded(snapshotter: &Snapshotter) -> Recorded {
    let metrics = snapshotter.snapshot().into_vec().into_iter();
    let metrics = metrics.map(|(key, _, _, value)| {
        let (name, labels) = key.key().clone().into_parts();
        let labels: Vec<_> = labels.iter().map(Label::value).collect();
        let name = name.as_str().strip_prefix("tower_http_retry_").unwrap();
        (
            format!("{name} {}", labels.join(" ")).trim_end().to_owned(),
            value,
        )
    });
    metrics.collect()
}
