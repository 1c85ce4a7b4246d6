//! How many instructions an event costs, counted by callgrind.

use std::path::Path;

use crate::child::Work;
use crate::table::{decimal, say};
use crate::{Asked, Done, Tenant, again};

/// How many events are read at most: callgrind makes everything some fifty times slower.
const MOST_EVENTS: u32 = 40_000;

/// Counts each kind of work with so many events and with twice as many. What the second half costs is the price of an
/// event, free of what it costs to start.
pub(crate) fn count(asked: &Asked) -> Done {
    let runtime = tokio::runtime::Runtime::new()?;
    let within = runtime.enter();
    let events = asked.events.min(MOST_EVENTS);
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    let [one, two] = &folders;
    let half = Tenant::new(asked, events, one.path())?;
    let whole = Tenant::new(asked, events * 2, two.path())?;
    let more = whole.events.saturating_sub(half.events);
    say(&format!(
        "instructions under callgrind: {} records, and {more} more\n\n{:<24} {:>12} {:>7}",
        half.events, "", "per event", "ratio"
    ))?;
    let mut floor = None;
    for work in [Work::Floor, Work::Backfill, Work::Import] {
        let [half, whole] = [one, two].map(|folder| counted(work, folder.path()));
        let instructions = whole?.saturating_sub(half?);
        let least = *floor.get_or_insert(instructions);
        say(&format!(
            "{:<24} {:>12} {:>7}",
            work.name(),
            instructions / more.max(1),
            decimal(instructions, least, 2)
        ))?;
    }
    drop(within);
    Ok(())
}

/// The instructions of one run.
fn counted(work: Work, folder: &Path) -> Done<u64> {
    let out = folder.join("callgrind");
    let out = out.to_str().ok_or("the path of the folder is not text")?;
    let to = format!("--callgrind-out-file={out}");
    again(
        &["valgrind", "--tool=callgrind", "--quiet", &to],
        work,
        folder,
    )?;
    let text = std::fs::read_to_string(out)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or("callgrind counted nothing")?.trim().parse()?)
}
