//! The sources as text: files, words, and the paths that they import.

use std::fs;
use std::path::Path;

/// A file of the crate.
pub(super) struct Source {
    /// Where it lies, from `src/` on, with `/`.
    pub(super) path: String,
    /// What it says.
    pub(super) text: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The modules that lead to it, without the crate itself.
    pub(super) fn module(&self) -> Vec<&str> {
        let path = self.path.trim_end_matches(".rs");
        let path = path.strip_suffix("/mod").unwrap_or(path);
        path.split('/')
            .filter(|part| !matches!(*part, "lib" | "main"))
            .collect()
    }
}

/// Every file under a folder of sources.
pub(super) fn tree(folder: &str) -> Vec<Source> {
    fn read(folder: &Path, root: &Path, all: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, root, all);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let from_root: Vec<_> = path
                    .strip_prefix(root)
                    .unwrap()
                    .iter()
                    .map(|part| part.to_str().unwrap())
                    .collect();
                all.push(Source::new(
                    &from_root.join("/"),
                    &fs::read_to_string(&path).unwrap(),
                ));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut all = Vec::new();
    read(&root, &root, &mut all);
    all.sort_by(|one, other| one.path.cmp(&other.path));
    all
}

/// The words and signs of a source, without comments, characters, lifetimes and strings (but names of sources).
pub(super) fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let mut here = 0;
    while here < chars.len() {
        match (at(here), at(here + 1)) {
            ('/', '/') => here = after_line(&chars, here),
            ('/', '*') => here = after_block(&chars, here),
            ('"', _) => {
                let end = after_string(&chars, here).min(chars.len());
                let text: String = chars[here..end].iter().collect();
                here = end;
                // The one string that matters: where a module lies.
                if text.ends_with(".rs\"") {
                    tokens.push(text);
                }
            }
            ('\'', '\\') => {
                here += 3;
                while here < chars.len() && at(here - 1) != '\'' {
                    here += 1;
                }
            }
            ('\'', _) => here += if at(here + 2) == '\'' { 3 } else { 1 },
            (':', ':') => {
                tokens.push("::".to_owned());
                here += 2;
            }
            (char, _) if char.is_alphanumeric() || char == '_' => {
                let word: String = chars[here..]
                    .iter()
                    .take_while(|char| char.is_alphanumeric() || **char == '_')
                    .collect();
                here += word.chars().count();
                match (word.as_str(), at(here)) {
                    ("r" | "br" | "cr", '"' | '#') if raw_string(&chars, here) => {
                        here = after_raw_string(&chars, here);
                    }
                    _ => tokens.push(word),
                }
            }
            (char, _) => {
                if !char.is_whitespace() {
                    tokens.push(char.to_string());
                }
                here += 1;
            }
        }
    }
    tokens
}

/// The index of the end of the line.
fn after_line(chars: &[char], from: usize) -> usize {
    from + chars[from..]
        .iter()
        .take_while(|char| **char != '\n')
        .count()
}

/// The index after a block comment, which may hold others.
fn after_block(chars: &[char], from: usize) -> usize {
    let mut depth = 0;
    let mut here = from;
    while here + 1 < chars.len() {
        match (chars[here], chars[here + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                here += 1;
                continue;
            }
        }
        here += 2;
        if depth == 0 {
            return here;
        }
    }
    chars.len()
}

/// The index after a string.
fn after_string(chars: &[char], from: usize) -> usize {
    let mut here = from + 1;
    while here < chars.len() && chars[here] != '"' {
        here += if chars[here] == '\\' { 2 } else { 1 };
    }
    here + 1
}

/// Whether a raw string begins with these hashes, and not a raw word.
fn raw_string(chars: &[char], from: usize) -> bool {
    chars[from..].iter().find(|char| **char != '#') == Some(&'"')
}

/// The index after a raw string whose hashes begin here.
fn after_raw_string(chars: &[char], from: usize) -> usize {
    let hashes = chars[from..]
        .iter()
        .take_while(|char| **char == '#')
        .count();
    let end: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let body = from + hashes + 1;
    chars[body..]
        .windows(end.len())
        .position(|window| window == end)
        .map_or(chars.len(), |at| body + at + end.len())
}

/// The tokens without what is compiled for tests alone, and the modules that are: names, or the files that `path` names.
pub(super) fn without_tests(tokens: &[String]) -> (Vec<String>, Vec<String>) {
    let marker = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut here = 0;
    while here < tokens.len() {
        if !tokens[here..]
            .iter()
            .map(String::as_str)
            .take(marker.len())
            .eq(marker)
        {
            kept.push(tokens[here].clone());
            here += 1;
            continue;
        }
        let from = here + marker.len();
        here = after_item(tokens, from);
        let item = &tokens[from..here];
        if let Some(at) = item.iter().position(|token| token == "mod")
            && item.get(at + 2).is_some_and(|token| token == ";")
        {
            let elsewhere = item[..at].iter().find(|token| token.ends_with(".rs\""));
            modules.push(elsewhere.unwrap_or(&item[at + 1]).clone());
        }
    }
    (kept, modules)
}

/// The index after the item that begins here: after its block, or its semicolon.
fn after_item(tokens: &[String], from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.as_str() {
            "{" | "[" | "(" => depth += 1,
            "}" | "]" | ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let next = tokens.get(at + 1).map(String::as_str);
        if depth == 0 && (token == ";" || (token == "}" && next != Some(";"))) {
            return at + 1;
        }
    }
    tokens.len()
}

/// Every path that is written out, groups of a `use` multiplied out.
pub(super) fn paths(tokens: &[String]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = at
            .checked_sub(1)
            .map_or("", |before| tokens[before].as_str());
        let after = tokens.get(at + 1).map_or("", String::as_str);
        if is_word(token) && before != "::" && (after == "::" || before == "use") {
            follow(tokens, at, Vec::new(), &mut all);
        }
    }
    all
}

fn is_word(token: &str) -> bool {
    token
        .chars()
        .all(|char| char.is_alphanumeric() || char == '_')
}

/// Reads the path, or the group of paths, that goes on here, and returns where it ends.
fn follow(
    tokens: &[String],
    from: usize,
    mut path: Vec<String>,
    all: &mut Vec<Vec<String>>,
) -> usize {
    let mut here = from;
    loop {
        match tokens.get(here).map(String::as_str) {
            Some("{") => {
                here += 1;
                while tokens.get(here).is_some_and(|token| token != "}") {
                    here = follow(tokens, here, path.clone(), all).max(here + 1);
                }
                return here + 1;
            }
            Some(token) if is_word(token) || token == "*" => path.push(token.to_owned()),
            _ => break,
        }
        here += 1;
        if tokens.get(here).is_none_or(|token| token != "::") {
            break;
        }
        here += 1;
    }
    all.push(path);
    here
}
