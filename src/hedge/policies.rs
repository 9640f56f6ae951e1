use std::sync::Arc;

use http::{HeaderName, Uri};

use super::layer::HedgeLayer;
use super::settings::Policy;
use crate::budget::Budget;
use crate::classify::Classify;

impl<C, L> HedgeLayer<C, L> {
    /// Hedges only requests that have a policy. The throttle counts their attempts. Each hedge has the header
    /// `count_header`, which contains the number of previous attempts.
    pub(crate) fn by_policies<D: Classify>(
        self,
        classify: D,
        policies: impl Fn(&Uri) -> Option<Policy> + Send + Sync + 'static,
        throttle: Option<Budget>,
        count_header: HeaderName,
    ) -> HedgeLayer<D, L> {
        self.classify(classify).with(|settings| {
            settings.policies = Some(Arc::new(policies));
            settings.throttle = throttle;
            settings.count_header = Some(count_header);
        })
    }
}
