use super::super::{SecretSource, parse};
use super::*;

/// A kind with every sort of setting.
struct Mail;

/// Its settings.
#[derive(Debug)]
struct MailSettings {
    key: SecretSource,
    to: String,
    port: u32,
}

impl NotifierKind for Mail {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn keys(&self) -> &'static [NotifierKey] {
        const {
            &[
                NotifierKey::secret("key"),
                NotifierKey::plain("to"),
                NotifierKey::plain("port"),
            ]
        }
    }

    fn read(&self, table: &mut NotifierTable<'_, '_, '_>) -> Option<Arc<dyn NotifierSettings>> {
        let key = table.required_secret("key", "it signs in");
        let to = table.required_text("to", "\"soc@acme.example\"");
        let port = table.value("port", |value| values::whole(value, 1..=65_535));
        let port = port.unwrap_or(465);
        Some(Arc::new(MailSettings {
            key: key?,
            to: to?,
            port,
        }))
    }
}

impl NotifierSettings for MailSettings {
    fn list(&self) -> Vec<(&'static str, NotifierSetting<'_>)> {
        let Self { key, to, port } = self;
        vec![
            ("key", NotifierSetting::Secret(key)),
            ("to", NotifierSetting::Plain(to.as_str().into())),
            ("port", NotifierSetting::Plain(i64::from(*port).into())),
        ]
    }
}

/// A kind with one setting, which the other has not.
struct File;

/// Its settings.
#[derive(Debug)]
struct FileSettings(String);

impl NotifierKind for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn keys(&self) -> &'static [NotifierKey] {
        const { &[NotifierKey::plain("path")] }
    }

    fn read(&self, table: &mut NotifierTable<'_, '_, '_>) -> Option<Arc<dyn NotifierSettings>> {
        let path = table.text("path").unwrap_or_else(|| "-".to_owned());
        Some(Arc::new(FileSettings(path)))
    }
}

impl NotifierSettings for FileSettings {
    fn list(&self) -> Vec<(&'static str, NotifierSetting<'_>)> {
        vec![("path", NotifierSetting::Plain(self.0.as_str().into()))]
    }
}

/// A config with one tenant and these notifiers, read with both kinds.
fn read(notifiers: &str) -> Result<Vec<Notifier>, Vec<String>> {
    let tenant = "[[tenant]]\nname = \"acme\"\n[tenant.organization]\nid = \"o\"\napi_key = { env = \"KEY\" }\n";
    match parse(&format!("{tenant}{notifiers}"), "a.toml", &[&Mail, &File]) {
        Ok(config) => Ok(config.notifiers),
        Err(problems) => Err(problems.list.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn each_kind_reads_its_own_settings_and_names_its_secrets() {
    let notifiers = read(
        "[[notifier]]\nname = \"a\"\ntype = \"mail\"\nkey = { env = \"MAIL\" }\nto = \"b@c\"\nport = 25\n\
         [[notifier]]\nname = \"b\"\ntype = \"file\"\nmin_severity = \"high\"\n",
    )
    .unwrap();
    let [mail, file] = notifiers.as_slice() else {
        panic!("{notifiers:?}");
    };
    let place = SecretSource::Env("MAIL".into());
    assert_eq!(mail.secrets().collect::<Vec<_>>(), [("key", &place)]);
    let plain = |key, value: toml::Value| (key, NotifierSetting::Plain(value));
    assert_eq!(
        mail.settings.list(),
        [
            ("key", NotifierSetting::Secret(&place)),
            plain("to", "b@c".into()),
            plain("port", 25.into())
        ]
    );
    assert_eq!((mail.kind, file.kind), ("mail", "file"));
    assert_eq!(file.secrets().count(), 0);
    assert_eq!(file.settings.list(), [plain("path", "-".into())]);
    assert_eq!(
        (mail.min_severity, file.min_severity),
        (Severity::Medium, Severity::High)
    );
}

#[test]
fn every_problem_of_a_notifier_is_reported_with_its_line_and_the_keys_of_its_kind() {
    let problems = read(
        "[[notifier]]\nname = \"a\"\ntype = \"mail\"\nport = 0\npath = \"x\"\n\
         [[notifier]]\nname = \"b\"\ntype = \"file\"\npaht = 1\nmail = 2\n\
         [[notifier]]\nname = \"c\"\nkey = \"SECRET\"\npath = \"x\"\n\
         [[notifier]]\nname = \"d\"\ntype = \"slack\"\nkey = \"SECRET\"\nchannel = 1\n",
    )
    .unwrap_err();
    insta::assert_snapshot!(problems.join("\n"));
}
