//! What the configured APIs and the plan let us see, said in words: silence is not quiet.

use crate::config;
use crate::storage::{CanaryView, StreamStatus};
use pagewarden_core::detect::blind_spot::names_no_pages;
use pagewarden_core::model::{EventAction, StreamName};

/// How many events without a page view among them are no accident.
const ENOUGH: u64 = 200;

/// Whether page views come in, and everything else that cannot be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Whether page views arrive; none where that is not known yet.
    pub page_views: Option<bool>,
    /// What cannot be seen, a sentence each.
    pub notes: Vec<String>,
}

/// What is seen of a tenant: by its settings (none for a tenant that was only imported), the kinds of event it has, and
/// what came in.
pub fn coverage(
    settings: Option<&config::Tenant>,
    actions: &[EventAction],
    streams: &[StreamStatus],
) -> Coverage {
    let mut coverage = Coverage::default();
    let access = streams
        .iter()
        .find(|status| status.stream.name == StreamName::Access);
    if settings.is_some_and(|settings| settings.organization.is_none())
        && access.is_none_or(|access| access.stored == 0)
    {
        coverage.page_views = Some(false);
        coverage.notes.push(
            "page views are not seen: no [tenant.organization] is configured, and the site audit log holds none; bulk collection \
             cannot be found, only exports and changes of groups and permissions"
                .to_owned(),
        );
    }
    if let Some(access) = access {
        views(access, actions, &mut coverage);
        if names_no_pages(access.unresolved, access.reading) {
            coverage.notes.push(format!(
                "page names are switched off, or were until lately: {} of {} views name no page, so nobody can be seen to open many. \
                 An organisation admin can switch them on: admin.atlassian.com, audit log settings, in-app activity data",
                access.unresolved, access.reading
            ));
        } else if access.unresolved > 0 {
            coverage.notes.push(format!(
                "{} of the views and downloads named no page that could be resolved; they count as views, but not as pages",
                access.unresolved
            ));
        }
    }
    if settings.is_some_and(|settings| settings.sites.is_empty()) {
        coverage.notes.push(
            "the site audit log is not read: no [[tenant.site]] is configured; members of administrators' groups are known \
             only as far as the organisation's directory lists them"
                .to_owned(),
        );
    }
    coverage
}

/// What is said where the roster was read and names nobody: then every account is scored as unprivileged.
pub fn nobody_privileged(accounts: usize) -> Option<&'static str> {
    (accounts == 0).then_some(
        "nobody counts as privileged: the directories name no account with one of the roles or groups of [tenant.admins]; \
         check that the credentials may read them",
    )
}

/// The note about a canary page that only a view count can report on, where the site refuses the count.
pub fn canary_note(view: &CanaryView) -> Option<String> {
    let CanaryView {
        site,
        page,
        counted: _,
        refused,
    } = view;
    let why = refused.as_ref()?;
    Some(format!(
        "views of canary page {page} on {site} are not seen: no page views come in, and {why}"
    ))
}

fn views(access: &StreamStatus, actions: &[EventAction], coverage: &mut Coverage) {
    if access.reading > 0 {
        coverage.page_views = Some(true);
        return;
    }
    let offered = actions.iter().any(|action| {
        action
            .display_name
            .to_lowercase()
            .contains("viewed confluence page")
    });
    if access.stored >= ENOUGH {
        coverage.page_views = Some(false);
        coverage.notes.push(format!(
            "page views are not seen: not one among {} events. Atlassian keeps them only for Guard Premium and Cloud Enterprise, \
             and an administrator may have excluded them (audit log settings, event exclusions){}",
            access.stored,
            if offered { "; the tenant's list of activities does name them" } else { "" }
        ));
    } else if access.last_success.is_some() {
        coverage.notes.push(format!(
            "no page view has come in yet, among {} events; should that stay so, look at the plan (Guard Premium or Cloud \
             Enterprise) and at the event exclusions of the audit log",
            access.stored
        ));
    }
}
