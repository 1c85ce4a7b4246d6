//! What was asked for on the command line.

use std::path::PathBuf;

use crate::Done;
use crate::injector::{Kind, STANDARD};

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Holds the detector against bulk collections that are put into a log of who opened what when.

cargo bench --bench detection -- LOG.. [OPTIONS]

LOG is CSV with the columns user, ts (seconds since 1970) and item, or Deskdrop's own; gzip is seen by itself.

  --kind KIND       a kind of bulk collection; may be given several times. The name of a standard kind, or
                    NAME:pages=60,minutes=60[,days=1][,who=active|dormant|new][,prefer=any|popular]
                    [,jitter=0.1][,share=1][,start=HOUR]: pages a day, spread over the minutes
  --injections N    bulk collections per kind, dose and seed [1000]
  --seeds A,B..C    seeds, one by one or from..to; their bulk collections are pooled [1]
  --budgets A,B     alarms asked for per 1,000 active people and week [1,5]
  --burn-in WEEKS   active weeks that are not counted [a third of them, at least 8]
  --only PARTS      of recall, dose, clean, what is wanted [all]
  --threads N       does not change a figure [2]
  --tsv             also a line for each figure: tsv, log, kind, method, budget, found, tried
  --self-check      holds the statistics against values from tables, and ends
  --help            this";

/// The parts of the report.
pub(crate) const PARTS: [&str; 3] = ["recall", "dose", "clean"];

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The logs.
    pub(crate) logs: Vec<PathBuf>,
    /// The kinds of bulk collections.
    pub(crate) kinds: Vec<Kind>,
    /// Bulk collections per kind and seed.
    pub(crate) injections: usize,
    /// Where chance begins.
    pub(crate) seeds: Vec<u64>,
    /// Alarms per 1,000 active people and week.
    pub(crate) budgets: Vec<f64>,
    /// Active weeks before the first that counts, if somebody says.
    pub(crate) burn_in: Option<usize>,
    /// Which of [`PARTS`].
    pub(crate) only: Vec<String>,
    /// How many threads work.
    pub(crate) threads: usize,
    /// Whether machines read along.
    pub(crate) tsv: bool,
    /// Whether only the statistics are looked at.
    pub(crate) self_check: bool,
    /// Whether only the help is wanted.
    pub(crate) help: bool,
}

impl Asked {
    /// Reads the command line.
    pub(crate) fn parse(words: &[String]) -> Done<Self> {
        let mut asked = Self {
            logs: Vec::new(),
            kinds: Vec::new(),
            injections: 1_000,
            seeds: vec![1],
            budgets: vec![1.0, 5.0],
            burn_in: None,
            only: PARTS.map(str::to_owned).to_vec(),
            threads: 2,
            tsv: false,
            self_check: false,
            help: false,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--bench" => {}
                "--kind" => asked.kinds.push(Kind::parse(value()?)?),
                "--injections" => asked.injections = value()?.parse()?,
                "--seeds" => asked.seeds = seeds(value()?)?,
                "--budgets" => asked.budgets = list(value()?)?,
                "--burn-in" => asked.burn_in = Some(value()?.parse()?),
                "--only" => asked.only = list(value()?)?,
                "--threads" => asked.threads = value()?.parse::<usize>()?.max(1),
                "--tsv" => asked.tsv = true,
                "--self-check" => asked.self_check = true,
                "--help" | "-h" => asked.help = true,
                option if option.starts_with('-') => {
                    return Err(format!("what is {option}? See --help.").into());
                }
                path => asked.logs.push(path.into()),
            }
        }
        if asked.kinds.is_empty() {
            asked.kinds = STANDARD.into_iter().map(Kind::parse).collect::<Done<_>>()?;
        }
        let odd = |part: &&String| !PARTS.contains(&part.as_str());
        if let Some(odd) = asked.only.iter().find(odd) {
            return Err(format!("there is no part {odd}").into());
        }
        if asked
            .budgets
            .iter()
            .any(|budget| budget.is_nan() || *budget <= 0.0)
        {
            return Err("a budget must be above 0".into());
        }
        Ok(asked)
    }

    /// Whether a part is wanted.
    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.iter().any(|wanted| wanted == part)
    }
}

fn list<T>(words: &str) -> Done<Vec<T>>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + 'static,
{
    words
        .split(',')
        .map(|word| Ok(word.trim().parse()?))
        .collect()
}

fn seeds(words: &str) -> Done<Vec<u64>> {
    let mut all = Vec::new();
    for word in words.split(',') {
        match word.split_once("..") {
            Some((from, to)) => {
                let (from, to): (u64, u64) = (from.trim().parse()?, to.trim().parse()?);
                all.extend(from..=to);
            }
            None => all.push(word.trim().parse()?),
        }
    }
    Ok(all)
}
