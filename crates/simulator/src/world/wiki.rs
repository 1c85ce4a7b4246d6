//! What there is to read: spaces, pages, and how popular each is.

use std::ops::Range;

use super::dice::{Dice, count, index};
use super::settings::WorldSettings;

/// A space of the wiki.
#[derive(Debug, Clone)]
pub(crate) struct Space {
    /// Its key.
    pub(crate) key: String,
    /// Its name.
    pub(crate) name: String,
    /// Its id, as the newer interface has it.
    pub(crate) id: String,
    /// Its pages, by their numbers in the wiki.
    pub(crate) pages: Range<u32>,
    /// The sum of the popularity of its pages up to each.
    weights: Vec<f64>,
}

/// A page or a blog post.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// Its id.
    pub(crate) id: String,
    /// Its title, ready to stand between the quotes of a JSON string.
    pub(crate) title: String,
    /// Its title as it stands in a link.
    pub(crate) slug: String,
    /// The number of its space.
    pub(crate) space: u32,
}

/// Everything there is to read.
#[derive(Debug, Clone)]
pub(crate) struct Wiki {
    /// The spaces, the most popular first; the first one is the handbook that everybody reads.
    pub(crate) spaces: Vec<Space>,
    /// The pages, space by space; then the blog posts.
    pub(crate) pages: Vec<Page>,
    /// How many of them are pages.
    pub(crate) ordinary: u32,
    /// The sum of the popularity of the spaces up to each.
    weights: Vec<f64>,
}

/// The spaces, by key and name.
const SPACES: [(&str, &str); 40] = [
    ("HB", "Handbook"),
    ("ENG", "Engineering"),
    ("OPS", "Operations"),
    ("PROD", "Product"),
    ("SALES", "Sales"),
    ("HR", "People"),
    ("FIN", "Finance"),
    ("MKT", "Marketing"),
    ("LEGAL", "Legal"),
    ("SEC", "Security"),
    ("CS", "Customer Success"),
    ("DATA", "Data Platform"),
    ("MOB", "Mobile"),
    ("WEB", "Web Front End"),
    ("API", "Public Interfaces"),
    ("INFRA", "Infrastructure"),
    ("QA", "Quality"),
    ("DES", "Design"),
    ("UXR", "User Research"),
    ("PAY", "Payments"),
    ("BILL", "Billing"),
    ("IDM", "Identity"),
    ("NET", "Networks"),
    ("SRE", "Reliability"),
    ("SUP", "Support"),
    ("DOCS", "Documentation"),
    ("TRN", "Training"),
    ("PROC", "Procurement"),
    ("FAC", "Facilities"),
    ("BOARD", "Board"),
    ("MA", "Acquisitions"),
    ("STRAT", "Strategy"),
    ("RND", "Research"),
    ("ML", "Learning Systems"),
    ("HW", "Hardware"),
    ("FW", "Firmware"),
    ("LOG", "Logistics"),
    ("PARTNER", "Partners"),
    ("ARCH", "Archive"),
    ("SANDBOX", "Sandbox"),
];

/// First words of titles.
const FIRST: [&str; 20] = [
    "Release",
    "Incident",
    "Design",
    "Review",
    "Weekly",
    "Quarterly",
    "Draft",
    "Migration",
    "Runbook",
    "Plan",
    "Notes",
    "Decision",
    "Research",
    "Checklist",
    "Budget",
    "Roadmap",
    "Interview",
    "Postmortem",
    "Onboarding",
    "Guide",
];

/// Last words of titles.
const LAST: [&str; 20] = [
    "for the gateway",
    "of the ledger",
    "2026",
    "with suppliers",
    "and open questions",
    "for newcomers",
    "of July",
    "for the north region",
    "about caching",
    "on retries",
    "in production",
    "of the mobile app",
    "for customers",
    "before launch",
    "after launch",
    "and costs",
    "of team Blue",
    "of team Green",
    "for auditors",
    "without owner",
];

/// Titles as people with odd habits, or ill will, write them.
const ODD: [&str; 12] = [
    "\"Quoted\" and \\ slashed",
    "<script>alert(1)</script>",
    "=HYPERLINK(\"https://example.com\",\"total\")",
    "Überblick: Größen & Maße",
    "会議の議事録",
    "🚀 Launch party 🎉",
    "Tab\there, line\nthere",
    "right-to-left \u{202e}gnp.exe",
    "*bold* _italic_ `code` <https://example.com|link>",
    "\u{1b}[31mred\u{1b}[0m",
    "@channel please read",
    "50 % off; DROP TABLE page;--",
];

/// The number of blog posts for so many pages.
fn posts(pages: u32) -> u32 {
    pages / 25
}

