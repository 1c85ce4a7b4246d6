//! The first week of a service at a company with a past: nobody is told of what only half a history says, and afterwards no
//! more comes than was asked for.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use pagewarden_simulator::WorldSettings;

use super::invariants::statistical;
use super::network::Got;
use super::*;

/// Which worlds are watched: each takes more than a minute.
const WORLDS: Range<u64> = 1..2;

/// What came from a service at a company of a thousand people with four weeks of past, at two requests a minute.
#[derive(Debug)]
struct Week {
    /// Findings of statistical detectors of which messages came before the lookback was read.
    early: usize,
    /// How long reading it took.
    read_after: TimeDelta,
    /// The same in the seven days after it.
    later: usize,
}

/// Everybody in this world does what is usual, so that each of those is a false alarm.
async fn first_week(seed: u64) -> Result<Week, Failure> {
    let settings = WorldSettings {
        seed,
        people: 1_000,
        weeks: 6,
        planted: false,
        ..WorldSettings::default()
    };
    let began = settings.start + TimeDelta::days(28) + TimeDelta::hours(10);
    let mut run = Run::over(Scene::of_one(settings, began, 2), seed);
    let life = Life::begin(&run.scene).await;
    run.life = Some(life.map_err(|why| run.failure(&why))?);
    while run.known[0].read.is_none() {
        run.live_until(run.scene.now() + TimeDelta::minutes(5))
            .await?;
        run.check().await?;
    }
    let read = run.scene.now();
    run.live_until(read + TimeDelta::days(7)).await?;
    run.check().await?;
    let got = run.scene.network.got();
    run.take(invariants::nothing_early(&got, &run.known))?;
    let (early, later): (Vec<&Got>, Vec<&Got>) =
        got.iter().partition(|one| one.at <= run.known[0].unread);
    let findings = |of: &[&Got]| {
        let found = of.iter().filter_map(|one| statistical(&one.body));
        found.map(str::to_owned).collect::<BTreeSet<_>>().len()
    };
    let week = Week {
        early: findings(&early),
        read_after: read - began,
        later: findings(&later),
    };
    if let Some(life) = run.life.take() {
        life.end().await;
    }
    Ok(week)
}

#[test]
fn no_more_than_was_asked_for_comes_in_the_first_week_and_nothing_before() {
    let mut weeks = Vec::new();
    for seed in WORLDS {
        let week = paused(seed, first_week(seed));
        weeks.push(week.unwrap_or_else(|failure| panic!("{}", failure.0)));
    }
    let asked = config::Detect::default().alerts_per_week * 1.5;
    let later: usize = weeks.iter().map(|week| week.later).sum();
    let many = f64::from(u32::try_from(weeks.len()).unwrap());
    assert!(weeks.iter().all(|week| week.early == 0), "{weeks:?}");
    assert!(
        weeks
            .iter()
            .all(|week| week.read_after > TimeDelta::hours(1)),
        "{weeks:?}"
    );
    assert!(
        f64::from(u32::try_from(later).unwrap()) <= asked * many,
        "{weeks:?}"
    );
    println!("{weeks:?}");
}
