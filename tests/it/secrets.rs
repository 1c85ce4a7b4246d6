//! Keys and tokens of a running program: not to a proxy, not in a core file, and files that are open to others are reported.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pagewarden_simulator::Options;

use crate::support::kit::{Desk, Kit, contains, small};

const KEY: &str = "not-a-real-key-5d1e";
const TOKEN: &str = "not-a-real-token-77ab";

/// Servers that are nowhere: everything has to go through the proxy.
const ELSEWHERE: &str = r#"
[state]
path = "{dir}/state.db"
[[tenant]]
name = "acme"
[tenant.organization]
id = "org-1"
api_key = { file = "{dir}/org.key" }
url = "https://api.acme.example"
[[tenant.site]]
url = "https://acme.example"
email = "auditor@acme.example"
api_token = { file = "{dir}/site.token" }
[retry]
base = "10ms"
attempts = 2
[[notifier]]
name = "soc"
type = "webhook"
url = { file = "{dir}/soc.url" }
"#;

/// Sets a file's permission bits.
fn chmod(desk: &Desk, name: &str, mode: u32) {
    let bits = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(desk.path(name), bits).unwrap();
}

/// A desk whose servers are nowhere.
fn elsewhere() -> Desk {
    let desk = Desk::new(ELSEWHERE);
    desk.keep("org.key", KEY.as_bytes());
    desk.keep("site.token", TOKEN.as_bytes());
    desk.keep("soc.url", b"https://hooks.acme.example/t0ken-of-the-hook");
    desk
}

/// A proxy that answers every request so, and keeps what it was sent before and after.
fn proxy(answer: &'static str) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            converse(stream.unwrap(), answer, &keep);
        }
    });
    (port, heard)
}

/// Hears a request, answers, and hears what follows.
fn converse(mut stream: TcpStream, answer: &str, keep: &Mutex<Vec<u8>>) {
    let mut from = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && from.read_until(b'\n', &mut head).unwrap_or(0) > 0 {}
    keep.lock().unwrap().extend(head);
    drop(stream.write_all(answer.as_bytes()));
    let mut more = [0; 4096];
    let count = from.read(&mut more).unwrap_or(0);
    keep.lock().unwrap().extend(&more[..count]);
}

/// The program in a clean environment, at this desk.
fn program(desk: &Desk) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pagewarden"));
    command.env_clear().current_dir(desk.path(""));
    command
}

#[test]
fn a_proxy_learns_the_target_and_never_a_credential() {
    for answer in [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"data\":[]}",
    ] {
        let desk = elsewhere();
        let (port, heard) = proxy(answer);
        let output = program(&desk)
            .arg("scan")
            .env("RUST_LOG", "trace")
            .env(
                "HTTPS_PROXY",
                format!("http://squid:pr0xy-word@127.0.0.1:{port}"),
            )
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert_eq!(
            output.status.code(),
            Some(1),
            "{}",
            String::from_utf8_lossy(&said)
        );
        let heard = heard.lock().unwrap().clone();
        for whom in ["CONNECT api.acme.example:443", "CONNECT acme.example:443"] {
            assert!(
                contains(&heard, whom),
                "{whom}: {}",
                String::from_utf8_lossy(&heard)
            );
        }
        // Its own password goes to the proxy, and is not shown either.
        assert!(contains(
            &heard,
            &BASE64_STANDARD.encode("squid:pr0xy-word")
        ));
        for word in ["pr0xy-word", &BASE64_STANDARD.encode("squid:pr0xy-word")] {
            assert!(!contains(&said, word), "{}", String::from_utf8_lossy(&said));
        }
        let lower = heard.to_ascii_lowercase();
        assert!(!contains(&lower, "\nauthorization:") && !contains(&lower, "bearer"));
        let pair = BASE64_STANDARD.encode(format!("auditor@acme.example:{TOKEN}"));
        for secret in [KEY, TOKEN, &pair, "t0ken-of-the-hook"] {
            assert!(
                !contains(&heard, secret) && !contains(&said, secret),
                "{secret}"
            );
        }
    }
}

#[test]
fn a_proxy_that_is_in_the_way_is_named_with_what_it_says() {
    let desk = elsewhere();
    let (port, _) =
        proxy("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = gone.local_addr().unwrap().port();
    drop(gone);
    let words = format!(
        "the proxy 127.0.0.1:{port}, which the environment names, refuses to connect: HTTP/1.1 407 Proxy Authentication Required"
    );
    let unreached =
        format!("the proxy 127.0.0.1:{closed}, which the environment names, could not be reached");
    for (port, says) in [(port, words), (closed, unreached)] {
        let output = program(&desk)
            .arg("scan")
            .env("HTTPS_PROXY", format!("http://127.0.0.1:{port}"))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&says), "{says}: {said}");
    }
}

