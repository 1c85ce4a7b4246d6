//! Who is privileged: asks the directories, and keeps what they say.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::atlassian::{AccessType, Error, Organization, Site, UserRecord};
use crate::config::Admins;
use crate::storage::{Store, StoreError, TenantId};
use pagewarden_core::model::{AccountId, GrantSource, Group, Privilege, Snapshot};
use pagewarden_core::pattern::Pattern;

/// What makes an account privileged, ready to be asked.
#[derive(Debug)]
pub struct Privileging {
    roles: Vec<String>,
    groups: Vec<Pattern>,
}

impl Privileging {
    /// Takes the settings.
    pub fn new(admins: &Admins) -> Self {
        let groups = admins.groups.iter();
        Self {
            roles: admins.roles.clone(),
            groups: groups.map(|group| Pattern::new(group)).collect(),
        }
    }

    /// Whether a role or group makes privileged by its name.
    pub fn makes(&self, source: &GrantSource) -> bool {
        match source {
            GrantSource::Role(role) => self.roles.iter().any(|named| named == role),
            GrantSource::Group(name) => self.group(name),
            GrantSource::Listed => true,
        }
    }

    fn group(&self, name: &str) -> bool {
        self.groups.iter().any(|pattern| pattern.matches(name))
    }
}

/// Why the roster could not be read, or only in part.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// A directory did not answer.
    #[error("{0}")]
    Api(#[from] Error),
    /// A directory without anybody, which cannot be: whoever asks is in it.
    #[error(
        "{0} is empty, which cannot be right; check the permissions and scopes of its credential"
    )]
    Nobody(&'static str),
    /// It answered with nobody, where there was somebody before.
    #[error(
        "the directory named no privileged account, although it did before; the old roster is kept"
    )]
    Empty,
    /// The state file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where a tenant's privileges are asked.
#[derive(Debug, Clone)]
pub struct Directories<'a> {
    /// The organisation, if we may see it.
    pub organization: Option<&'a Organization>,
    /// Its sites that we may see.
    pub sites: Vec<&'a Site>,
}

/// What a refresh came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    /// How many accounts are privileged.
    pub accounts: usize,
    /// Whether the answer differs from the last one.
    pub changed: bool,
    /// Why the organisation's directory cannot be asked, where the sites alone were.
    pub no_directory: Option<String>,
}

/// Who is privileged as the directories say now.
#[derive(Debug, Default)]
pub struct Survey {
    /// Who, and why each.
    pub privileges: BTreeSet<Privilege>,
    /// Why the organisation's directory cannot be asked, where the sites alone were.
    pub no_directory: Option<String>,
    /// Which directories could not be read, and why.
    pub failures: Vec<(String, RosterError)>,
}

/// Asks the directories who is privileged, and keeps nothing.
pub async fn survey(directories: &Directories<'_>, admins: &Admins) -> Survey {
    let (gathered, failures) = gather(directories, admins).await;
    let Gathered {
        no_directory,
        privileges,
        ..
    } = gathered;
    Survey {
        privileges,
        no_directory,
        failures,
    }
}

/// What was gathered so far.
#[derive(Debug, Default)]
struct Gathered {
    no_directory: Option<String>,
    privileges: BTreeSet<Privilege>,
    groups: BTreeSet<Group>,
    as_of: Option<DateTime<Utc>>,
}

impl Gathered {
    fn add(&mut self, account: &AccountId, source: GrantSource) {
        self.privileges.insert(Privilege {
            account: account.clone(),
            grant_source: source,
        });
    }

    fn user(&mut self, user: &UserRecord, privileging: &Privileging) {
        for role in user
            .roles
            .iter()
            .filter(|role| privileging.makes(&GrantSource::Role((*role).clone())))
        {
            self.add(&user.id, GrantSource::Role(role.clone()));
        }
        for group in user
            .groups
            .iter()
            .filter(|group| privileging.group(&group.name))
        {
            self.groups.insert(group.clone());
            self.add(&user.id, GrantSource::Group(group.name.clone()));
        }
    }
}

/// A roster from records of a file.
pub fn snapshot_of(users: &[UserRecord], admins: &Admins, as_of: DateTime<Utc>) -> Snapshot {
    let privileging = Privileging::new(admins);
    let mut gathered = Gathered::default();
    for user in users {
        gathered.user(user, &privileging);
    }
    gathered.snapshot(as_of)
}

impl Gathered {
    fn snapshot(self, now: DateTime<Utc>) -> Snapshot {
        Snapshot {
            as_of: self.as_of.unwrap_or(now),
            privileges: self.privileges.into_iter().collect(),
            groups: self.groups.into_iter().collect(),
        }
    }
}

