//! A log of who opened what when: read from CSV, put in order of time, numbered.
//!
//! A field may be quoted, and then run over the ends of some lines.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::ops::Range;
use std::path::Path;

use pagewarden_core::time::day_of;

use crate::Done;

/// How a file begins that is packed with gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Over how many lines a record may run: an odd quote in a bad line does not swallow the rest of the file.
const MOST_LINES: usize = 16;

/// One view of an item.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// When, in seconds since 1970.
    pub(crate) at: i64,
    /// The number of the reader.
    pub(crate) user: u32,
    /// The number of the item.
    pub(crate) item: u32,
    /// The place among the lines of the file.
    pub(crate) ordinal: u64,
}

/// A log in order of time. Readers and items are numbered in the order in which they first appear.
#[derive(Debug)]
pub(crate) struct Log {
    /// The name of the file.
    pub(crate) name: String,
    /// All views, by time, then by place in the file.
    pub(crate) events: Vec<Event>,
    /// The names of the readers, by number.
    pub(crate) users: Vec<String>,
    /// The day on which each item was first opened, by number: never falling.
    pub(crate) item_days: Vec<i64>,
    /// When each reader opened what.
    pub(crate) by_user: Vec<Vec<(i64, u32)>>,
    /// Lines that could not be read.
    pub(crate) bad: usize,
    /// Lines about something else than a view.
    pub(crate) skipped: usize,
    /// The place of the first event of each day from the first on, and the end.
    starts: Vec<usize>,
    first_day: i64,
}

impl Log {
    /// Reads a file, packed or not.
    pub(crate) fn read(path: &Path) -> Done<Self> {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let mut file = BufReader::new(std::fs::File::open(path).map_err(|error| named(&error))?);
        let packed = file.fill_buf()?.starts_with(&GZIP);
        let mut bytes = Vec::new();
        if packed {
            flate2::bufread::MultiGzDecoder::new(file).read_to_end(&mut bytes)?;
        } else {
            file.read_to_end(&mut bytes)?;
        }
        let name = path.file_name().unwrap_or(path.as_os_str());
        Self::parse(
            name.to_string_lossy().into_owned(),
            &String::from_utf8_lossy(&bytes),
        )
        .map_err(|error| named(&error).into())
    }

    /// Puts the lines of a log in order.
    fn parse(name: String, text: &str) -> Done<Self> {
        let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
        let mut rest = lines.as_slice();
        let header = record(&mut rest).ok_or("the first line is not a header")?;
        let columns = Columns::of(&header)?;
        let (mut rows, mut bad, mut skipped) = (Vec::new(), 0, 0);
        while let Some(line) = rest.first() {
            let ordinal = u64::try_from(lines.len() - rest.len())?;
            let record = record(&mut rest);
            if line.is_empty() {
                continue;
            }
            match record.map_or(Row::Bad, |fields| columns.row(&fields)) {
                Row::Opening { user, at, item } => rows.push((at, ordinal, user, item)),
                Row::Other => skipped += 1,
                Row::Bad => bad += 1,
            }
        }
        rows.sort_unstable_by_key(|(at, ordinal, ..)| (*at, *ordinal));
        let mut log = Self::of(name, rows)?;
        (log.bad, log.skipped) = (bad, skipped);
        Ok(log)
    }

    /// A log of rows that are in order: time, place, reader, item.
    fn of(name: String, rows: Vec<(i64, u64, String, String)>) -> Done<Self> {
        let first = rows.first().ok_or("no line has a page view")?.0;
        let mut log = Self {
            name,
            events: Vec::with_capacity(rows.len()),
            users: Vec::new(),
            item_days: Vec::new(),
            by_user: Vec::new(),
            bad: 0,
            skipped: 0,
            starts: Vec::new(),
            first_day: day_of(first),
        };
        log.number(rows)?;
        Ok(log)
    }

    /// The days from one to before another, as a log of their own; none where nothing happened on them.
    pub(crate) fn cut(&self, from: i64, until: i64) -> Option<Self> {
        let name = |user: u32| self.users.get(usize::try_from(user).ok()?);
        let rows = self
            .days(from, until)
            .iter()
            .filter_map(|event| {
                let user = name(event.user)?.clone();
                Some((event.at, event.ordinal, user, event.item.to_string()))
            })
            .collect();
        Self::of(self.name.clone(), rows).ok()
    }

