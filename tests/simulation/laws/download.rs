//! The laws of a download with all its requests.

use std::time::Duration;

use super::super::answer::How;
use super::super::ask::Ask;
use super::super::file::File;
use super::super::journal::{Begun, Condition, Downloaded, End, Entry, Resumed, What};
use super::super::plan::Plan;
use super::super::policy::Resume;
use super::{Held, Law, ROUNDING, verdict};

/// An attempt makes progress if it delivers this many new bytes, or new data over this time.
const PROGRESS_BYTES: u64 = 64 * 1024;
const PROGRESS_TIME: Duration = Duration::from_secs(1);

/// Each law is about a request together with its resumptions.
pub const LAWS: [Law; 7] = [
    Law {
        says: "nothing is resumed but a download that may be",
        holds: only_what_may_be,
    },
    Law {
        says: "a download's bytes are those of one version that a server had",
        holds: |plan, ask, entries| over(plan, ask, entries, is_of_one_version),
    },
    Law {
        says: "a download that ends without an error is whole",
        holds: |plan, ask, entries| over(plan, ask, entries, is_whole),
    },
    Law {
        says: "the error of a download says what was delivered",
        holds: |plan, ask, entries| over(plan, ask, entries, says_what_was_delivered),
    },
    Law {
        says: "a resumption asks for the rest of the same version",
        holds: |plan, ask, entries| over(plan, ask, entries, asks_for_the_rest),
    },
    Law {
        says: "resumptions never exceed the limit, and none starts after the window",
        holds: |plan, ask, entries| over(plan, ask, entries, within_the_limits),
    },
    Law {
        says: "a download goes on until its resumptions are used up",
        holds: |plan, ask, entries| over(plan, ask, entries, goes_on),
    },
];

/// A download, from its first response on.
pub struct Course<'a> {
    plan: &'a Plan,
    file: &'a File,
    entries: &'a [Entry],
    at: Duration,
    pub begun: Begun,
    /// `None` if the run ended before.
    pub downloaded: Option<Downloaded>,
}

impl<'a> Course<'a> {
    pub fn of(plan: &'a Plan, ask: &'a Ask, entries: &'a [Entry]) -> Option<Self> {
        let (at, begun) = entries.iter().find_map(|entry| match entry.what {
            What::Begun(begun) => Some((entry.at, begun)),
            _ => None,
        })?;
        let downloaded = entries.iter().find_map(|entry| match entry.what {
            What::Downloaded(downloaded) => Some(downloaded),
            _ => None,
        });
        Some(Self {
            plan,
            file: ask.file.as_ref()?,
            entries,
            at,
            begun,
            downloaded,
        })
    }

    /// Returns the settings of the resume layer, if there is one and it has to resume this download.
    fn resume(&self) -> Option<Resume> {
        // A part without `Content-Length` may have been decompressed by a layer below. The resume layer only
        // resumes it if its body has a known size.
        self.may_resume().filter(|_| self.begun.has_length)
    }

    /// Returns the settings of the resume layer, if there is one and it may resume this download.
    fn may_resume(&self) -> Option<Resume> {
        let resume = self.plan.policy.resume?;
        let is_known = self.begun.promised > Some(0);
        let is_sure = self.file.validator.is_strong() || resume.verify_prefix.is_some();
        (is_known && is_sure && !self.file.is_event_stream).then_some(resume)
    }

    pub fn resumed(&self) -> impl Iterator<Item = (Duration, Resumed)> {
        self.entries.iter().filter_map(|entry| match entry.what {
            What::Resumed(resumed) => Some((entry.at, resumed)),
            _ => None,
        })
    }

    /// Returns a bit for each version with which a server responded.
    pub fn served(&self) -> u32 {
        let served = self.entries.iter().filter_map(|entry| match entry.what {
            What::Served { version } => Some(1 << version),
            _ => None,
        });
        served.fold(0, |served, version| served | version)
    }

    /// Returns a bit for each version that the caller may get.
    fn versions(&self) -> u32 {
        match self.resume().and_then(|resume| resume.verify_prefix) {
            // A later version that begins with the delivered bytes is also correct.
            Some(_) => self.served(),
            None => self.served() & 1 << self.begun.version,
        }
    }
}

