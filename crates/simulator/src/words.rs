//! Atlassian's words for what was done.

use super::world::log::Act;

/// The id of an action and how the audit log of the organisation says it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word {
    /// The id.
    pub(crate) id: &'static str,
    /// The display name.
    pub(crate) name: &'static str,
    /// The display name of its group.
    pub(crate) group: &'static str,
    /// Whether the plan must include the activity of people to have it.
    pub(crate) activity: bool,
}

/// A word.
const fn word(id: &'static str, name: &'static str, group: &'static str, activity: bool) -> Word {
    Word {
        id,
        name,
        group,
        activity,
    }
}

/// The words that `event-actions` lists.
pub(crate) const WORDS: [Word; 20] = [
    word(
        "confluence_page_viewed",
        "Viewed Confluence page",
        "Confluence pages",
        true,
    ),
    word(
        "confluence_blog_viewed",
        "Viewed Confluence blog",
        "Confluence blogs",
        true,
    ),
    word(
        "confluence_page_created",
        "Created Confluence page",
        "Confluence pages",
        true,
    ),
    word(
        "confluence_page_updated",
        "Edited Confluence page",
        "Confluence pages",
        true,
    ),
    word(
        "jira_issue_viewed",
        "Viewed Jira issue",
        "Jira issues",
        true,
    ),
    word(
        "jira_issue_updated",
        "Edited Jira issue",
        "Jira issues",
        true,
    ),
    word("user_login", "Logged in to account", "Sign-in", false),
    word(
        "user_login_failed",
        "Failed to log in to account",
        "Sign-in",
        false,
    ),
    word("user_logout", "Logged out of account", "Sign-in", false),
    word(
        "api_token_created",
        "Created API token",
        "API tokens",
        false,
    ),
    word(
        "confluence_added_space_permission",
        "Added Confluence space permission",
        "Confluence spaces",
        false,
    ),
    word(
        "confluence_audit_record_removed_content_restriction",
        "Removed Confluence content restriction",
        "Confluence pages",
        false,
    ),
    word(
        "user_added_to_group",
        "Added user to group",
        "Groups",
        false,
    ),
    word(
        "user_removed_from_group",
        "Removed user from group",
        "Groups",
        false,
    ),
    word(
        "confluence_space_export_completed",
        "Completed Confluence space export",
        "Confluence spaces",
        true,
    ),
    word(
        "confluence_space_export_downloaded",
        "Downloaded Confluence space export",
        "Confluence spaces",
        true,
    ),
    word(
        "confluence_page_export_downloaded",
        "Downloaded Confluence page export",
        "Confluence pages",
        true,
    ),
    word(
        "user_invitation_sent",
        "Sent invitation to user",
        "Users",
        false,
    ),
    word(
        "org_settings_update",
        "Updated organization settings",
        "Organization",
        false,
    ),
    word(
        "organization_users_viewed",
        "Viewed users of the organization",
        "Organization",
        false,
    ),
];

/// What the site does by itself, and is in no list.
const REBUILT: Word = word(
    "confluence_space_index_rebuilt",
    "Rebuilt index of Confluence space",
    "",
    true,
);

/// Words that are in no list.
const STRANGE: [Word; 4] = [
    word("loom_clip_reaction_added_v3", "Reacted", "", true),
    word("atlas_goal_nudged", "Nudged", "", true),
    word(
        "confluence_whiteboard_sticky_moved",
        "Moved a sticky note",
        "",
        true,
    ),
    word("rovo-chat.turn_completed", "Chatted", "", true),
];

/// The word for an act.
pub(crate) fn word_of(act: Act) -> Word {
    let [
        viewed,
        post_viewed,
        created,
        updated,
        issue_viewed,
        issue_updated,
        signed_in,
        sign_in_failed,
        signed_out,
        token_created,
        permission_added,
        restriction_removed,
        joined,
        left,
        space_exported,
        space_downloaded,
        page_downloaded,
        invited,
        settings,
        listed,
    ] = WORDS;
    match act {
        Act::Viewed(_) | Act::Unusable(_) => viewed,
        Act::PostViewed(_) => post_viewed,
        Act::Created(_) => created,
        Act::Updated(_) => updated,
        Act::IssueViewed(_) => issue_viewed,
        Act::IssueUpdated(_) => issue_updated,
        Act::SignedIn => signed_in,
        Act::SignInFailed => sign_in_failed,
        Act::SignedOut => signed_out,
        Act::TokenCreated => token_created,
        Act::PermissionAdded(_) => permission_added,
        Act::RestrictionRemoved(_) => restriction_removed,
        Act::Joined(_) => joined,
        Act::Left(_) => left,
        Act::SpaceExported(_) => space_exported,
        Act::SpaceExportDownloaded(_) => space_downloaded,
        Act::PageExportDownloaded(_) => page_downloaded,
        Act::Invited(_) => invited,
        Act::SettingsChanged => settings,
        Act::UsersListed => listed,
        Act::Rebuilt(_) => REBUILT,
        Act::Strange(kind) => {
            let [first, second, third, fourth] = STRANGE;
            match kind % 4 {
                0 => first,
                1 => second,
                2 => third,
                _ => fourth,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_and_the_log_agree_on_what_needs_a_plan() {
        let acts = [
            Act::Viewed(0),
            Act::PostViewed(0),
            Act::SignedIn,
            Act::TokenCreated,
            Act::PermissionAdded(0),
            Act::Joined(0),
            Act::Left(0),
            Act::SpaceExported(0),
            Act::SpaceExportDownloaded(0),
            Act::PageExportDownloaded(0),
            Act::Invited(0),
            Act::SettingsChanged,
            Act::UsersListed,
            Act::Rebuilt(0),
            Act::Strange(3),
        ];
        for act in acts {
            assert_eq!(word_of(act).activity, act.is_activity(), "{act:?}");
        }
        assert_eq!(word_of(Act::UsersListed).id, "organization_users_viewed");
        assert_eq!(word_of(Act::Left(0)).id, "user_removed_from_group");
    }
}
