use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use super::body::HedgeBody;
use super::losers::{DropLosers, Losers};
use super::race::{By, Failed, Race};
use super::watch::Watch;
use crate::class::Class;
use crate::classify::Classify;
use crate::error::BoxError;
use crate::timer::{poll_timer, sleep_since};

pin_project! {
    /// Response future of [`Hedge`](super::Hedge).
    ///
    /// Dropping it drops all attempts. No request is sent afterwards, and no task or timer remains.
    ///
    /// # Panics
    ///
    /// Panics when polled again after it has completed. Panics when polled outside a tokio runtime with time
    /// enabled, if it has to wait until a hedge is due.
    pub struct HedgeFuture<S, C, B, L = DropLosers>
    where
        S: Service<Request<HedgeBody<B>>>,
        L: Losers<S::Future>,
    {
        #[pin]
        first: Option<L::Call>,
        losers: L,
        // `None` for a request that is sent only once, and after completion.
        watch: Option<Watch<S, C, B>>,
        // Runs until the next hedge is due.
        #[pin]
        timer: Option<Sleep>,
        race: Option<Box<Race<L::Call, S::Response>>>,
    }

    impl<S, C, B, L> PinnedDrop for HedgeFuture<S, C, B, L>
    where
        S: Service<Request<HedgeBody<B>>>,
        L: Losers<S::Future>,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(watch) = this.watch {
                if this.first.is_some() {
                    watch.cut();
                }
                watch.compare();
            }
        }
    }
}

impl<S, C, B, L> HedgeFuture<S, C, B, L>
where
    S: Service<Request<HedgeBody<B>>>,
    L: Losers<S::Future>,
{
    // Always inlined, like its parts, so that it is built in place.
    #[inline(always)]
    pub(super) fn new(first: S::Future, losers: L, watch: Option<Watch<S, C, B>>) -> Self {
        Self {
            first: Some(losers.start(first)),
            losers,
            watch,
            timer: None,
            race: None,
        }
    }
}

/// An attempt and its outcome.
type Ended<R> = (By, Result<Response<R>, BoxError>);

impl<S, C, B, R, L> Future for HedgeFuture<S, C, B, L>
where
    S: Service<Request<HedgeBody<B>>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    C: Classify,
    B: Body,
    B::Error: Into<BoxError>,
    R: Body,
    L: Losers<S::Future>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().poll_attempts(cx) {
                Poll::Ready(Some((by, outcome))) => {
                    if let Some(outcome) = self.as_mut().settle(by, outcome, cx) {
                        return Poll::Ready(outcome);
                    }
                    continue;
                }
                Poll::Ready(None) | Poll::Pending => {}
            }
            ready!(self.as_mut().poll_due(cx));
            let mut this = self.as_mut().project();
            let watch = this.watch.as_mut().expect("waited for its hedge");
            this.timer.set(None);
            if let Some(hedge) = watch.hedge(cx) {
                let hedge = this.losers.start(hedge);
                this.race
                    .get_or_insert_with(|| Box::new(Race::new()))
                    .send(hedge);
            } else if this.first.is_none() {
                if let Some(outcome) = self.as_mut().give_up(cx) {
                    return Poll::Ready(outcome);
                }
            }
        }
    }
}

