//! Pages and spaces belong to a site: those that the settings of a tenant name must lie on one of its sites, and on one only.

use super::super::raw::{Section, list};
use super::super::{Detect, Site, Suppressed};
use crate::config::problem::Report;
use pagewarden_core::model::settings::Placed;

/// Where a tenant's pages and spaces may lie.
pub(super) struct Places<'s, 'd> {
    section: &'s Section<'d>,
    /// How messages call the tenant.
    whose: String,
    /// The hosts of its sites; empty where it names none, and all may be its own.
    hosts: Vec<String>,
}

impl<'s, 'd> Places<'s, 'd> {
    pub(super) fn new(
        section: &'s Section<'d>,
        name: Option<&str>,
        sites: &[Option<Site>],
    ) -> Self {
        let host = |site: &Site| site.url.host_str().unwrap_or_default().to_lowercase();
        Self {
            section,
            whose: name.map_or("this tenant".to_owned(), |name| format!("tenant `{name}`")),
            // Where one of them cannot be read, it may be the one that is meant.
            hosts: if sites.iter().all(Option::is_some) {
                sites.iter().flatten().map(host).collect()
            } else {
                Vec::new()
            },
        }
    }

    /// Notes what lies on no site of the tenant, or may lie on several.
    pub(super) fn check(&self, detect: &Detect, global: &Detect, report: &mut Report<'_>) {
        let own_pages = detect.canary_pages != global.canary_pages;
        for page in &detect.canary_pages {
            let page = Placed {
                id: page.id.as_str(),
                site: page.site.clone(),
            };
            self.one("canary_pages", "page", "pages", &page, own_pages, report);
        }
        // The tenant's own come behind the global ones.
        for (place, rule) in detect.suppress.iter().enumerate() {
            if let Suppressed::Space(space) = &rule.what {
                let space = Placed {
                    id: space.id.as_str(),
                    site: space.site.clone(),
                };
                let own = place >= global.suppress.len();
                self.one("suppress.space", "space", "spaces", &space, own, report);
            }
        }
    }

    fn one(
        &self,
        key: &str,
        kind: &str,
        folder: &str,
        place: &Placed<&str>,
        own: bool,
        report: &mut Report<'_>,
    ) {
        let (whose, id) = (&self.whose, place.id);
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        let what = match &place.site {
            None if hosts.len() > 1 => format!(
                "each site of {whose} may have a {kind} {id}; write its address instead, `https://SITE/wiki/{folder}/{id}` with one of {}",
                list(&hosts)
            ),
            // A global one may be meant for another tenant.
            Some(site) if own && !hosts.is_empty() && !hosts.contains(&site.as_str()) => {
                format!("{whose} has no site `{site}`; it has {}", list(&hosts))
            }
            Some(_) | None => return,
        };
        let header = self.section.get("detect").filter(|_| own);
        let at = header.map_or(self.section.at, |detect| detect.span().start);
        let table = if own { "tenant.detect" } else { "detect" };
        report.push(at, format!("{table}.{key}"), what);
    }
}
