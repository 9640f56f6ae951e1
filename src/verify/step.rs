use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::settings::SameBody;

pin_project! {
    #[project = StepProj]
    #[project_replace = StepOwned]
    /// What an attempt that is verified is at.
    pub(super) enum Step<F, T, K> {
        Probing {
            #[pin]
            probe: F,
        },
        // The item that was found is read, to look at its content.
        Comparing {
            found: K,
            same: SameBody,
        },
        Readying,
        Sent {
            #[pin]
            attempt: F,
        },
        // The operation's own answer is read.
        Keeping {
            conflict: K,
            #[pin]
            timer: Option<Sleep>,
        },
        Emptying {
            answer: Option<T>,
        },
    }
}
