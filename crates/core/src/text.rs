//! The only way that untrusted text leaves: every format has its function here. Also numbers and times in words.
//!
//! Titles, names and summaries are written by whoever is being watched; a terminal obeys control characters, and
//! an eye is fooled by reversed or invisible ones.

use std::borrow::Cow;
use std::time::Duration;

/// What stands for a character that must not reach a terminal.
const REPLACEMENT: char = '\u{fffd}';

/// What stands at the end of a text that was cut.
const ELLIPSIS: char = '…';

/// The most accents on one letter: more would paint over the lines above and below.
const MAX_MARKS: u32 = 4;

/// When output is coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Decides for one output; `no_color` says whether `NO_COLOR` is set and not empty.
    pub const fn enabled(self, terminal: bool, no_color: bool) -> bool {
        match self {
            Self::Auto => terminal && !no_color,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Untrusted text, fit for one line of a terminal or a log.
///
/// Control characters, line ends, reversing, invisible and private characters become a visible U+FFFD, odd spaces
/// become plain ones. Never longer than `max_chars`, its `…` included.
pub fn plain(text: &str, max_chars: usize) -> Cow<'_, str> {
    if text.len() <= max_chars && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut marks = 0;
    let mut shown = text.chars().map(|char| {
        marks = if is_mark(char) { marks + 1 } else { 0 };
        if marks > MAX_MARKS {
            REPLACEMENT
        } else {
            visible(char)
        }
    });
    let mut out: Vec<char> = shown.by_ref().take(max_chars).collect();
    if shown.next().is_some()
        && let Some(last) = out.last_mut()
    {
        *last = ELLIPSIS;
    }
    Cow::Owned(out.into_iter().collect())
}

/// The character itself, a plain space, or the replacement.
fn visible(char: char) -> char {
    if is_odd_space(char) {
        ' '
    } else if char.is_control() || is_deceptive(char) {
        REPLACEMENT
    } else {
        char
    }
}

/// Spaces that are not U+0020 and do not end a line.
const fn is_odd_space(char: char) -> bool {
    matches!(
        char,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// Characters that draw on top of the one before.
const fn is_mark(char: char) -> bool {
    matches!(char,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}')
}

/// Characters that are not controls and yet steer, hide, or mean nothing outside the writer's own font.
const fn is_deceptive(char: char) -> bool {
    matches!(char,
        // Invisible or format characters.
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        // Line and paragraph separators, bidirectional overrides and isolates, invisible operators.
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
        // Blanks that are letters.
        | '\u{115f}'..='\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
        // Variation selectors that pick no picture, format characters of old scripts and of music.
        | '\u{fe00}'..='\u{fe0d}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        // Private use, noncharacters, tags.
        | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}'..='\u{ffff}'
        | '\u{e0000}'..='\u{10ffff}')
}

/// A JSON text, fit for a terminal too: what steers or hides is spelled `\u202e`, which means the same.
///
/// JSON itself only asks for the first 32 control characters to be spelled so. The text must be JSON already.
pub fn json(json: &str) -> Cow<'_, str> {
    let tricky = |char: char| (char.is_control() && char != '\n') || is_deceptive(char);
    if !json.contains(tricky) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 64);
    for char in json.chars() {
        if tricky(char) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out.push_str(&format_args!("\\u{unit:04x}").to_string());
            }
        } else {
            out.push(char);
        }
    }
    Cow::Owned(out)
}

/// A number with its noun: "1 page", "187 pages", "1,204 addresses".
pub fn count(n: u64, noun: &str) -> String {
    let number = number(n);
    if n == 1 {
        return format!("{number} {noun}");
    }
    let stem = noun
        .strip_suffix('y')
        .filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    match stem {
        Some(stem) => format!("{number} {stem}ies"),
        None if ["s", "x", "ch", "sh"].iter().any(|end| noun.ends_with(end)) => {
            format!("{number} {noun}es")
        }
        None => format!("{number} {noun}s"),
    }
}

/// A number with separators between the thousands.
pub fn number(n: u64) -> String {
    group(&n.to_string())
}

/// Puts separators between the thousands of a string of digits.
fn group(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A length of time in words, as exact as a person needs: "40 seconds", "22 minutes", "3 h 5 min", "2 days 4 h".
pub fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let minutes = (seconds + 30) / 60;
    let hours = (minutes + 30) / 60;
    if seconds < 60 {
        count(seconds, "second")
    } else if minutes < 60 {
        count(minutes, "minute")
    } else if minutes < 24 * 60 {
        match (minutes / 60, minutes % 60) {
            (hours, 0) => count(hours, "hour"),
            (hours, minutes) => format!("{hours} h {minutes} min"),
        }
    } else {
        match (hours / 24, hours % 24) {
            (days, 0) => count(days, "day"),
            (days, hours) => format!("{} {hours} h", count(days, "day")),
        }
    }
}

