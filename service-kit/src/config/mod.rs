//! Settings that several programs share: one struct a concern, flags and environment alike. The doc comment is the help text.

mod kafka;
mod operators;
mod place;
mod stores;

use std::{fs, net::SocketAddr, path::Path};

use clap::Args;
use tokio::net::TcpListener;

pub use kafka::{Ack, Group, Kafka, Relaying};
pub use operators::{Access, AdminToken, Operators};
pub use place::{GivenUrl, Place};
pub use stores::{Stores, or_close};

/// Where a service listens.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Listening")]
pub struct Listen {
    /// Address that the public listener binds
    #[arg(long, env, default_value = "127.0.0.1")]
    pub http_host: String,
    /// Port of the public listener, 1-65535, or 0 for any free one [default: 8080, command-api 8081, query-api 8082]
    #[arg(long, env)]
    pub http_port: Option<u16>,
    /// Where clients reach Tizza: the start of every link, without a slash at the end [default: the public listener]
    #[arg(long, env)]
    pub public_url: Option<String>,
}

/// Where operators ask.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Listening")]
pub struct Admin {
    /// Address that the admin listener binds: who reaches it sees what is measured
    #[arg(long, env, default_value = "127.0.0.1")]
    admin_host: String,
    /// Port of the admin listener; 0 for any free one [default: 8090, command-api 8091, query-api 8092, projector 8093,
    /// relay 8094]
    #[arg(long, env)]
    admin_port: Option<u16>,
}

impl Admin {
    /// Binds the admin listener.
    ///
    /// # Errors
    /// The port is taken or not allowed, or the address is not one of this machine.
    pub async fn bind(&self, default_port: u16) -> Result<TcpListener, ConfigError> {
        bind(["ADMIN_HOST", "ADMIN_PORT"], &self.admin_host, self.admin_port.unwrap_or(default_port)).await
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct ConfigError {
    /// The environment variable's name.
    pub setting: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// What the system said.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// Whether it is only a matter of time: a store is not whole yet.
    pub passes: bool,
}

impl ConfigError {
    /// A setting, and what is wrong with it.
    pub fn new(setting: &'static str, problem: impl Into<String>) -> Self {
        Self { setting, problem: problem.into(), source: None, passes: false }
    }
}

/// What is in a file that a setting names, without the line break at its end.
///
/// # Errors
/// It cannot be read.
fn text_in(setting: &'static str, path: &Path) -> Result<String, ConfigError> {
    let text = fs::read_to_string(path).map_err(|e| ConfigError::new(setting, format!("{} cannot be read: {e}", path.display())))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

impl Listen {
    /// Binds the public listener.
    ///
    /// # Errors
    /// The port is taken or not allowed, or the address is not one of this machine.
    pub async fn bind(&self, default_port: u16) -> Result<TcpListener, ConfigError> {
        let port = self.http_port.unwrap_or(default_port);
        bind(["HTTP_HOST", "HTTP_PORT"], &self.http_host, port).await
    }

    /// The start of every link.
    ///
    /// # Errors
    /// `PUBLIC_URL` is not the start of an http or https URL.
    pub fn public_url(&self, bound: SocketAddr) -> Result<PublicUrl, ConfigError> {
        let Some(url) = &self.public_url else {
            let host = if bound.ip().is_unspecified() { "127.0.0.1".into() } else { bound.ip().to_string() };
            return Ok(PublicUrl(format!("http://{host}:{}", bound.port())));
        };
        let url = url.trim_end_matches('/');
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        match host {
            Some(host) if !host.is_empty() && !host.contains(['?', '#', ' ']) => Ok(PublicUrl(url.into())),
            _ => Err(ConfigError::new("PUBLIC_URL", format!("{url:?} is not the start of an http or https URL"))),
        }
    }
}

async fn bind([host_setting, port_setting]: [&'static str; 2], host: &str, port: u16) -> Result<TcpListener, ConfigError> {
    TcpListener::bind((host, port)).await.map_err(|source| ConfigError {
        // All else is about the address: it names nobody, or somebody else.
        setting: if matches!(source.kind(), std::io::ErrorKind::AddrInUse | std::io::ErrorKind::PermissionDenied) {
            port_setting
        } else {
            host_setting
        },
        problem: format!("cannot listen on {host}:{port}: {source}"),
        source: None,
        passes: false,
    })
}

/// The start of every link, never taken from a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Of a program that serves nobody.
    #[must_use]
    pub fn nowhere() -> Self {
        Self("http://127.0.0.1".into())
    }

    /// An absolute link to `path`, which starts with a slash.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Scheme, host and port, as a browser's `Origin` header has them.
    #[must_use]
    pub fn origin(&self) -> &str {
        let start = self.0.find("://").map_or(0, |at| at + 3);
        self.0[start..].find('/').map_or(&self.0, |end| &self.0[..start + end])
    }

    /// Whether clients come by https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(public_url: Option<&str>) -> Listen {
        Listen { http_host: "127.0.0.1".into(), http_port: None, public_url: public_url.map(Into::into) }
    }

    #[test]
    fn links_start_with_the_public_url_or_else_where_we_listen() {
        let bound = "0.0.0.0:8080".parse().unwrap();
        assert_eq!(listen(None).public_url(bound).unwrap().link("/x"), "http://127.0.0.1:8080/x");
        let behind = listen(Some("https://tizza.example/app/")).public_url(bound).unwrap();
        assert_eq!(behind.link("/x"), "https://tizza.example/app/x");
        assert_eq!(behind.origin(), "https://tizza.example");
        assert!(behind.is_https());
        assert!(listen(Some("tizza.example")).public_url(bound).is_err());
        assert!(listen(Some("http://")).public_url(bound).is_err());
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = holder.local_addr().unwrap().port();
        let refused = Listen { http_port: Some(taken), ..listen(None) }.bind(8080).await.unwrap_err();
        assert!(refused.to_string().starts_with(&format!("HTTP_PORT: cannot listen on 127.0.0.1:{taken}")), "{refused}");
        let elsewhere = Listen { http_host: "192.0.2.1".into(), http_port: Some(0), ..listen(None) }.bind(8080).await.unwrap_err();
        assert_eq!(elsewhere.setting, "HTTP_HOST");
    }
}
