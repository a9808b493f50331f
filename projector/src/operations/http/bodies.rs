//! What requests hold.

use std::time::Duration;

use serde_json::Value;
use service_kit::{
    fields::{Broken, Field},
    page::{Flag, Number},
    request,
    text::Text,
};

/// A longer time than anything is kept.
const LONGEST: u64 = 10 * 366 * 24 * 60 * 60;
/// More cannot be named at once.
const MOST: usize = 100;

request! {
    /// `POST /rebuilds`
    pub struct Rebuild {
        pub projection: Text<1, 100>,
        pub dry_run: Option<bool>,
        pub force: Option<bool>,
        pub until: Option<Text<1, 2000>>,
        pub into: Option<Text<1, 100>>,
    }
}

request! {
    /// `POST /verifications`
    pub struct Verify {
        pub projection: Text<1, 100>,
    }
}

request! {
    /// `POST /projections/{name}/rollback`
    pub struct Rollback {
        pub force: Option<Flag>,
    }
}

request! {
    /// `POST /rebuilds/{id}/resume`: otherwise than it was asked for.
    pub struct Resume {
        pub dry_run: Option<Flag>,
        pub force: Option<Flag>,
    }
}

request! {
    /// `GET /parked`
    pub struct ParkedOf {
        pub projection: Option<Text<1, 100>>,
        pub limit: Option<Number<1, 1000>>,
    }
}

request! {
    /// `DELETE /parked/{id}`
    pub struct Skip {
        pub reason: Text<1, 500>,
    }
}

request! {
    /// `POST /cleanups`
    pub struct CleanUp {
        pub older_than_s: Option<Seconds>,
        pub copies: Option<Names>,
    }
}

request! {
    /// `GET /actions`
    pub struct Actions {
        pub limit: Option<Number<1, 1000>>,
    }
}

request! {
    /// `GET /explanations`
    pub struct Explain {
        pub projection: Text<1, 100>,
        pub key: Text<1, 500>,
        pub table: Option<Text<1, 100>>,
    }
}

/// A time that has passed.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Duration);

impl Field for Seconds {
    fn read(value: &Value) -> Result<Self, Broken> {
        let seconds = value.as_u64().filter(|seconds| *seconds <= LONGEST);
        let seconds =
            seconds.ok_or_else(|| Broken::new("out_of_range", format!("must be a whole number of seconds from 0 to {LONGEST}")))?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

/// Some names.
#[derive(Clone, Debug, Default)]
pub struct Names(pub Vec<String>);

impl Field for Names {
    fn read(value: &Value) -> Result<Self, Broken> {
        let names = value.as_array().filter(|names| names.len() <= MOST);
        let names = names.and_then(|names| names.iter().map(|name| name.as_str().map(ToOwned::to_owned)).collect());
        names.map(Self).ok_or_else(|| Broken::new("wrong_type", format!("must be a list of at most {MOST} names")))
    }
}
