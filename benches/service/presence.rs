//! How soon the program asks its first question.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::{self, start};
use crate::{Done, say};

/// Starts the service so often, and returns how long it took.
pub(crate) fn first_requests(program: &Path, starts: usize) -> Done {
    let mut times: Vec<Duration> = (0..starts)
        .map(|_| first_request(program))
        .collect::<Done<_>>()?;
    times.sort_unstable();
    let median = times.get(times.len() / 2).ok_or("no start")?;
    let worst = times.last().ok_or("no start")?;
    say(&format!(
        "start: {median:.1?} to the first request (median of {}), {worst:.1?} at worst",
        times.len()
    ))?;
    Ok(())
}

/// How long it takes until the service asks for something: the state file is there already, as after any restart.
fn first_request(program: &Path) -> Done<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let origin = format!("http://{}", listener.local_addr()?);
    let folder = process::folder(
        &[process::tenant("bench", &origin, "org-1", "not-a-real-key")],
        "60s",
    )?;
    start(program, folder.path(), "status")?.wait()?;
    let began = Instant::now();
    let mut service = start(program, folder.path(), "run")?;
    let (connection, _) = listener.accept()?;
    connection.peek(&mut [0])?;
    let took = began.elapsed();
    service.kill()?;
    service.wait()?;
    Ok(took)
}
