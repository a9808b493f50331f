//! What stands behind the question mark of a URL of Postgres: the names that its own clients use, as far as we do what they promise.

use std::fs;

use url::Url;

/// How TLS is asked for. `allow` is not among them: it would be the same as `disable` here.
const MODES: [&str; 5] = ["disable", "prefer", "require", "verify-ca", "verify-full"];
const FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];
/// Where and who, said in another place.
const PLACE: [&str; 6] = ["host", "hostaddr", "port", "dbname", "user", "password"];

/// Whether each parameter is known and goes with the others. No value is repeated: one may be a password.
pub fn check(url: &str) -> Result<(), String> {
    let parameters = Parameters::of(url)?;
    for (name, _) in &parameters.0 {
        let name = name.as_str();
        if name != "sslmode" && !FILES.contains(&name) && !PLACE.contains(&name) {
            let shown = if is_a_name(name) { name } else { "…" };
            return Err(format!("unknown parameter {shown}; expected sslmode, sslrootcert, sslcert and sslkey"));
        }
    }
    let mode = parameters.value("sslmode");
    if mode.is_some_and(|mode| !MODES.contains(&mode)) {
        return Err(format!("sslmode: expected {}", MODES.join(", ")));
    }
    let verified = mode.is_some_and(|mode| mode.starts_with("verify-"));
    if parameters.value("sslrootcert").is_some() && !verified {
        return Err("sslrootcert: it is used with sslmode=verify-full or verify-ca only".into());
    }
    match (parameters.value("sslcert"), parameters.value("sslkey")) {
        (Some(_), None) => Err("sslcert: its key is missing: sslkey".into()),
        (None, Some(_)) => Err("sslkey: its certificate is missing: sslcert".into()),
        (Some(_), Some(_)) if mode == Some("disable") => Err("sslcert: it is not used with sslmode=disable".into()),
        (Some(_), Some(_)) | (None, None) => Ok(()),
    }
}

/// Whether each file can be read, and is PEM.
pub fn check_files(url: &str) -> Result<(), String> {
    for (name, path) in Parameters::of(url)?.0 {
        if !FILES.contains(&name.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {path} cannot be read: {error}"))?;
        let wanted = if name == "sslkey" { "PRIVATE KEY-----" } else { "-----BEGIN CERTIFICATE-----" };
        if !text.contains(wanted) {
            return Err(format!("{name}: {path} is no PEM file of that"));
        }
    }
    Ok(())
}

struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(url: &str) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        Ok(Self(url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }

    /// The last one counts.
    fn value(&self, wanted: &str) -> Option<&str> {
        self.0.iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }
}

/// And nothing that ended up behind a question mark by mistake.
fn is_a_name(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(parameters: &str) -> String {
        check(&format!("postgres://ada:secret@db/tizza?{parameters}")).err().unwrap_or_default()
    }

    #[test]
    fn parameters_are_known_and_go_together_or_are_refused_by_name() {
        for good in [
            "",
            "sslmode=disable",
            "sslmode=prefer",
            "sslmode=require",
            "sslmode=verify-ca&sslrootcert=/ca.pem",
            "sslmode=verify-full",
            "sslmode=require&sslcert=/own.crt&sslkey=/own.key",
            "host=/run/postgresql",
        ] {
            assert_eq!(told(good), "", "{good}");
        }
        for (bad, problem) in [
            ("sslmod=require", "unknown parameter sslmod; expected sslmode,"),
            ("p@ss@db/tizza", "unknown parameter …;"),
            ("sslmode=on", "sslmode: expected disable,"),
            ("sslmode=allow", "sslmode: expected disable,"),
            ("sslrootcert=/ca.pem", "sslrootcert: it is used with"),
            ("sslmode=require&sslrootcert=/ca.pem", "sslrootcert: it is used with"),
            ("sslmode=require&sslcert=/own.crt", "sslcert: its key is missing"),
            ("sslmode=require&sslkey=/own.key", "sslkey: its certificate is missing"),
        ] {
            assert!(told(bad).starts_with(problem), "{bad}: {}", told(bad));
        }
    }
}
