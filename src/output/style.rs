//! How text looks on a terminal: width, colour, wrapping. Knows nothing of findings.

use pagewarden_core::model::Severity;

/// The width of what is written for people, unless the caller knows better.
const WIDTH: usize = 100;

/// The least width that still can be laid out.
const NARROWEST: usize = 40;

/// How output for people is to look; decided by the caller, who knows the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether to colour.
    pub color: bool,
    /// The number of columns.
    pub width: usize,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            color: false,
            width: WIDTH,
        }
    }
}

impl Look {
    /// The columns to lay out for: what was asked for, within what can be read.
    pub(super) fn columns(self) -> usize {
        self.width.clamp(NARROWEST, WIDTH)
    }

    /// Paints a text that is already fit for the terminal.
    pub(super) fn paint(self, ink: Ink, text: &str) -> String {
        if self.color && !text.is_empty() {
            format!("\u{1b}[{}m{text}\u{1b}[0m", ink.code())
        } else {
            text.to_owned()
        }
    }
}

/// The few looks that a word can have; the terminal's own sixteen colours, so that its theme rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// Headings and names.
    Bold,
    /// What can be skipped.
    Dim,
    /// What can be typed.
    Command,
    /// Something is wrong.
    Warning,
    /// The word for a severity.
    Severity(Severity),
}

impl Ink {
    /// The parameters of the escape sequence.
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Command => "36",
            Self::Severity(Severity::Low) => "34",
            Self::Warning | Self::Severity(Severity::Medium) => "33",
            Self::Severity(Severity::High) => "1;31",
            Self::Severity(Severity::Critical) => "1;35",
        }
    }
}

/// Breaks a text that is already fit for the terminal into lines of at most `width` characters.
///
/// A longer word is cut. There is always at least one line.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let chars: Vec<char> = word.chars().collect();
        for (nth, piece) in chars.chunks(width).enumerate() {
            let gap = usize::from(nth == 0 && used > 0);
            if used + gap + piece.len() > width {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                if used > 0 && nth == 0 {
                    line.push(' ');
                    used += 1;
                }
                line.extend(piece);
                used += piece.len();
            }
        }
    }
    lines
}

/// Pads with spaces on the right, counted in characters.
pub(super) fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(missing))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(wrap("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn colour_is_left_out_where_it_was_not_asked_for() {
        let look = Look::default();
        assert_eq!(look.paint(Ink::Bold, "high"), "high");
        assert_eq!(
            Look {
                color: true,
                ..look
            }
            .paint(Ink::Bold, "high"),
            "\u{1b}[1mhigh\u{1b}[0m"
        );
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked_and_no_letter_is_lost(text in "[a-zü ]{0,80}", width in 1_usize..30) {
            let lines = wrap(&text, width);
            prop_assert!(lines.iter().all(|line| line.chars().count() <= width));
            let letters = |text: &str| text.chars().filter(|char| *char != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