    /// Gives everybody and everything a number.
    fn number(&mut self, rows: Vec<(i64, u64, String, String)>) -> Done {
        let mut users: HashMap<String, u32> = HashMap::new();
        let mut items: HashMap<String, u32> = HashMap::new();
        for (at, ordinal, user, item) in rows {
            let next = u32::try_from(self.users.len())?;
            let user = *users.entry(user).or_insert_with_key(|name| {
                self.users.push(name.clone());
                self.by_user.push(Vec::new());
                next
            });
            let next = u32::try_from(self.item_days.len())?;
            let item = *items.entry(item).or_insert_with(|| {
                self.item_days.push(day_of(at));
                next
            });
            let offset = usize::try_from(day_of(at) - self.first_day)?;
            while self.starts.len() <= offset {
                self.starts.push(self.events.len());
            }
            if let Some(own) = self.by_user.get_mut(usize::try_from(user)?) {
                own.push((at, item));
            }
            self.events.push(Event {
                at,
                user,
                item,
                ordinal,
            });
        }
        self.starts.push(self.events.len());
        Ok(())
    }

    /// The day of the first event.
    pub(crate) const fn first_day(&self) -> i64 {
        self.first_day
    }

    /// The day after that of the last event.
    pub(crate) fn end_day(&self) -> i64 {
        self.first_day + i64::try_from(self.starts.len()).unwrap_or(i64::MAX) - 1
    }

    /// The place of the first event at or after 00:00 of a day.
    pub(crate) fn start(&self, day: i64) -> usize {
        let offset = usize::try_from(day - self.first_day).unwrap_or_default();
        self.starts
            .get(offset)
            .copied()
            .unwrap_or(self.events.len())
    }

    /// The places of the events of days from one to before another.
    pub(crate) fn places(&self, from: i64, until: i64) -> Range<usize> {
        self.start(from)..self.start(until)
    }

    /// The events of days from one to before another.
    pub(crate) fn days(&self, from: i64, until: i64) -> &[Event] {
        self.events
            .get(self.places(from, until))
            .unwrap_or_default()
    }

    /// When a reader opened what; nothing for one that the log does not know.
    pub(crate) fn of_user(&self, user: u32) -> &[(i64, u32)] {
        usize::try_from(user)
            .ok()
            .and_then(|user| self.by_user.get(user))
            .map_or(&[], Vec::as_slice)
    }

    /// How many items were opened before a day: those with a lower number.
    pub(crate) fn items_before(&self, day: i64) -> usize {
        self.item_days.partition_point(|first| *first < day)
    }
}

/// The content of a line.
enum Row {
    Opening { user: String, at: i64, item: String },
    Other,
    Bad,
}

/// Where a line has what.
struct Columns {
    user: usize,
    at: usize,
    item: usize,
    /// The column that must say VIEW.
    event: Option<usize>,
}

impl Columns {
    fn of(header: &[String]) -> Done<Self> {
        let find = |name: &str| header.iter().position(|column| column.trim() == name);
        let plain = find("user").zip(find("ts")).zip(find("item"));
        let deskdrop = find("personId")
            .zip(find("timestamp"))
            .zip(find("contentId"));
        if let Some(((user, at), item)) = plain {
            return Ok(Self {
                user,
                at,
                item,
                event: None,
            });
        }
        let ((user, at), item) =
            deskdrop.ok_or("the header has neither user, ts, item nor the columns of Deskdrop")?;
        Ok(Self {
            user,
            at,
            item,
            event: find("eventType"),
        })
    }

    fn row(&self, fields: &[String]) -> Row {
        let field = |place: usize| fields.get(place).map(|field| field.trim());
        if self
            .event
            .is_some_and(|place| field(place).is_some_and(|event| event != "VIEW"))
        {
            return Row::Other;
        }
        let named = |place| field(place).filter(|name| !name.is_empty());
        match (
            named(self.user),
            field(self.at).and_then(seconds),
            named(self.item),
        ) {
            (Some(user), Some(at), Some(item)) => Row::Opening {
                user: user.to_owned(),
                at,
                item: item.to_owned(),
            },
            _ => Row::Bad,
        }
    }
}

/// Whole seconds; what follows a point is dropped.
fn seconds(word: &str) -> Option<i64> {
    let (whole, part) = word.split_once('.').unwrap_or((word, ""));
    let digits = part.bytes().all(|digit| digit.is_ascii_digit());
    // Up to the year 9999: beyond it a number is not seconds.
    whole
        .parse()
        .ok()
        .filter(|at| digits && (0..253_402_300_800).contains(at))
}

/// Takes the lines of a record, and gives its fields; takes one line and gives none where a quote is not closed soon.
fn record(rest: &mut &[&str]) -> Option<Vec<String>> {
    let mut lines = rest.iter().take(MOST_LINES);
    let mut text = (*lines.next()?).to_owned();
    let mut taken = 1;
    let mut read = fields(&text);
    while read.is_none()
        && let Some(line) = lines.next()
    {
        text.push('\n');
        text.push_str(line);
        taken += 1;
        read = fields(&text);
    }
    let taken = if read.is_some() { taken } else { 1 };
    *rest = rest.get(taken..).unwrap_or_default();
    read
}

/// The fields of a line; none where a quote is not closed.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut all = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => all.push(std::mem::take(&mut field)),
            letter => field.push(letter),
        }
    }
    all.push(field);
    (!quoted).then_some(all)
}
