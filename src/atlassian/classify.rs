//! What an action is, by the words of its id or of its English name.
//!
//! The ids of views and exports are not documented, so the words decide; the config can overrule them.

use pagewarden_core::detect::LogChange;
use pagewarden_core::model::{Class, Membership};
pub(super) use pagewarden_core::words::Words;
use pagewarden_core::words::{ADDED, CHANGED, REMOVED, SEEN_BEFORE};

/// A membership that an action changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MembershipChange {
    /// Of what.
    pub(super) of: MembershipOf,
    /// Which way.
    pub(super) to: Membership,
}

/// What a membership is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MembershipOf {
    /// A group that the record names.
    Group,
    /// A role that the record names.
    Role,
    /// A role that the action itself names.
    Named(&'static str),
}

/// Something was read, if it can be.
const SEEN: &[&str] = &["viewed", "view", "opened", "read", "visited"];
/// What is read like a page.
const PAGES: &[&str] = &[
    "page",
    "pages",
    "content",
    "contents",
    "whiteboard",
    "database",
    "doc",
    "document",
];
/// What is read like a blog post.
const BLOGS: &[&str] = &["blog", "blogs", "blogpost", "blogposts"];

/// What an action is, by its words; none where they say nothing. `confluence`: whether it is known to be Confluence's.
pub(super) fn class_of(words: &Words, confluence: bool) -> Option<Class> {
    if LogChange::of(words).is_some() {
        return Some(Class::Logging);
    }
    let signs_in = words.any(&["login", "logout", "signin", "signout"])
        || words.row(&["logged", "in"])
        || words.row(&["logged", "out"])
        || words.row(&["signed", "in"]);
    if signs_in {
        return Some(Class::SignIn);
    }
    if words.any(&["token", "tokens", "apikey"])
        || words.row(&["api", "key"])
        || words.row(&["api", "keys"])
    {
        return Some(Class::Token);
    }
    if is_permission(words) {
        return Some(Class::Permission);
    }
    let other_product = words.any(&[
        "jira",
        "bitbucket",
        "loom",
        "trello",
        "compass",
        "opsgenie",
        "guard",
        "beacon",
    ]);
    if (confluence || words.any(&["confluence"])) && !other_product {
        if let Some(class) = reading(words) {
            return Some(class);
        }
    } else if words.any(&["space"]) && words.starting("export") {
        return reading(words);
    }
    if words.any(&["group", "groups", "usergroup"]) && !words.any(SEEN_BEFORE) {
        return Some(Class::Group);
    }
    (other_product || words.any(&["organization", "org", "profile"])).then_some(Class::Other)
}

/// Whether permissions, restrictions, roles or rules changed.
fn is_permission(words: &Words) -> bool {
    if words.any(SEEN_BEFORE) {
        return false;
    }
    let changes = words.any(ADDED) || words.any(REMOVED) || words.any(CHANGED);
    words.any(&[
        "permission",
        "permissions",
        "restriction",
        "restrictions",
        "role",
        "roles",
    ]) || (words.any(&["admin", "admins", "administrator", "orgadmin", "access"])
        && (words.any(ADDED) || words.any(REMOVED)))
        || (words.any(&["policy"]) && changes)
        || words.row(&["public", "link"])
        || words.row(&["public", "links"])
        || words.row(&["anonymous", "access"])
}

/// Which reading (or searching) of Confluence it is.
fn reading(words: &Words) -> Option<Class> {
    let about = [
        "analytics",
        "views",
        "viewers",
        "insights",
        "settings",
        "setting",
        "policy",
        "audit",
        "auditlog",
        "permission",
        "permissions",
        "restriction",
        "restrictions",
    ];
    let came_to_nothing = [
        "failed",
        "cancelled",
        "canceled",
        "blocked",
        "denied",
        "deleted",
        "disabled",
        "enabled",
        "restored",
        "imported",
    ];
    if words.any(&about) || words.any(&came_to_nothing) {
        return None;
    }
    if words.starting("download") {
        return Some(Class::Download);
    }
    if words.starting("export") || words.any(&["backup", "backups"]) {
        return Some(Class::Export);
    }
    if words.any(&["search", "searched", "searches"]) {
        return Some(Class::Search);
    }
    if !words.any(SEEN) && !words.any(&["previewed"]) {
        return None;
    }
    if words.any(&["attachment", "attachments", "file"]) {
        Some(Class::Download)
    } else if words.any(BLOGS) {
        Some(Class::BlogView)
    } else {
        words.any(PAGES).then_some(Class::View)
    }
}

