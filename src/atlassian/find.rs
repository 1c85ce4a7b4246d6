//! Finding pages, spaces and hosts in links and texts.

/// The number of the page that a link or text names.
pub(super) fn page(text: &str) -> Option<&str> {
    let (mut post, mut content, mut attachment) = (None, None, None);
    for part in parts(text) {
        if let Some(rest) = part.strip_prefix("pages/") {
            let found = number(rest.strip_prefix("edit-v2/").unwrap_or(rest));
            if found.is_some() {
                return found;
            }
        } else if let Some(rest) = part.strip_prefix("blog/") {
            post = post.or_else(|| blog(rest));
        } else if let Some(rest) = part.strip_prefix("content/") {
            content = content.or_else(|| number(rest));
        } else if let Some(rest) = part.strip_prefix("attachments/") {
            attachment = attachment.or_else(|| number(rest));
        }
    }
    parameters(text, "pageId")
        .find_map(number)
        .or(post)
        .or(content)
        .or(attachment)
}

/// The key of the space that a link names.
pub(super) fn space(text: &str) -> Option<String> {
    let mut display = None;
    for part in parts(text) {
        if let Some(rest) = part.strip_prefix("spaces/") {
            let found = key(rest);
            if found.is_some() {
                return found;
            }
        } else if let Some(rest) = part.strip_prefix("display/") {
            display = display.or_else(|| key(rest));
        }
    }
    display.or_else(|| parameters(text, "spaceKey").find_map(key))
}

/// The key of a space that a text begins with.
fn key(rest: &str) -> Option<String> {
    let key = rest.split(['/', '?', '#', '&', ' ', '"']).next()?;
    let page_of_its_own = key.ends_with(".action") || key == "flyingpdf";
    (!key.is_empty() && !page_of_its_own).then(|| unescape(key))
}

/// The host that a link or a bare name names, lower case.
pub(super) fn host(text: &str) -> Option<String> {
    let rest = text.trim();
    let rest = rest
        .split_once(':')
        .and_then(|(_, rest)| rest.strip_prefix("//"))
        .unwrap_or(rest);
    let end = rest
        .bytes()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'));
    let authority = end.map_or(Some(rest), |end| rest.get(..end))?;
    let name = authority
        .rsplit_once('@')
        .map_or(authority, |(_, name)| name);
    let name = match name.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => name.split(':').next()?,
    };
    let plain = name.bytes().all(|byte| byte.is_ascii_graphic());
    let plausible = !name.is_empty()
        && (plain || !name.contains(|at: char| at.is_whitespace() || at.is_control()));
    plausible.then(|| name.to_ascii_lowercase())
}

/// The last part of an Atlassian resource identifier; any other id as it is.
pub(super) fn last_part(id: &str) -> &str {
    if id.starts_with("ari:") {
        id.rsplit(['/', ':']).next().unwrap_or(id)
    } else {
        id
    }
}

/// The account in an identifier, which may itself hold a colon.
pub(super) fn account(id: &str) -> &str {
    if id.starts_with("ari:") {
        id.rsplit('/').next().unwrap_or(id)
    } else {
        id
    }
}

/// Whether it is a number in digits.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What follows each slash.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('/')
        .filter_map(|(at, _)| text.get(at + 1..))
}

/// What follows each `=` behind a name.
fn parameters<'a>(text: &'a str, name: &'static str) -> impl Iterator<Item = &'a str> {
    text.match_indices('=').filter_map(move |(at, _)| {
        let (before, behind) = text.split_at_checked(at)?;
        before.ends_with(name).then(|| behind.get(1..))?
    })
}

/// The digits that a text begins with, if they end with the word.
fn number(text: &str) -> Option<&str> {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    let ends = !rest.starts_with(|next: char| next.is_alphanumeric() || next == '-' || next == '_');
    (ends && !digits.is_empty()).then_some(digits)
}

/// The number of a blog post: behind its date, where the link has one.
fn blog(text: &str) -> Option<&str> {
    let mut parts = text.split('/');
    let first = parts.next()?;
    if first.len() == 4 && is_number(first) {
        return number(parts.nth(2)?);
    }
    number(first)
}

