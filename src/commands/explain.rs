//! `pagewarden explain`: what a detector looks for, needs, and cannot see.

use std::fmt::Write as _;

use super::{Trouble, print};
use crate::config::nearest;
use crate::exit::Exit;
use pagewarden_core::detect::{Meta, metas};

/// Tells one detector in full, or all of them in short.
pub fn explain(detector: Option<&str>) -> Result<Exit, Trouble> {
    let Some(id) = detector else {
        let mut text = String::new();
        for meta in metas() {
            writeln!(text, "{:20} {}", meta.id, meta.summary).map_err(Trouble::incomplete)?;
        }
        text.push_str("\n`pagewarden explain DETECTOR` says more.\n");
        return print(&text);
    };
    let Some(meta) = metas().find(|meta| meta.id == id) else {
        let part = metas()
            .map(|meta| meta.id)
            .find(|known| !id.is_empty() && known.contains(id));
        let near = part
            .or_else(|| nearest(id, metas().map(|meta| meta.id)))
            .map_or_else(
                || "`pagewarden explain` lists them".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
        return Err(Trouble::usage(format!(
            "there is no detector `{}`; {near}",
            id.escape_debug()
        )));
    };
    print(&full(meta).map_err(Trouble::incomplete)?)
}

fn full(meta: &Meta) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{}\n  {}\n", meta.id, meta.summary)?;
    for (heading, paragraph) in [
        ("Looks for", meta.looks_for),
        ("Needs", meta.needs),
        ("Cannot see", meta.cannot_see),
    ] {
        writeln!(text, "{heading}")?;
        for line in crate::output::wrap(paragraph, 96) {
            writeln!(text, "  {line}")?;
        }
        writeln!(text)?;
    }
    writeln!(text, "Settings")?;
    for (key, what) in meta.settings {
        writeln!(text, "  {key}\n      {what}")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detector_explains_itself() {
        let all: Vec<String> = metas().map(|meta| full(meta).unwrap()).collect();
        insta::assert_snapshot!(all.join("\n---\n"));
    }
}
