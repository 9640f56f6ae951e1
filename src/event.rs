use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, Method, StatusCode, Uri};
use tokio::time::Instant;

use crate::budget::Budget;
use crate::classify::Class;

mod step;

pub use step::{Reason, Step, Stop};

/// One step of a request, told as it happens to [`RetryLayer::on_event`] and, with feature
/// `tracing`, as a tracing event: a retry at level `DEBUG`, a stop with a failure at `WARN` (but a
/// first attempt that is permanent, such as a 404, is not told there: nothing was retried). Feature
/// `metrics` counts all of them.
///
/// A request is told as `Sent`, then any number of times as `Retry` and `Sent`, then as `Stop`
/// (never, if its caller drops the future). A retry that cannot be sent after its wait is told as
/// `Retry` and `Stop`, the latter with what the caller is handed instead. The URL's query and user
/// info are not told: secrets stand there.
///
/// # Example
///
/// ```
/// use tower_http_retry::{RetryLayer, Step};
///
/// let layer = RetryLayer::new().on_event(|event| match event.step() {
///     Step::Retry { after, reason } => {
///         let status = event.status().map_or(0, |status| status.as_u16());
///         println!("attempt {}: {status}; again in {after:?}: {reason}", event.attempt());
///     }
///     Step::Stop(stop) => println!("{} {}: {stop}", event.method(), event.host()),
///     _ => {}
/// });
/// # let _ = layer;
/// ```
///
/// [`RetryLayer::on_event`]: crate::RetryLayer::on_event
pub struct Event<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) extensions: &'a Extensions,
    pub(crate) attempt: u32,
    pub(crate) started: Instant,
    pub(crate) attempt_started: Instant,
    pub(crate) waited: Duration,
    pub(crate) class: Option<Class>,
    pub(crate) timed_out: bool,
    pub(crate) outcome: Option<Told<'a>>,
    pub(crate) budget: Option<&'a Budget>,
    pub(crate) step: Step,
}

impl<'a> Event<'a> {
    /// What happened.
    pub fn step(&self) -> Step {
        self.step
    }

    /// The request's method.
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// The host that the request is for; empty where its URI has none.
    pub fn host(&self) -> &'a str {
        self.uri.host().unwrap_or_default()
    }

    /// The port that the request is for, where its URI names one.
    pub fn port(&self) -> Option<u16> {
        self.uri.port_u16()
    }

    /// The URI's path, without the query.
    pub fn path(&self) -> &'a str {
        self.uri.path()
    }

    /// The extensions of the caller's request: what ties the steps of one request together.
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    /// The number of the attempt that this is about; the first is 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The time since the first attempt's start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The time since this attempt's start.
    pub fn attempt_elapsed(&self) -> Duration {
        self.attempt_started.elapsed()
    }

    /// What the classifier said of the attempt's outcome; none while there is no outcome, and for a
    /// retry that could not be sent.
    pub fn class(&self) -> Option<Class> {
        self.class
    }

    /// Whether the attempt's outcome was a time-out.
    pub fn is_timed_out(&self) -> bool {
        self.timed_out
    }

    /// The status of the attempt's response, where it had one.
    pub fn status(&self) -> Option<StatusCode> {
        self.outcome?.ok()
    }

    /// The attempt's error, where it had one; or the one that tells why a retry could not be sent.
    pub fn error(&self) -> Option<&'a (dyn Error + Send + Sync + 'static)> {
        self.outcome?.err()
    }

    /// What failed, in a word, as OpenTelemetry's `error.type` has it: the response's status, from
    /// 400 on; `timeout` or `refused`, if the error was that; else `_OTHER`, as for gRPC's errors in
    /// a 200. None after a success, and while there is no outcome.
    ///
    /// ```
    /// use tower_http_retry::RetryLayer;
    ///
    /// let layer = RetryLayer::new().on_event(|event| {
    ///     if let Some(error_type) = event.error_type() {
    ///         println!("attempt {} failed: {error_type}", event.attempt());
    ///     }
    /// });
    /// # let _ = layer;
    /// ```
    pub fn error_type(&self) -> Option<&str> {
        if self.step == Step::Stop(Stop::Success) {
            return None;
        }
        Some(match self.outcome.as_ref()? {
            Ok(status) if status.as_u16() >= 400 => status.as_str(),
            Err(_) if self.timed_out => "timeout",
            Err(_) if self.class == Some(Class::Refused) => "refused",
            Ok(_) | Err(_) => "_OTHER",
        })
    }

    /// How long was waited between the attempts, in sum, with the wait that follows this step.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// What is left in the budget at this moment, in thousandths of a token, after this step's
    /// retry was paid for. None where there is no budget, or one that does not tell.
    pub fn budget(&self) -> Option<u64> {
        self.budget?.level_of(self.uri)
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("step", &self.step)
            .field("method", self.method)
            .field("host", &self.host())
            .field("attempt", &self.attempt)
            .field("class", &self.class)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// What is told of an outcome.
pub(crate) type Told<'a> = Result<StatusCode, &'a (dyn Error + Send + Sync + 'static)>;

type Listener = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// Whoever listens to a layer's events.
#[derive(Clone, Default)]
pub(crate) struct Listeners {
    own: Option<Listener>,
    /// Whether what is counted is counted for each upstream.
    pub(crate) by_authority: bool,
}

/// A feature that retells steps to whom it knows.
struct Retelling {
    /// Whether it hears of what is a matter of course, too.
    routine: bool,
    retell: fn(&Event<'_>, by_authority: bool),
}

const RETELLINGS: &[Retelling] = &[
    #[cfg(feature = "tracing")]
    Retelling {
        routine: false,
        retell: crate::trace::retell,
    },
    #[cfg(feature = "metrics")]
    Retelling {
        routine: true,
        retell: crate::metrics::retell,
    },
];

/// Found out beforehand, for each success asks for it.
const ROUTINE_IS_RETOLD: bool = {
    let mut is_retold = false;
    let mut feature = 0;
    while feature < RETELLINGS.len() {
        is_retold |= RETELLINGS[feature].routine;
        feature += 1;
    }
    is_retold
};

impl Listeners {
    /// Beside those there are, which hear of each step first.
    pub(crate) fn add(&mut self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) {
        self.own = Some(match self.own.take() {
            Some(earlier) => Arc::new(move |event: &Event<'_>| {
                earlier(event);
                listener(event);
            }),
            None => Arc::new(listener),
        });
    }

    /// Whether anyone hears of a step. Of a success nobody does, unless asked to.
    #[inline]
    pub(crate) fn hear(&self, step: Step) -> bool {
        // In this order: 17 instructions less than with the constant first.
        self.own.is_some() || ROUTINE_IS_RETOLD || !(step.is_routine() || RETELLINGS.is_empty())
    }

    /// Tells one step to all who hear of it.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        if let Some(own) = &self.own {
            own(event);
        }
        for feature in RETELLINGS {
            if feature.routine || !event.step.is_routine() {
                (feature.retell)(event, self.by_authority);
            }
        }
    }
}
