//! A site's audit log: whether it can be read.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{ONCE, PATIENCE, clocks, late, place};
use crate::atlassian::{Mapper, Site};
use crate::config::{SiteRoute, Tenant};
use crate::http::Transport;
use crate::output::check::{Level, Report};
use pagewarden_core::text::count;
use pagewarden_core::time::before;

/// How far back the sample of records begins.
const SAMPLE: Duration = Duration::from_hours(7 * 24);

/// Reads a page of the audit log of the tenant's site with this number.
pub(super) async fn check(tenant: &Tenant, number: usize, now: DateTime<Utc>) -> Report {
    let (mut report, name) = (Report::default(), tenant.name.as_str());
    let Some(settings) = tenant.sites.get(number) else {
        return report;
    };
    // That a secret cannot be read was said already.
    let Ok(token) = settings.api_token.read() else {
        return report;
    };
    let stop = CancellationToken::new();
    let built = Site::new(&Transport::default(), settings, token, ONCE, stop);
    let site = match built {
        Ok(site) => site,
        Err(error) => {
            report.say_of(name, Level::Error, format!("site.url: {error}"));
            return report;
        }
    };
    let host = site.host();
    let log = match settings.via {
        SiteRoute::Site => format!("the audit log of {}", place(&settings.url)),
        SiteRoute::Gateway => format!(
            "the audit log of {host} through {}",
            place(&settings.gateway)
        ),
    };
    let (from, until) = (before(now, SAMPLE), now);
    let (from, until) = (from.timestamp_millis(), until.timestamp_millis());
    let mapper = Mapper::new(&tenant.actions, &[]);
    match timeout(PATIENCE, site.audit(from, until, 0, &mapper)).await {
        Ok(Ok(page)) => {
            clocks(&mut report, name, &host, page.server_time);
            let received = u64::try_from(page.received).unwrap_or(u64::MAX);
            if received == 0 && page.announced > 0 {
                let text = format!(
                    "{log} says that it holds {} records, and shows none of them; check the permissions and scopes of its token",
                    page.announced
                );
                report.say_of(name, Level::Warn, text);
            } else {
                let text = format!(
                    "{log} can be read: {} of the last week on the first page",
                    count(received, "record")
                );
                report.say_of(name, Level::Ok, text);
            }
        }
        Ok(Err(error)) => {
            let text = format!("{log} cannot be read: {error}");
            report.say_of(name, Level::Error, text);
        }
        Err(_) => report.say_of(name, Level::Error, format!("{log}: {}", late())),
    }
    report
}
