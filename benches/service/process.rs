//! A process that is measured: started, and what it has used so far.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::Done;

/// How many ticks of CPU time a second has (`USER_HZ`, the same on every Linux).
const TICKS: u64 = 100;

/// The part of a config for an organisation at this address, with its key beside it.
pub(crate) fn tenant(name: &str, origin: &str, organization: &str, key: &str) -> [String; 3] {
    let config = format!(
        "[[tenant]]\nname = \"{name}\"\n[tenant.organization]\nid = \"{organization}\"\n\
         api_key = {{ file = \"{name}.key\" }}\nurl = \"{origin}\"\nrequests_per_minute = 600000\n[tenant.schedule]\n\
         lookback = \"3650d\"\n"
    );
    [config, name.to_owned(), key.to_owned()]
}

/// A folder with a config for these tenants, each polled so often.
pub(crate) fn folder(tenants: &[[String; 3]], every: &str) -> Done<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let mut all = String::new();
    for [config, name, key] in tenants {
        all.push_str(config);
        all.push_str("access = \"");
        all.push_str(every);
        all.push_str("\"\n");
        std::fs::write(folder.path().join(format!("{name}.key")), key)?;
    }
    std::fs::write(folder.path().join("pagewarden.toml"), all)?;
    Ok(folder)
}

/// The program at work in a folder.
pub(crate) fn start(program: &Path, folder: &Path, command: &str) -> io::Result<Child> {
    Command::new(program)
        .args(["-q", "-q", command])
        .env_clear()
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// The CPU time of a process, in milliseconds.
pub(crate) fn cpu(process: u32) -> Done<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
    let times: Vec<u64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(times.iter().sum::<u64>() * 1_000 / TICKS)
}

/// A line of a process's memory, in KiB.
pub(crate) fn memory(process: u32, name: &str) -> Done<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no such line")?.parse()?)
}
