//! Which Tizza is operated.

use std::{env, fs, io::ErrorKind, path::PathBuf};

use anyhow::Context;
use clap::Args;
use projector::operations::run::Run;
use service_kit::config::{ConfigError, Operators};

use super::client::Client;

/// Which Tizza is operated.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Which Tizza")]
pub struct Target {
    /// Its admin listener, http://HOST:PORT: that of a projector, or of all in one [default: the one that DATA_DIR/run names]
    #[arg(long, env)]
    admin_url: Option<String>,
    /// Folder of the Tizza that runs on this machine: there its file `run` names its admin listener and its token
    #[arg(long, env, default_value = "./data")]
    data_dir: PathBuf,
    #[command(flatten)]
    operators: Operators,
}

impl Target {
    /// Who is asked from now on.
    pub fn client(&self) -> anyhow::Result<Client> {
        let set = self.operators.token()?;
        let run = match (&self.admin_url, &set) {
            (Some(_), Some(_)) => None,
            _ => self.run()?,
        };
        let url = self.admin_url.as_deref().or(run.as_ref().map(|run| run.admin_url.as_str())).context(self.nobody())?;
        let url = url.trim_end_matches('/');
        // What is in the file is for the one who wrote it.
        let own = run.as_ref().filter(|run| run.admin_url == url);
        let token = set.map(|token| token.secret().to_owned()).or_else(|| own?.token.clone());
        let token = token
            .ok_or_else(|| ConfigError::new("ADMIN_TOKEN", format!("it is missing: {url} asks for it; set it, or ADMIN_TOKEN_FILE")))?;
        Client::new(url, token, operator(), own.map(|run| (run.role.clone(), run.pid)))
    }

    /// What the process that runs over the data folder says of itself, if one does.
    fn run(&self) -> anyhow::Result<Option<Run>> {
        match Run::read(&self.data_dir) {
            Ok(run) => Ok(Some(run)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", self.data_dir.join("run").display())),
        }
    }

    fn nobody(&self) -> String {
        let run = self.data_dir.join("run");
        format!(
            "no Tizza runs here: there is no {}; start one, or name DATA_DIR, or the admin listener of another by ADMIN_URL",
            run.display()
        )
    }
}

/// Who is at this machine.
fn operator() -> String {
    let user = env::var("USER").or_else(|_| env::var("LOGNAME")).unwrap_or_else(|_| "unknown".into());
    let host = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| env::var("HOSTNAME")).unwrap_or_else(|_| "unknown".into());
    let visible = |text: &str| text.chars().filter(char::is_ascii_graphic).take(64).collect::<String>();
    format!("{}@{}", visible(&user), visible(&host))
}