/// Takes `%41` for `A`; anything that is not text then stays as it was.
fn unescape(text: &str) -> String {
    if !text.contains('%') {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let escaped = more.get(..2).filter(|_| *first == b'%').and_then(|two| {
            let two = str::from_utf8(two)
                .ok()
                .filter(|two| !two.starts_with('+'))?;
            u8::from_str_radix(two, 16).ok()
        });
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() {
            more.get(2..).unwrap_or_default()
        } else {
            more
        };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_in_every_kind_of_link() {
        for (text, id) in [
            (
                "https://acme.atlassian.net/wiki/spaces/ENG/pages/98765/Some+Title",
                "98765",
            ),
            ("/wiki/spaces/ENG/pages/98765", "98765"),
            ("/wiki/spaces/ENG/pages/edit-v2/98765?draft=1", "98765"),
            (
                "https://acme.atlassian.net/wiki/pages/viewpage.action?pageId=4711&x=1",
                "4711",
            ),
            ("/exportword?pageId=4711", "4711"),
            ("/wiki/spaces/ENG/blog/2026/05/12/55501/News", "55501"),
            ("/wiki/spaces/ENG/blog/55501", "55501"),
            ("/wiki/rest/api/content/12", "12"),
            ("/download/attachments/77/a.pdf", "77"),
            ("Viewed Confluence page /pages/31337.", "31337"),
            ("/pages/not-one and then /pages/5", "5"),
        ] {
            assert_eq!(page(text), Some(id), "{text}");
        }
    }

    #[test]
    fn what_names_no_page_gives_none() {
        for text in [
            "",
            "/pages/",
            "/pages/12ab",
            "/pages/12-x",
            "pageId=",
            "/wiki/spaces/ENG/overview",
            "/browse/WEB-21",
            "/blog/2026/05",
            "pages/12",
        ] {
            assert_eq!(page(text), None, "{text}");
        }
    }

    #[test]
    fn spaces_are_found_in_links() {
        for (text, key) in [
            (
                "https://acme.atlassian.net/wiki/spaces/ENG/pages/1/T",
                "ENG",
            ),
            ("/wiki/spaces/ENG", "ENG"),
            ("/display/HR/Home", "HR"),
            ("/wiki/spaces/~712020abc/overview", "~712020abc"),
            ("/wiki/spaces/%7E712020abc/overview", "~712020abc"),
            ("/spaces/viewspace.action?spaceKey=OPS&a=b", "OPS"),
            ("/wiki/spaces/%zz%4/x", "%zz%4"),
        ] {
            assert_eq!(space(text).as_deref(), Some(key), "{text}");
        }
        assert_eq!(space("/wiki/spaces/"), None);
        assert_eq!(
            space("/spaces/flyingpdf/pdfpageexport.action?pageId=1"),
            None
        );
    }

    #[test]
    fn hosts_are_found_in_links_and_bare_names() {
        for (text, name) in [
            ("https://Acme.atlassian.net", "acme.atlassian.net"),
            (
                "https://acme.atlassian.net:8443/wiki?x=1",
                "acme.atlassian.net",
            ),
            ("testhostname", "testhostname"),
            ("https://ada@acme.example/x", "acme.example"),
            ("http://[::1]:80/", "::1"),
        ] {
            assert_eq!(host(text).as_deref(), Some(name), "{text}");
        }
        for text in ["", "  ", "https://", "two words"] {
            assert_eq!(host(text), None, "{text}");
        }
    }

    #[test]
    fn an_identifier_is_taken_for_its_last_part() {
        assert_eq!(last_part("ari:cloud:confluence:0a1b:page/123"), "123");
        assert_eq!(last_part("123"), "123");
        assert_eq!(
            account("ari:cloud:identity::user/712020:aa-bb"),
            "712020:aa-bb"
        );
        assert_eq!(account("712020:aa-bb"), "712020:aa-bb");
    }
}
