use super::{Due, Watch};
use crate::hedge::race::By;
use crate::hedge::settings::Plan;
use crate::hedge_event::{HedgeEvent, HedgeEventKind, Hedged};

/// Events and metrics.
impl<S, C, B> Watch<S, C, B> {
    /// Ends the request. `all_failed` is true if all attempts failed.
    pub(in crate::hedge) fn end(&mut self, by: By, all_failed: bool) -> Option<Hedged> {
        let saved = self.compare();
        if self.sent == 0 {
            return None;
        }
        let kind = match by {
            _ if all_failed => HedgeEventKind::Failed,
            By::First => HedgeEventKind::Lost,
            By::Hedge => HedgeEventKind::Won,
        };
        self.tell(kind, saved);
        let (sent, won) = (self.sent, by == By::Hedge);
        let marks = self.shared.settings.marks_responses;
        marks.then_some(Hedged { sent, won })
    }

    /// Counts a first attempt that is cut.
    pub(in crate::hedge) fn cut(&self) {
        if self.plan == Plan::Learned {
            let so_far = self.started.elapsed();
            self.shared
                .at(&self.head.uri, |learned| learned.cut(so_far));
        }
    }

    /// Compares the time since a hedge was due with that of other requests.
    pub(in crate::hedge) fn compare(&mut self) -> Option<f64> {
        let Due { group, at, within } = self.due.take()?;
        let took = at.elapsed().min(within);
        self.shared
            .at(&self.head.uri, |learned| learned.compare(group, took))
    }

    pub(super) fn tell(&self, kind: HedgeEventKind, saved: Option<f64>) {
        self.shared.settings.tell(&HedgeEvent {
            request: self.head.head(&self.shared.settings.known_names),
            kind,
            elapsed: self.started.elapsed(),
            sent: self.sent,
            transparent: self.transparent,
            saved,
        });
    }
}
