use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Response;
use http_body::Body;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::drain::{DRAINED_BYTES, Leftover};

/// Decides what happens to an attempt that did not win.
///
/// This trait is sealed. It is implemented by [`DropLosers`] and [`KeepLosers`], one of which is part of the
/// type of a [`HedgeLayer`](crate::HedgeLayer).
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use tower_http_retry::HedgeLayer;
/// use tower_http_retry::classify::ByStatus;
/// use tower_http_retry::hedge::{DropLosers, KeepLosers};
///
/// let layer: HedgeLayer<ByStatus, DropLosers> = HedgeLayer::new();
/// let layer: HedgeLayer<ByStatus, KeepLosers> = layer.keep_losers(Duration::from_secs(1));
/// # let _ = layer;
/// ```
pub trait Losers<F: Future>: Clone + sealed::Sealed {
    /// The future of an attempt.
    type Call: Future<Output = F::Output>;

    #[doc(hidden)]
    fn start(&self, call: F) -> Self::Call;

    #[doc(hidden)]
    fn let_go(&self, call: Pin<&mut Self::Call>);
}

mod sealed {
    pub trait Sealed {}
}

/// Immediately drops an attempt that did not win. This is the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct DropLosers;

impl sealed::Sealed for DropLosers {}

impl<F: Future> Losers<F> for DropLosers {
    type Call = F;

    fn start(&self, call: F) -> F {
        call
    }

    fn let_go(&self, _: Pin<&mut F>) {}
}

/// Continues an attempt that did not win in a separate task, for a limited time.
///
/// Set by [`HedgeLayer::keep_losers`](crate::HedgeLayer::keep_losers).
#[derive(Clone, Copy, Debug)]
pub struct KeepLosers {
    pub(super) time: Duration,
}

impl sealed::Sealed for KeepLosers {}

impl<F, R, E> Losers<F> for KeepLosers
where
    F: Future<Output = Result<Response<R>, E>> + Send + 'static,
    R: Body + Send,
    E: Send,
{
    type Call = KeptCall<F>;

    fn start(&self, call: F) -> KeptCall<F> {
        KeptCall {
            call: Some(Box::pin(call)),
        }
    }

    fn let_go(&self, call: Pin<&mut KeptCall<F>>) {
        let (Some(call), Ok(runtime)) = (call.get_mut().call.take(), Handle::try_current()) else {
            return;
        };
        // The response is drained, so that the connection can be reused.
        let finish = async {
            let Ok(response) = call.await else {
                return;
            };
            let (_, body) = response.into_parts();
            if let Some(leftover) = Leftover::of(body, DRAINED_BYTES, |body| body) {
                let mut leftover = pin!(leftover);
                poll_fn(|cx| leftover.as_mut().poll_drained(cx)).await;
            }
        };
        let time = self.time;
        runtime.spawn(async move { timeout(time, finish).await });
    }
}

/// Future of an attempt that continues if it does not win. Used by [`KeepLosers`].
pub struct KeptCall<F> {
    call: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for KeptCall<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match &mut self.get_mut().call {
            Some(call) => call.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<F> fmt::Debug for KeptCall<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptCall").finish_non_exhaustive()
    }
}