#[test]
fn a_proxy_is_not_blamed_for_what_it_is_not_asked() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let desk = Desk::new(&ELSEWHERE.replace("https://api.acme.example", &nowhere));
    desk.keep("org.key", KEY.as_bytes());
    desk.keep("site.token", TOKEN.as_bytes());
    desk.keep("soc.url", nowhere.as_bytes());
    let output = program(&desk)
        .arg("scan")
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("the server could not be reached") && !said.contains("the proxy"),
        "{said}"
    );
}

#[test]
fn what_is_on_this_machine_is_asked_without_a_proxy() {
    let kit = Kit::new(small(3), Options::default());
    let (port, heard) = proxy("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    let proxy = format!("http://127.0.0.1:{port}");
    let output = program(&kit.desk)
        .arg("scan")
        .envs(["HTTPS_PROXY", "HTTP_PROXY", "http_proxy", "ALL_PROXY"].map(|name| (name, &proxy)))
        .output()
        .unwrap();
    assert!(
        matches!(output.status.code(), Some(0 | 10..=13)),
        "{output:?}"
    );
    assert!(heard.lock().unwrap().is_empty());
}

#[test]
fn secrets_and_states_that_others_can_read_are_warned_of_before_and_at_the_start() {
    let kit = Kit::new(small(3), Options::default());
    assert_eq!(
        kit.scan().done().err.matches("more than its owner").count(),
        0
    );
    chmod(&kit.desk, "org.key", 0o640);
    chmod(&kit.desk, "site.token", 0o604);
    chmod(&kit.desk, "state.db", 0o644);
    let checked = kit.desk.run(&["check", "--offline"]).ended(0);
    for line in ["mode 0640", "mode 0604", "mode 0644", "chmod 600"] {
        assert!(checked.out.contains(line), "{}", checked.out);
    }
    let scanned = kit.scan().done();
    for file in ["org.key", "site.token", "state.db"] {
        let reported = scanned.err.lines().any(|line| {
            line.contains("WARN") && line.contains("more than its owner") && line.contains(file)
        });
        assert!(reported, "{file}: {}", scanned.err);
    }
}

#[test]
fn whatever_the_umask_the_state_is_its_owner_s_alone() {
    for umask in ["000", "022", "077"] {
        let kit = Kit::new(small(3), Options::default());
        let script = format!(
            "umask {umask}; \"$0\" -q scan; \"$0\" -q state backup copy.db; exec \"$0\" -q run"
        );
        let mut service = Command::new("sh")
            .env_clear()
            .current_dir(kit.desk.path(""))
            .args(["-c", &script, env!("CARGO_BIN_EXE_pagewarden")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        crate::support::desk::until("a file of the running service", || {
            kit.desk
                .path("state.db-wal")
                .exists()
                .then_some(())
                .filter(|()| kit.desk.path("copy.db").exists())
        });
        let mut seen = 0;
        for entry in std::fs::read_dir(kit.desk.path("")).unwrap().flatten() {
            let (name, meta) = (entry.file_name(), entry.metadata());
            let name = name.to_string_lossy().into_owned();
            if let Ok(meta) = meta
                && (name.starts_with("state.db") || name.starts_with("copy.db"))
            {
                assert_eq!(
                    meta.permissions().mode() & 0o077,
                    0,
                    "{name} under umask {umask}"
                );
                seen += 1;
            }
        }
        assert!(seen >= 4, "{seen}");
        service.kill().unwrap();
        service.wait().unwrap();
    }
}

#[test]
fn no_core_file_is_left_by_a_program_that_holds_secrets() {
    let dumped = |command: &str, desk: &Desk| {
        let mut child = Command::new("sh")
            .env_clear()
            .current_dir(desk.path(""))
            .args([
                "-c",
                &format!("ulimit -c unlimited 2>/dev/null; exec {command}"),
            ])
            .arg(env!("CARGO_BIN_EXE_pagewarden"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Its first words: from then on it holds them. Not QUIT, which a shell has what it starts behind it ignore.
        let mut said = BufReader::new(child.stderr.take().unwrap());
        said.read_line(&mut String::new()).unwrap();
        let id = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-ABRT", &id])
                .status()
                .unwrap()
                .success()
        );
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(6), "{status:?}");
        status.core_dumped()
    };
    let kit = Kit::new(small(3), Options::default());
    assert!(!dumped("\"$0\" run", &kit.desk));
    // The control, where this machine leaves core files at all.
    if !dumped(
        "sh -c 'echo here >&2; while :; do sleep 1; done'",
        &kit.desk,
    ) {
        crate::support::desk::table(
            "no_core_file_is_left: this machine leaves none of any program",
        );
    }
}
