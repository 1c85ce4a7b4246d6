//! The proxy that the environment names, and what it says where it lets nobody through: the HTTP client does not tell.

use std::time::Duration;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

/// How long it is asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes of its answer that are read: the status line is what counts.
const LONGEST: u64 = 512;

/// Why there was no connection to an address, where a proxy is to be used for it; none where there is none. `detail` is
/// what the client said.
pub(super) async fn explained(url: &Url, detail: &str) -> Option<String> {
    let target: Uri = url.as_str().parse().ok()?;
    let proxy = Matcher::from_env().intercept(&target)?;
    let host = proxy.uri().host()?.to_owned();
    let secure = proxy.uri().scheme_str() == Some("https");
    let port = proxy
        .uri()
        .port_u16()
        .unwrap_or(if secure { 443 } else { 80 });
    let named = format!("the proxy {host}:{port}, which the environment names");
    if !detail.starts_with("tunnel error") {
        return Some(format!("{named}, could not be reached: {detail}"));
    }
    if secure {
        return Some(format!("{named}, refuses to connect: {detail}"));
    }
    let authorization = proxy.basic_auth().and_then(|value| value.to_str().ok());
    let asked = ask(&host, port, &target, authorization);
    let status = timeout(PATIENCE, asked).await.ok().flatten();
    let status = status.unwrap_or_else(|| detail.to_owned());
    Some(format!("{named}, refuses to connect: {status}"))
}

/// Asks a proxy for the same connection, and gives its status line.
async fn ask(host: &str, port: u16, target: &Uri, authorization: Option<&str>) -> Option<String> {
    let mut connection = TcpStream::connect((host, port)).await.ok()?;
    let to = format!("{}:{}", target.host()?, target.port_u16().unwrap_or(443));
    let authorization = authorization
        .map(|value| format!("Proxy-Authorization: {value}\r\n"))
        .unwrap_or_default();
    let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{authorization}\r\n");
    connection.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    let mut limited = connection.take(LONGEST);
    while !answer.contains(&b'\n') {
        if limited.read_buf(&mut answer).await.ok()? == 0 {
            break;
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let line = answer.lines().next()?.trim();
    let is_status = line.starts_with("HTTP/");
    is_status.then(|| line.to_owned())
}
