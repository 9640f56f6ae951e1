use std::fmt;

use super::{Cooldown, Scope};

impl Default for Cooldown {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Cooldown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.scope {
            Scope::All(_) => "for all",
            Scope::Each(_) => "per authority",
        };
        f.debug_struct("Cooldown")
            .field("kind", &kind)
            .field("max_hold", &self.max_hold)
            .field("max_waiting", &self.max_waiting)
            .field("longest", &self.longest)
            .finish_non_exhaustive()
    }
}