impl<S, C, B, R, L> HedgeFuture<S, C, B, L>
where
    S: Service<Request<HedgeBody<B>>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    C: Classify,
    B: Body,
    B::Error: Into<BoxError>,
    R: Body,
    L: Losers<S::Future>,
{
    /// Polls the attempts for an outcome. `None` if no attempt is in flight. If both complete at the same
    /// time, the first attempt's outcome is returned.
    #[inline]
    fn poll_attempts(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Ended<R>>> {
        let mut this = self.project();
        let mut polled = Poll::Ready(None);
        if let Some(first) = this.first.as_mut().as_pin_mut() {
            if let Poll::Ready(outcome) = first.poll(cx) {
                this.first.set(None);
                return Poll::Ready(Some((By::First, outcome.map_err(Into::into))));
            }
            polled = Poll::Pending;
        }
        if let Some(race) = this.race {
            match race.poll_hedges(cx) {
                Poll::Ready(Some(outcome)) => {
                    return Poll::Ready(Some((By::Hedge, outcome.map_err(Into::into))));
                }
                Poll::Ready(None) => {}
                Poll::Pending => polled = Poll::Pending,
            }
        }
        polled
    }

    /// Waits until the next hedge is due, or for ever if there is none.
    #[inline]
    fn poll_due(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let next = this.watch.as_ref().and_then(Watch::next);
        match next {
            None if this.first.is_none() && this.race.is_none() => {
                panic!("`HedgeFuture` polled after completion")
            }
            None => Poll::Pending,
            Some((_, delay)) if delay.is_zero() => Poll::Ready(()),
            Some((since, delay)) => poll_timer(this.timer, || sleep_since(since, delay), cx),
        }
    }

    /// Handles the outcome of an attempt. Returns the outcome of the request if it ends. An error of a hedge
    /// does not end it, even if it is permanent: it can come from a layer below that rejects only the hedge,
    /// such as a load shedder.
    #[inline]
    fn settle(
        mut self: Pin<&mut Self>,
        by: By,
        outcome: Result<Response<R>, BoxError>,
        cx: &mut Context<'_>,
    ) -> Option<Result<Response<R>, BoxError>> {
        let this = self.as_mut().project();
        let Some(watch) = this.watch else {
            return Some(outcome);
        };
        let verdict = watch.classify(&outcome);
        watch.hear(by, verdict, &outcome);
        let is_final = match verdict.class {
            Class::Success => true,
            Class::Permanent => outcome.is_ok() || by == By::First || watch.is_given(),
            Class::Transient | Class::Refused => false,
        };
        if is_final {
            return Some(self.end(by, false, outcome, cx));
        }
        let class = verdict.class;
        let follows = watch.advance(verdict, &outcome);
        if follows {
            // The time of the next hedge has changed.
            self.as_mut().project().timer.set(None);
        }
        let this = self.as_mut().project();
        if this.race.is_none() && !follows {
            return Some(self.end(by, true, outcome, cx));
        }
        let race = this.race.get_or_insert_with(|| Box::new(Race::new()));
        race.keep(Failed { by, class, outcome });
        match this.first.is_some() || race.is_running() || follows {
            true => None,
            false => self.give_up(cx),
        }
    }

    /// Ends the request with a failure that was kept, unless a hedge is in flight.
    fn give_up(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Option<Result<Response<R>, BoxError>> {
        let race = self.as_mut().project().race.as_mut()?;
        if race.is_running() {
            return None;
        }
        let Failed { by, outcome, .. } = race.take_failed()?;
        Some(self.end(by, true, outcome, cx))
    }

    /// Ends the request, and drops or keeps the other attempts.
    #[inline]
    fn end(
        self: Pin<&mut Self>,
        by: By,
        all_failed: bool,
        mut outcome: Result<Response<R>, BoxError>,
        cx: &mut Context<'_>,
    ) -> Result<Response<R>, BoxError> {
        let mut this = self.project();
        let Some(watch) = this.watch else {
            return outcome;
        };
        watch.commit_body();
        if let Some(first) = this.first.as_mut().as_pin_mut() {
            watch.cut();
            this.losers.let_go(first);
            this.first.set(None);
        }
        if let Some(race) = this.race.take() {
            for mut hedge in race.end(cx) {
                this.losers.let_go(hedge.as_mut());
            }
        }
        if this.timer.is_some() {
            this.timer.set(None);
        }
        if let (Some(hedged), Ok(response)) = (watch.end(by, all_failed), &mut outcome) {
            response.extensions_mut().insert(hedged);
        }
        *this.watch = None;
        outcome
    }
}

impl<S, C, B, L> fmt::Debug for HedgeFuture<S, C, B, L>
where
    S: Service<Request<HedgeBody<B>>>,
    L: Losers<S::Future>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgeFuture").finish_non_exhaustive()
    }
}