/// The membership that an action changes, if it changes one.
pub(super) fn membership_of(words: &Words) -> Option<MembershipChange> {
    let to = if words.any(REMOVED) {
        Membership::Left
    } else if words.any(ADDED) {
        Membership::Joined
    } else {
        return None;
    };
    let somebody = words.any(&["user", "users", "member", "members", "membership"]);
    let of = if words.any(&["role", "roles"]) && !words.any(&["group", "groups"]) {
        MembershipOf::Role
    } else if words.any(&["group", "groups"]) && somebody {
        MembershipOf::Group
    } else if words.any(&["admin", "admins"]) && words.any(&["org", "organization", "orgadmin"]) {
        MembershipOf::Named("org-admin")
    } else if words.row(&["site", "admin"]) {
        MembershipOf::Named("site-admin")
    } else if words.any(&["orgadmin"]) {
        MembershipOf::Named("org-admin")
    } else {
        return None;
    };
    Some(MembershipChange { of, to })
}

/// The role as the config and the directory name it: `org-admin` for `atlassian/org-admin` and for "Organization admin".
pub(super) fn role_word(role: &str) -> String {
    let role = role.trim().to_ascii_lowercase();
    let role = role.rsplit('/').next().unwrap_or_default();
    let words: Vec<&str> = role
        .split([' ', '_', '-'])
        .filter(|word| !word.is_empty())
        .collect();
    let words: Vec<&str> = words
        .into_iter()
        .map(|word| match word {
            "organization" | "organisation" => "org",
            "administrator" => "admin",
            other => other,
        })
        .collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Class::{
        BlogView, Download, Export, Group, Logging, Other, Permission, Search, SignIn, Token, View,
    };
    use Membership::{Joined, Left};
    use MembershipOf::{Named, Role};

    fn class(action: &str) -> Class {
        class_of(&Words::of(action), false).unwrap_or(Other)
    }

    #[test]
    fn every_action_id_that_has_been_seen_has_its_class() {
        for (id, expected) in [
            ("jira_issue_viewed", Other),
            ("user_login", SignIn),
            ("user_login_failed", SignIn),
            ("user_logout", SignIn),
            ("api_token_created", Token),
            ("confluence_added_space_permission", Permission),
            (
                "confluence_audit_record_removed_content_restriction",
                Permission,
            ),
            ("user_invitation_sent", Other),
            ("org_settings_update", Other),
            ("marketplace_app_installed", Other),
            ("organization_users_viewed", Other),
            ("user_profile_viewed", Other),
            ("user_logged_in_as_user", SignIn),
            ("confluence_page_viewed", View),
            ("confluence_page_created", Other),
            ("confluence_page_updated", Other),
            ("jira_issue_created", Other),
            ("jira_issue_updated", Other),
            ("user_added_to_group", Group),
            ("user_created", Other),
            ("twosv_disabled_for_user", Other),
            ("group_created", Group),
            ("group_deleted", Group),
            ("user_granted_role", Permission),
            ("user_revoked_role", Permission),
            ("added_org_admin", Permission),
            ("group_granted_admin_access", Permission),
            ("api_token_revoked", Token),
            ("group_member_added", Group),
            ("group_members_removed", Group),
            ("some_policy_update", Permission),
            ("space.exported", Export),
        ] {
            assert_eq!(class(id), expected, "{id}");
        }
    }

    #[test]
    fn every_documented_name_has_its_class() {
        for (name, expected) in [
            ("Viewed Confluence page", View),
            ("Viewed Confluence blog", BlogView),
            ("Created Confluence page", Other),
            ("Edited Confluence page", Other),
            ("Completed Confluence space export", Export),
            ("Downloaded Confluence space export", Download),
            ("Downloaded Confluence page export", Download),
            ("Added Confluence space permission", Permission),
            ("Changed Confluence public link permissions", Permission),
            ("Viewed API token", Token),
            ("Created API token", Token),
            ("Exported API tokens", Token),
            ("Exported organization audit log", Logging),
            ("Changed authentication policy for domain", Permission),
            ("Logged in to account", SignIn),
            ("Logged out of account", SignIn),
            ("Third-party app Confluence API request", Other),
            ("Confluence Page Generated AI Content", Other),
            ("Confluence Page Triggered Policy Violation", Other),
        ] {
            assert_eq!(class(name), expected, "{name}");
        }
    }

    #[test]
    fn ids_that_may_be_expected_have_their_class() {
        for (id, expected) in [
            ("confluence_blog_viewed", BlogView),
            ("confluence_blogpost_viewed", BlogView),
            ("confluence_blog_post_viewed", BlogView),
            ("confluence_page_exported", Export),
            ("confluence_page_export_completed", Export),
            ("confluence_page_exported_to_pdf", Export),
            ("confluence_space_exported", Export),
            ("confluence_space_export_completed", Export),
            ("confluence_space_export_downloaded", Download),
            ("confluence_page_export_downloaded", Download),
            ("confluence_attachment_downloaded", Download),
            ("confluence_attachment_viewed", Download),
            ("confluence_site_backup_created", Export),
            ("confluence_backup_downloaded", Download),
            ("confluence_search_performed", Search),
            ("confluence_searched", Search),
            ("confluencePageViewed", View),
            ("confluence.page.viewed", View),
            ("confluence_page_views_exported_analytics", Other),
            ("confluence_analytics_page_viewed", Other),
            ("confluence_page_permissions_viewed", Other),
            ("confluence_export_settings_updated", Other),
            ("confluence_space_export_failed", Other),
            ("confluence_page_view_restriction_added", Permission),
            ("jira_dashboard_exported", Other),
            ("jira_attachment_downloaded", Other),
            ("removed_org_admin", Permission),
            ("user_removed_from_group", Group),
            ("rotate_scim_directory_token", Token),
            ("admin_api_key_created", Token),
        ] {
            assert_eq!(class(id), expected, "{id}");
        }
    }

    #[test]
    fn summaries_of_the_site_audit_log_have_their_class() {
        for (summary, expected) in [
            ("Space exported", Export),
            ("Site exported", Export),
            ("Backup created", Export),
            ("Page viewed with admin key", View),
            ("Space logo uploaded", Other),
            ("Space created", Other),
            ("Space configuration updated", Other),
            ("User added to group", Group),
            ("User removed from group", Group),
            ("User created", Other),
            ("Group created", Group),
            ("User details updated", Other),
            ("User deactivated", Other),
            ("Page archived", Other),
            ("Space permission added", Permission),
            ("Content restriction removed", Permission),
            ("Public link enabled", Permission),
            ("Audit log exported", Logging),
        ] {
            assert_eq!(
                class_of(&Words::of(summary), true).unwrap_or(Other),
                expected,
                "{summary}"
            );
        }
    }

    #[test]
    fn memberships_are_named_by_the_words() {
        let change =
            |action: &str| membership_of(&Words::of(action)).map(|change| (change.of, change.to));
        for (action, expected) in [
            ("user_added_to_group", Some((MembershipOf::Group, Joined))),
            ("group_member_added", Some((MembershipOf::Group, Joined))),
            ("group_members_removed", Some((MembershipOf::Group, Left))),
            ("user_removed_from_group", Some((MembershipOf::Group, Left))),
            ("User removed from group", Some((MembershipOf::Group, Left))),
            ("user_granted_role", Some((Role, Joined))),
            ("user_revoked_role", Some((Role, Left))),
            ("added_org_admin", Some((Named("org-admin"), Joined))),
            ("removed_org_admin", Some((Named("org-admin"), Left))),
            ("ADDED_ORGADMIN", Some((Named("org-admin"), Joined))),
            ("group_granted_admin_access", None),
            ("group_created", None),
            ("user_created", None),
            ("confluence_added_space_permission", None),
        ] {
            assert_eq!(change(action), expected, "{action}");
        }
    }

    #[test]
    fn roles_have_one_word_each() {
        for role in [
            "org-admin",
            "atlassian/org-admin",
            "Organization admin",
            "Organisation Administrator",
            "ORG_ADMIN",
        ] {
            assert_eq!(role_word(role), "org-admin", "{role}");
        }
        assert_eq!(role_word("User access admin"), "user-access-admin");
    }
}