fn over(plan: &Plan, ask: &Ask, entries: &[Entry], holds: fn(&Course<'_>) -> Held) -> Held {
    Course::of(plan, ask, entries).map_or(Ok(()), |course| holds(&course))
}

fn is_of_one_version(course: &Course<'_>) -> Held {
    let Some(downloaded) = course.downloaded else {
        return Err("it did not end".into());
    };
    let versions = course.versions();
    verdict(downloaded.versions & versions != 0, || {
        format!("{downloaded:?}, not {versions:#b}")
    })
}

fn is_whole(course: &Course<'_>) -> Held {
    let (Some(downloaded), Some(promised)) = (course.downloaded, course.begun.promised) else {
        return Ok(());
    };
    let is_resumed = course.resume().is_some();
    let holds = match downloaded.end {
        End::Ended => {
            let may_be_short = !is_resumed && is_cut_silently(course);
            downloaded.bytes == promised || may_be_short
        }
        End::Left | End::Error | End::Unresumed { .. } => true,
    };
    verdict(holds, || format!("{downloaded:?} of {promised}"))
}

/// Whether the server cuts off the response in a way that hyper takes for the end. After a reset with
/// `NO_ERROR`, hyper does so in spite of a `Content-Length`.
fn is_cut_silently(course: &Course<'_>) -> bool {
    let response = course.entries.iter().find_map(|entry| match entry.what {
        What::Response { attempt, .. } => Some((entry.id, attempt)),
        _ => None,
    });
    let cut = response.and_then(|(id, attempt)| course.plan.last_answer(id, attempt).cut);
    match cut.map(|cut| cut.how) {
        Some(How::Short) => !course.begun.has_length,
        how => how.is_some_and(How::is_silent),
    }
}

fn says_what_was_delivered(course: &Course<'_>) -> Held {
    let Some(downloaded) = course.downloaded else {
        return Ok(());
    };
    let holds = match downloaded.end {
        End::Unresumed {
            delivered,
            expected,
            ..
        } => (delivered, Some(expected)) == (downloaded.bytes, course.begun.promised),
        End::Error => course.resume().is_none(),
        End::Ended | End::Left => true,
    };
    verdict(holds, || format!("{downloaded:?} of {:?}", course.begun))
}

fn asks_for_the_rest(course: &Course<'_>) -> Held {
    let (begun, file) = (course.begun, course.file);
    let versions = course.versions();
    for (_, resumed) in course.resumed() {
        let holds = if file.validator.is_strong() {
            let (first, promised) = (begun.first, begun.promised.unwrap_or_default());
            let rest = (first + resumed.had, first + promised - 1);
            let is_of = |version: u32| versions & 1 << version != 0;
            resumed.range == Some(rest)
                && matches!(resumed.condition, Condition::Version(version) if is_of(version))
        } else {
            (resumed.range, resumed.condition) == (file.asked, Condition::None)
        };
        verdict(holds && resumed.is_same, || {
            format!("{resumed:?} of {begun:?}")
        })?;
    }
    Ok(())
}

fn only_what_may_be(plan: &Plan, ask: &Ask, entries: &[Entry]) -> Held {
    let may_be = Course::of(plan, ask, entries).is_some_and(|course| course.may_resume().is_some());
    let resumed = entries
        .iter()
        .find(|entry| matches!(entry.what, What::Resumed(_)));
    verdict(may_be || resumed.is_none(), || format!("{resumed:?}"))
}

fn within_the_limits(course: &Course<'_>) -> Held {
    let Some(resume) = course.resume() else {
        return Ok(());
    };
    let resumed: Vec<_> = course.resumed().collect();
    let most = resume.max_resumes as usize + 1;
    for vain in resumed.windows(most) {
        let ((from, first), (until, last)) = (vain[0], vain[most - 1]);
        let progress = last.had - first.had;
        let may_be = progress >= PROGRESS_BYTES || until - from >= PROGRESS_TIME;
        verdict(may_be, || {
            format!("{most} resumptions for {progress} bytes")
        })?;
    }
    // With a concurrency limit, a resumption may have to wait longer for a permit.
    let window = resume
        .window
        .filter(|_| course.plan.policy.concurrency.is_none());
    let late = resumed
        .iter()
        .find(|(at, _)| window.is_some_and(|window| *at - course.at > window + ROUNDING));
    verdict(late.is_none(), || format!("{late:?}, not {window:?}"))
}

fn goes_on(course: &Course<'_>) -> Held {
    let (Some(resume), Some(downloaded)) = (course.resume(), course.downloaded) else {
        return Ok(());
    };
    let End::Unresumed { why: None, .. } = downloaded.end else {
        return Ok(());
    };
    // A resumption that fails ends the download.
    let failed = course
        .entries
        .iter()
        .any(|entry| matches!(entry.what, What::Error { .. }));
    let resumed = course.resumed().count();
    let is_used_up = resumed >= resume.max_resumes as usize || resume.window.is_some();
    let may_compare_no_more = !course.file.validator.is_strong();
    verdict(failed || is_used_up || may_compare_no_more, || {
        format!("{resumed} resumptions, and {downloaded:?}")
    })
}