impl Wiki {
    /// Writes the wiki of a seed.
    pub(crate) fn new(settings: &WorldSettings) -> Self {
        let mut dice = Dice::of(settings.seed, &[1]);
        let wanted = settings.pages.max(400);
        let shares: Vec<f64> = (0..SPACES.len())
            .map(|rank| 1.0 / (f64::from(count(rank)) + 3.0).powf(0.8))
            .collect();
        let total: f64 = shares.iter().sum();
        let mut pages = Vec::new();
        let mut spaces = Vec::new();
        for ((key, name), share) in SPACES.iter().zip(&shares) {
            let first = count(pages.len());
            let here = super::dice::whole(f64::from(wanted) * share / total).max(8);
            for _ in 0..here {
                pages.push(Page::new(
                    &mut dice,
                    count(pages.len()),
                    count(spaces.len()),
                ));
            }
            let weights = sums((0..here).map(|_| zipf(dice.below(here))));
            spaces.push(Space {
                key: (*key).to_owned(),
                name: (*name).to_owned(),
                id: (65_538 + u64::from(dice.below(900_000)) * 64 + u64::from(first)).to_string(),
                pages: first..first + here,
                weights,
            });
        }
        let ordinary = count(pages.len());
        for _ in 0..posts(wanted) {
            let space = dice.below(8);
            pages.push(Page::new(&mut dice, count(pages.len()), space));
        }
        let weights = sums(shares.iter().copied());
        Self {
            spaces,
            pages,
            ordinary,
            weights,
        }
    }

    /// A space, the popular ones more often.
    pub(crate) fn a_space(&self, dice: &mut Dice) -> u32 {
        weighted(&self.weights, dice)
    }

    /// A page of a space, the popular ones more often.
    pub(crate) fn a_page_of(&self, space: u32, dice: &mut Dice) -> u32 {
        self.spaces.get(index(space)).map_or(0, |space| {
            space.pages.start + weighted(&space.weights, dice)
        })
    }

    /// A page of the whole wiki, each as likely as any other.
    pub(crate) fn any_page(&self, dice: &mut Dice) -> u32 {
        dice.below(self.ordinary)
    }

    /// The blog post that was new on a day.
    pub(crate) fn post_of(&self, day: u32) -> u32 {
        let posts = count(self.pages.len()).saturating_sub(self.ordinary).max(1);
        self.ordinary + (day / 2) % posts
    }

    /// A page's space.
    pub(crate) fn space_of(&self, page: u32) -> Option<&Space> {
        let page = self.pages.get(index(page))?;
        self.spaces.get(index(page.space))
    }
}

impl Page {
    /// A page of its own number, with a title.
    fn new(dice: &mut Dice, number: u32, space: u32) -> Self {
        let title = if dice.chance(0.01) {
            dice.pick(&ODD).copied().unwrap_or_default().to_owned()
        } else {
            let (first, last) = (dice.pick(&FIRST), dice.pick(&LAST));
            format!(
                "{} {} {}",
                first.copied().unwrap_or_default(),
                last.copied().unwrap_or_default(),
                number % 97
            )
        };
        let slug = title
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '+' })
            .collect();
        let id = (131_073 + u64::from(number) * 98_305 + u64::from(dice.below(98_000))).to_string();
        Self {
            id,
            title: escaped(&title),
            slug,
            space,
        }
    }
}

/// The popularity of a rank.
fn zipf(rank: u32) -> f64 {
    1.0 / (f64::from(rank) + 2.0)
}

/// The sum up to each.
fn sums(shares: impl Iterator<Item = f64>) -> Vec<f64> {
    shares
        .scan(0.0, |sum, share| {
            *sum += share;
            Some(*sum)
        })
        .collect()
}

/// One of them, by the sums of their weights.
fn weighted(sums: &[f64], dice: &mut Dice) -> u32 {
    let level = dice.unit() * sums.last().copied().unwrap_or_default();
    count(
        sums.partition_point(|sum| *sum < level)
            .min(sums.len().saturating_sub(1)),
    )
}

/// A text as it stands between the quotes of a JSON string.
pub(crate) fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_ids_are_numbers_and_no_two_are_equal() {
        let wiki = Wiki::new(&WorldSettings::default());
        let ids: std::collections::HashSet<_> = wiki.pages.iter().map(|page| &page.id).collect();
        assert_eq!(ids.len(), wiki.pages.len());
        assert!(
            ids.iter()
                .all(|id| id.bytes().all(|byte| byte.is_ascii_digit()))
        );
        assert!((3_500..4_500).contains(&wiki.ordinary), "{}", wiki.ordinary);
    }

    #[test]
    fn popular_pages_are_read_more_often() {
        let wiki = Wiki::new(&WorldSettings::default());
        let mut dice = Dice::of(3, &[]);
        let mut reads = std::collections::HashMap::<u32, u32>::new();
        for _ in 0..20_000 {
            let space = wiki.a_space(&mut dice);
            *reads.entry(wiki.a_page_of(space, &mut dice)).or_default() += 1;
        }
        let most = reads.values().max().copied().unwrap_or_default();
        assert!(
            most > 60 && reads.len() > 2_000,
            "{most} of {}",
            reads.len()
        );
    }

    #[test]
    fn every_page_lies_in_its_space() {
        let wiki = Wiki::new(&WorldSettings::small(2));
        for (number, space) in wiki.spaces.iter().enumerate() {
            for page in space.pages.clone() {
                assert_eq!(wiki.pages[index(page)].space, count(number));
            }
        }
    }
}