/// Asks the directories who is privileged, and keeps the answer. A failed refresh keeps the old roster; an empty answer
/// never empties it. Where one directory answered and another did not, what it said is added to the old roster.
pub async fn refresh(
    store: &dyn Store,
    tenant: TenantId,
    directories: &Directories<'_>,
    admins: &Admins,
    now: DateTime<Utc>,
) -> Result<Refreshed, RosterError> {
    let (mut gathered, mut failures) = gather(directories, admins).await;
    let no_directory = gathered.no_directory.take();
    let previous = store.rosters(tenant).await?.pop();
    if previous
        .as_ref()
        .is_none_or(|previous| previous.privileges.is_empty())
    {
        // Nothing to lose: a directory without anybody may be one.
        failures.retain(|(_, failure)| !matches!(failure, RosterError::Nobody(_)));
    }
    if let Some((_, failure)) = failures.into_iter().next() {
        // What one directory says is added to what was known, and taken away is nothing.
        if !gathered.privileges.is_empty() {
            if let Some(previous) = previous {
                gathered.privileges.extend(previous.privileges);
                gathered.groups.extend(previous.groups);
            }
            store
                .keep_roster(tenant, &gathered.snapshot(now), None)
                .await?;
        }
        return fail(store, tenant, failure).await;
    }
    if gathered.privileges.is_empty()
        && previous.is_some_and(|previous| !previous.privileges.is_empty())
    {
        return fail(store, tenant, RosterError::Empty).await;
    }
    let count = gathered
        .privileges
        .iter()
        .map(|privilege| &privilege.account)
        .collect::<BTreeSet<_>>()
        .len();
    let changed = store
        .keep_roster(tenant, &gathered.snapshot(now), Some(now))
        .await?;
    Ok(Refreshed {
        accounts: count,
        changed,
        no_directory,
    })
}

async fn fail<T>(store: &dyn Store, tenant: TenantId, why: RosterError) -> Result<T, RosterError> {
    // A stop says nothing about the directories.
    if matches!(&why, RosterError::Api(error) if error.is_stop()) {
        return Err(why);
    }
    store
        .record_roster_failure(tenant, &why.to_string())
        .await?;
    Err(why)
}

/// What the directories say, and which of them could not be read.
async fn gather(
    directories: &Directories<'_>,
    admins: &Admins,
) -> (Gathered, Vec<(String, RosterError)>) {
    let privileging = Privileging::new(admins);
    let mut gathered = Gathered::default();
    let mut failures = Vec::new();
    if let Some(organization) = directories.organization {
        match from_organization(organization, &privileging, &mut gathered).await {
            Ok(()) => {}
            Err(RosterError::Api(error))
                if error.is_no_directory() && !directories.sites.is_empty() =>
            {
                gathered.no_directory = Some(error.to_string());
            }
            Err(error) => failures.push(("the organisation's directory".to_owned(), error)),
        }
    }
    for site in &directories.sites {
        if let Err(error) = from_site(site, &privileging, &mut gathered).await {
            failures.push((format!("the groups of {}", site.host()), error));
        }
    }
    (gathered, failures)
}

async fn from_organization(
    organization: &Organization,
    privileging: &Privileging,
    gathered: &mut Gathered,
) -> Result<(), RosterError> {
    let walk = organization
        .all_users(&mut |users| {
            for user in &users {
                gathered.user(user, privileging);
            }
        })
        .await?;
    gathered.as_of = gathered.as_of.max(walk.as_of);
    if walk.accounts == 0 {
        return Err(RosterError::Nobody("the organisation's directory"));
    }
    Ok(())
}

/// Groups that give administrator's access, whatever they are called, then groups by their name.
async fn from_site(
    site: &Site,
    privileging: &Privileging,
    gathered: &mut Gathered,
) -> Result<(), RosterError> {
    let mut groups = BTreeSet::new();
    for access_type in [AccessType::Admin, AccessType::SiteAdmin] {
        groups.extend(site.groups(Some(access_type)).await?.items);
    }
    let named = site.groups(None).await?;
    gathered.as_of = gathered.as_of.max(named.as_of);
    if named.items.is_empty() && groups.is_empty() {
        return Err(RosterError::Nobody("the site's list of groups"));
    }
    groups.extend(
        named
            .items
            .into_iter()
            .filter(|group| privileging.group(&group.name)),
    );
    for group in groups {
        let Some(id) = group.id.clone() else { continue };
        let members = site.members(&id).await?.items;
        // An unknown group answers like an empty one, so an empty one is asked for by its id.
        if members.is_empty() && !site.group_exists(&id).await? {
            continue;
        }
        for account in &members {
            gathered.add(account, GrantSource::Group(group.name.clone()));
        }
        gathered.groups.insert(group);
    }
    Ok(())
}