/// How rare something of so many bits is, rounded: "1 in 4,000" for 12.
pub fn one_in(bits: f64) -> String {
    if bits.is_nan() || bits <= 0.0 {
        return "1 in 1".to_owned();
    }
    if bits > 40.0 {
        return "less than 1 in a trillion".to_owned();
    }
    let times = bits.exp2();
    let scale = 10_f64.powf(times.log10().floor());
    let step = if times < 2.0 * scale {
        scale / 10.0
    } else {
        scale / 2.0
    };
    let rounded = (times / step).round() * step;
    if rounded >= 1e9 {
        format!("1 in {} billion", rounded / 1e9)
    } else if rounded >= 1e6 {
        format!("1 in {} million", rounded / 1e6)
    } else {
        format!("1 in {}", group(&format!("{rounded:.0}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in [
            "",
            "Roadmap 2027",
            "Ünïcödé, 日本語, עברית",
            "thumbs up 👍",
            "e\u{301}",
        ] {
            assert_eq!(plain(text, 100), text);
        }
        assert!(matches!(plain("Roadmap", 7), Cow::Borrowed(_)));
    }

    #[test]
    fn what_steers_a_terminal_or_fools_an_eye_is_made_visible() {
        assert_eq!(
            plain("a\u{1b}[31mred\u{9b}0m", 100),
            "a\u{fffd}[31mred\u{fffd}0m"
        );
        assert_eq!(
            plain("one\ntwo\r\t\u{7f}", 100),
            "one\u{fffd}two\u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(
            plain("gpj\u{202e}exe\u{2066}\u{2069}", 100),
            "gpj\u{fffd}exe\u{fffd}\u{fffd}"
        );
        assert_eq!(
            plain("pay\u{200b}roll\u{feff}\u{ad}", 100),
            "pay\u{fffd}roll\u{fffd}\u{fffd}"
        );
        assert_eq!(
            plain("\u{e0041}\u{f8ff}\u{2028}\u{fe01}", 100),
            "\u{fffd}".repeat(4)
        );
        assert_eq!(plain("a\u{a0}b\u{3000}c", 100), "a b c");
    }

    #[test]
    fn accents_do_not_pile_up() {
        let tower = format!("a{}", "\u{301}".repeat(50));
        assert_eq!(plain(&tower, 100).matches('\u{301}').count(), 4);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(plain("Überstunden", 5), "Über…");
        assert_eq!(plain("12345", 5), "12345");
        assert_eq!(plain("12345", 0), "");
        assert_eq!(plain("日本", 1), "…");
    }

    #[test]
    fn json_means_the_same_when_its_tricks_are_spelled() {
        let tricky = "a\u{202e}b\u{9b}\u{7f}\u{e0041}\n\u{1b}é日";
        let written = serde_json::to_string(&[tricky]).unwrap();
        let shown = json(&written);
        assert_eq!(shown, r#"["a\u202eb\u009b\u007f\udb40\udc41\n\u001bé日"]"#);
        assert_eq!(
            serde_json::from_str::<Vec<String>>(&shown).unwrap(),
            [tricky]
        );
        assert!(matches!(json("{\n  \"a\": \"é\"\n}"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn no_text_keeps_its_tricks_or_grows(text in any::<String>(), cap in 0_usize..60) {
            let shown = plain(&text, cap);
            prop_assert!(shown.chars().count() <= cap);
            let kept = |char: &char| char.is_control() || is_deceptive(*char) || is_odd_space(*char);
            prop_assert_eq!(shown.chars().find(kept), None);
            let again = plain(&shown, cap);
            prop_assert_eq!(&again, &shown);
        }

        #[test]
        fn marked_and_steering_text_is_tamed_too(text in "[\u{0}-\u{9f}\u{2000}-\u{206f}\u{300}-\u{310}a]{0,40}") {
            let shown = plain(&text, 30);
            prop_assert!(shown.chars().count() <= 30);
            let kept = |char: char| {
                char.is_control() || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            };
            prop_assert_eq!(shown.chars().find(|char| kept(*char)), None);
        }

        #[test]
        fn numbers_keep_their_digits(n in any::<u64>()) {
            prop_assert_eq!(number(n).replace(',', ""), n.to_string());
        }
    }

    #[test]
    fn things_are_counted_in_words() {
        let shown = [
            count(1, "page"),
            count(0, "page"),
            count(187, "page"),
            count(1204, "address"),
            count(2, "entry"),
        ];
        assert_eq!(
            shown,
            [
                "1 page",
                "0 pages",
                "187 pages",
                "1,204 addresses",
                "2 entries"
            ]
        );
        assert_eq!(count(3, "day"), "3 days");
        assert_eq!(number(1_234_567), "1,234,567");
    }

    #[test]
    fn time_is_written_in_words() {
        let shown = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(
            [shown(0), shown(1), shown(59)],
            ["0 seconds", "1 second", "59 seconds"]
        );
        assert_eq!(
            [shown(60), shown(22 * 60 + 5), shown(59 * 60)],
            ["1 minute", "22 minutes", "59 minutes"]
        );
        assert_eq!(
            [shown(3_599), shown(3 * 3600 + 5 * 60)],
            ["1 hour", "3 h 5 min"]
        );
        assert_eq!(
            [
                shown(86_399),
                shown(2 * 86_400),
                shown(2 * 86_400 + 4 * 3600)
            ],
            ["1 day", "2 days", "2 days 4 h"]
        );
    }

    #[test]
    fn rarity_is_rounded_to_what_can_be_meant() {
        assert_eq!(
            [one_in(12.0), one_in(15.1), one_in(1.0)],
            ["1 in 4,000", "1 in 35,000", "1 in 2"]
        );
        assert_eq!(
            [one_in(10.6), one_in(20.0), one_in(30.0)],
            ["1 in 1,600", "1 in 1 million", "1 in 1.1 billion"]
        );
        assert_eq!(
            [one_in(0.0), one_in(f64::NAN), one_in(-3.0)],
            ["1 in 1", "1 in 1", "1 in 1"]
        );
        assert_eq!(
            [one_in(99.0), one_in(f64::INFINITY)],
            ["less than 1 in a trillion"; 2]
        );
    }

    #[test]
    fn colour_follows_the_setting_then_the_terminal() {
        assert!(Color::Always.enabled(false, true) && !Color::Never.enabled(true, false));
        assert!(Color::Auto.enabled(true, false));
        assert!(!Color::Auto.enabled(true, true) && !Color::Auto.enabled(false, false));
    }
}
