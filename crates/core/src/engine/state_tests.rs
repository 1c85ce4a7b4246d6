//! The form of the stored state, frozen: who changes it must say so with another version.

use super::tests::{collection, quiet, rules, with};
use super::*;
use crate::model::EventKey;
use crate::model::id::digest16;
use crate::model::settings::Detect;

/// The version, and a digest of the state below as it writes it.
const FROZEN: (u32, &str) = (5, "3460d393bfecc8db06c5eb4872fbdfaa");

/// The state after some quiet days and a bulk collection: accounts, pages, an open day, something to be reported.
fn state() -> State {
    let rules = rules(&Detect::default(), &RosterHistory::default());
    let mut engine = Engine::new();
    for read in with(quiet(9), collection(3, 8, 60)) {
        engine.take(&rules, &read);
    }
    engine.state().unwrap()
}

#[test]
fn the_form_of_the_state_changes_only_with_its_version() {
    let State {
        tenant,
        accounts,
        pages,
    } = state();
    assert!(accounts.len() == 40 && pages.len() > 100);
    let parts = accounts.values().chain(pages.values());
    let all: Vec<&[u8]> = std::iter::once(&tenant)
        .chain(parts)
        .map(Vec::as_slice)
        .collect();
    let digest = EventKey(digest16(&all)).hex();
    assert_eq!(
        (STATE_VERSION, digest.as_str()),
        FROZEN,
        "the state is written otherwise than before: raise STATE_VERSION and freeze it here, or a state file of the \
         version before is taken for one of this"
    );
}
