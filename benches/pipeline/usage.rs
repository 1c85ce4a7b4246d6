//! What a process used, as Linux reports it under `/proc/self`.

use std::fmt::Write as _;
use std::path::Path;

use crate::Done;

/// How many ticks of CPU time a second has (`USER_HZ`, the same on every Linux).
const TICKS: u64 = 100;

/// What one piece of work used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Which piece.
    pub(crate) name: String,
    /// CPU time in user mode, in milliseconds.
    pub(crate) user: u64,
    /// CPU time in the kernel, in milliseconds.
    pub(crate) system: u64,
    /// The most memory that was resident up to its end, in KiB; none where the work keeps everything for its own sake.
    pub(crate) peak: Option<u64>,
    /// What was resident before any work, in KiB.
    pub(crate) before: u64,
}

/// Measures pieces of work one after the other.
pub(crate) struct Meter {
    figures: Vec<Figures>,
    user: u64,
    system: u64,
    before: u64,
}

impl Meter {
    /// Begins now.
    pub(crate) fn start() -> Done<Self> {
        let (user, system) = cpu()?;
        Ok(Self {
            figures: Vec::new(),
            user,
            system,
            before: memory("VmRSS:")?,
        })
    }

    /// Ends a piece of work and begins the next. `bounded` says whether its memory is meaningful.
    pub(crate) fn lap(&mut self, name: &str, bounded: bool) -> Done {
        let (user, system) = cpu()?;
        let peak = memory("VmHWM:")?;
        self.figures.push(Figures {
            name: name.to_owned(),
            user: user - self.user,
            system: system - self.system,
            peak: bounded.then_some(peak),
            before: self.before,
        });
        (self.user, self.system) = cpu()?;
        Ok(())
    }

    /// Begins anew, with nothing measured for what was done since the last lap.
    pub(crate) fn skip(&mut self) -> Done {
        (self.user, self.system) = cpu()?;
        Ok(())
    }

    /// Leaves the figures for whoever started this program.
    pub(crate) fn write(&self, path: &Path) -> Done {
        let mut text = String::new();
        for Figures {
            name,
            user,
            system,
            peak,
            before,
        } in &self.figures
        {
            let peak = peak.unwrap_or_default();
            writeln!(text, "{name}\t{user}\t{system}\t{peak}\t{before}")?;
        }
        Ok(std::fs::write(path, text)?)
    }
}

/// Reads what another process left.
pub(crate) fn read(path: &Path) -> Done<Vec<Figures>> {
    let text = std::fs::read_to_string(path)?;
    text.lines()
        .map(|line| {
            let mut words = line.split('\t');
            let name = words.next().unwrap_or_default().to_owned();
            let mut number = || -> Done<u64> { Ok(words.next().unwrap_or_default().parse()?) };
            Ok(Figures {
                name,
                user: number()?,
                system: number()?,
                peak: Some(number()?).filter(|peak| *peak > 0),
                before: number()?,
            })
        })
        .collect()
}

/// CPU time of all threads so far, in milliseconds: user and system.
fn cpu() -> Done<(u64, u64)> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name stands in brackets and may hold anything; the times are the 14th and 15th word.
    let (_, words) = stat.rsplit_once(')').ok_or("/proc/self/stat is odd")?;
    let mut words = words.split_whitespace().skip(11);
    let mut ms = || -> Done<u64> {
        let ticks: u64 = words.next().unwrap_or_default().parse()?;
        Ok(ticks * 1_000 / TICKS)
    };
    Ok((ms()?, ms()?))
}

/// A line of `/proc/self/status`, in KiB.
fn memory(name: &str) -> Done<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let word = line.and_then(|line| line.split_whitespace().next());
    Ok(word.ok_or("/proc/self/status is odd")?.parse()?)
}
