use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::settings::SameBody;

pin_project! {
    #[project = StepProj]
    #[project_replace = StepOwned]
    /// The steps of an attempt that is verified.
    pub(super) enum Step<F, T, K> {
        Probing {
            #[pin]
            probe: F,
        },
        // The content of the item that was found is read.
        Comparing {
            found: K,
            same: SameBody,
        },
        Readying,
        Sent {
            #[pin]
            attempt: F,
        },
        // The operation's own response is read.
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
