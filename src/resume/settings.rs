use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::resumption::Resumption;
use crate::backoff::Backoff;
use crate::headers::KnownNames;
use crate::settings::JitterSource;

type Listener = Arc<dyn Fn(&Resumption<'_>) + Send + Sync>;

/// The listeners of enabled features.
const FEATURES: &[fn(&Resumption<'_>)] = &[
    #[cfg(feature = "tracing")]
    super::trace::retell,
];

/// The settings of a layer.
pub(super) struct Settings<C> {
    pub(super) classify: Arc<C>,
    pub(super) limits: Limits,
    pub(super) jitter: JitterSource,
    pub(super) listeners: Vec<Listener>,
    pub(super) known_names: Arc<KnownNames>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_resumes: u32,
    pub(super) window: Duration,
    pub(super) backoff: Backoff,
    pub(super) idle_timeout: Duration,
    pub(super) skip_limit: u64,
    pub(super) verify_prefix: Option<u64>,
}

impl<C> Settings<C> {
    pub(super) fn with_classifier<D>(self, classify: D) -> Settings<D> {
        Settings {
            classify: Arc::new(classify),
            limits: self.limits,
            jitter: self.jitter,
            listeners: self.listeners,
            known_names: self.known_names,
        }
    }

    pub(super) fn tell(&self, resumption: &Resumption<'_>) {
        for listener in &self.listeners {
            listener(resumption);
        }
        for retell in FEATURES {
            retell(resumption);
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_resumes: 5,
            window: Duration::MAX,
            backoff: Backoff::default(),
            idle_timeout: Duration::MAX,
            skip_limit: 1024 * 1024,
            verify_prefix: None,
        }
    }
}

impl<C> Clone for Settings<C> {
    fn clone(&self) -> Self {
        Self {
            classify: self.classify.clone(),
            limits: self.limits,
            jitter: self.jitter.clone(),
            listeners: self.listeners.clone(),
            known_names: self.known_names.clone(),
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for Settings<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("classify", &self.classify)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
