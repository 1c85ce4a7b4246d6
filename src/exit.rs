//! The exit-code table.

use pagewarden_core::model::Severity;

/// How the program ended; see the table in the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done.
    Done,
    /// Done, and the highest new finding at or above `--fail-on` is of this severity.
    Found(Severity),
    /// Could not do all of it.
    Incomplete,
    /// Usage or config error; nothing was started.
    Usage,
    /// Interrupted before it was done.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Incomplete => 1,
            Self::Usage => 2,
            Self::Found(Severity::Low) => 10,
            Self::Found(Severity::Medium) => 11,
            Self::Found(Severity::High) => 12,
            Self::Found(Severity::Critical) => 13,
            Self::Interrupted => 130,
        }
    }
}
