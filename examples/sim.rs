//! Serves a simulated tenant until killed.
#![allow(clippy::all, clippy::pedantic, clippy::print_stdout, missing_docs, reason = "a tool for looking")]
use pagewarden::simulator::*;
fn main() {
    let rt = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    rt.block_on(async {
        let mut w = WorldSettings::of_seed(1);
        if let Some(n) = std::env::args().nth(1) { if n == "small" { w = WorldSettings::small(1); } else { w = WorldSettings::of_events(n.parse().unwrap()); } }
        let world = std::sync::Arc::new(World::new(w));
        let s = Simulator::start(world, Options::default()).unwrap();
        println!("{} org={} key={} email={} token={}", s.base_url(), s.org_id(), s.org_key(), s.email(), s.api_token());
        std::future::pending::<()>().await;
    });
}
