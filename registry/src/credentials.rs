//! Credentials of a host, and the files that have them.
//!
//! `--creds-file` alone, or `--authfile` (`REGISTRY_AUTH_FILE`) alone, or the first that has some
//! of: auth.json of the session, auth.json of the user, docker's config.json, .dockercfg. In each
//! file a credential helper of the host comes first, then the file's store, then its own entries.

use crate::helper;
use crate::json::Json;
use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose::STANDARD};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// One file with credentials or certificates, in bytes. A system's roots have 250 KiB.
const FILE_BYTES: u64 = 4 << 20;
/// The key of Docker Hub in docker's files and for helpers.
const HUB_KEY: &str = "https://index.docker.io/v1/";
/// Hosts that mean Docker Hub.
const HUB: [&str; 4] =
    ["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/// Credentials for a registry.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    Anonymous,
    /// A user and a password.
    Password(String, String),
    /// An identity token, with which tokens are got.
    Identity(String),
    /// A token as it is.
    Token(String),
}

/// The variables and files that are looked at.
pub struct Surroundings<'a> {
    /// A variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The user's number, for `/run/containers/UID`.
    pub user: u32,
}

/// Returns whether a host is Docker Hub under one of its names.
pub fn is_hub(host: &str) -> bool {
    HUB.contains(&host)
}

/// Returns the credentials in a file of one line, `USER:PASSWORD`.
pub fn from_line(path: &Path) -> Result<Credentials, String> {
    let bytes = read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{}: not UTF-8", path.display()))?;
    let line = text.trim_end_matches(['\n', '\r', '\0']);
    match line.split_once(':') {
        Some((user, password)) if !user.is_empty() && !line.contains('\n') => {
            Ok(Credentials::Password(user.to_string(), password.to_string()))
        }
        _ => Err(format!("{}: not one line USER:PASSWORD", path.display())),
    }
}

/// Returns the credentials for a repository of a host. `file`: the one file to look at.
pub fn find(
    around: &Surroundings<'_>,
    file: Option<&Path>,
    host: &str,
    repository: &str,
) -> Result<Credentials, String> {
    let chosen = file.map(Path::to_path_buf).or_else(|| {
        (around.variable)("REGISTRY_AUTH_FILE").filter(|path| !path.is_empty()).map(PathBuf::from)
    });
    let (paths, must_exist) = match chosen {
        Some(path) => (vec![path], true),
        None => (usual_paths(around), false),
    };
    for path in paths {
        let bytes = match read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => continue,
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let is_old = path.file_name().is_some_and(|name| name == ".dockercfg");
        let found = in_file(&bytes, is_old, host, repository)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        if let Some(credentials) = found {
            return Ok(credentials);
        }
    }
    Ok(Credentials::Anonymous)
}

fn usual_paths(around: &Surroundings<'_>) -> Vec<PathBuf> {
    let of = |name: &str| (around.variable)(name).filter(|value| !value.is_empty());
    let home = of("HOME").map(PathBuf::from);
    let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
    let session = match of("XDG_RUNTIME_DIR") {
        Some(directory) => Path::new(&directory).join("containers/auth.json"),
        None => PathBuf::from(format!("/run/containers/{}/auth.json", around.user)),
    };
    let user = match of("XDG_CONFIG_HOME") {
        Some(directory) => Some(PathBuf::from(directory)),
        None => below_home(".config"),
    };
    let docker = match of("DOCKER_CONFIG") {
        Some(directory) => Some(PathBuf::from(directory)),
        None => below_home(".docker"),
    };
    let all = [
        Some(session),
        user.map(|directory| directory.join("containers/auth.json")),
        docker.map(|directory| directory.join("config.json")),
        below_home(".dockercfg"),
    ];
    all.into_iter().flatten().collect()
}

/// Reads a file of at most [`FILE_BYTES`].
pub fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(std::io::Error::other("longer than 4 MiB"));
    }
    Ok(bytes)
}

/// Returns what a file has for a repository of a host. `is_old`: it has no outer "auths".
fn in_file(
    bytes: &[u8],
    is_old: bool,
    host: &str,
    repository: &str,
) -> Result<Option<Credentials>, String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let file = Json::parse(bytes)?;
    let server = if is_hub(host) { HUB_KEY } else { host };
    let helpers = file.get("credHelpers").and_then(Json::map).unwrap_or_default();
    let own = helpers.iter().find(|(key, _)| place_of(key) == place_of(host));
    if let Some(name) = own.and_then(|(_, name)| name.text()) {
        return helper::ask(name, server);
    }
    if let Some(name) = file.text_of("credsStore")
        && let Some(credentials) = helper::ask(name, server)?
    {
        return Ok(Some(credentials));
    }
    let auths = if is_old { Some(&file) } else { file.get("auths") };
    let entries = auths.and_then(Json::map).unwrap_or_default();
    match entry(entries, host, repository) {
        Some(entry) => of_entry(entry),
        None => Ok(None),
    }
}

/// Returns the entry with the longest key that is about the repository, then one about the host.
fn entry<'a>(entries: &'a [(String, Json)], host: &str, repository: &str) -> Option<&'a Json> {
    let find = |wanted: &dyn Fn(&str) -> bool| {
        entries.iter().find(|(key, _)| wanted(key)).map(|(_, entry)| entry)
    };
    let mut wanted = format!("{host}/{repository}");
    loop {
        if let Some(entry) = find(&|key| key == wanted) {
            return Some(entry);
        }
        match wanted.rfind('/') {
            Some(slash) => wanted.truncate(slash),
            None => return find(&|key| place_of(key) == place_of(host) && !has_path(key)),
        }
    }
}

/// Whether a key names a part of a host: then it is for that part alone. `/v1/` and `/v2/` are the
/// programming interface.
fn has_path(key: &str) -> bool {
    let key = without_scheme(key);
    let path = key.split_once('/').map_or("", |(_, path)| path).trim_end_matches('/');
    !["", "v1", "v2"].contains(&path)
}

fn without_scheme(key: &str) -> &str {
    key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key)
}

/// The host of a key, `https://HOST/v1/` or `HOST`; all names of Docker Hub are one.
fn place_of(key: &str) -> &str {
    let host = without_scheme(key).split('/').next().unwrap_or_default();
    if is_hub(host) { HUB[0] } else { host }
}

fn of_entry(entry: &Json) -> Result<Option<Credentials>, String> {
    if let Some(token) = entry.text_of("registrytoken") {
        return Ok(Some(Credentials::Token(token.to_string())));
    }
    if let Some(token) = entry.text_of("identitytoken") {
        return Ok(Some(Credentials::Identity(token.to_string())));
    }
    if let Some(auth) = entry.text_of("auth") {
        let wrong = "an auth that is not USER:PASSWORD in base64";
        let text = decode(auth).and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(wrong)?;
        let text = text.trim_end_matches(['\0', '\n', '\r']);
        let (user, password) = text.split_once(':').ok_or(wrong)?;
        return Ok(Some(Credentials::Password(user.to_string(), password.to_string())));
    }
    // docker reads these, too; containers/image does not.
    match (entry.text_of("username"), entry.text_of("password")) {
        (Some(user), Some(password)) => {
            Ok(Some(Credentials::Password(user.to_string(), password.to_string())))
        }
        _ => Ok(None),
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let text: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    engine.decode(text).ok()
}

/// Returns the value of an `Authorization: Basic` header.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(user: &str, password: &str) -> Credentials {
        Credentials::Password(user.to_string(), password.to_string())
    }

    fn look(file: &str, host: &str, repository: &str) -> Credentials {
        let found = in_file(file.as_bytes(), false, host, repository).unwrap();
        found.unwrap_or(Credentials::Anonymous)
    }

    impl std::fmt::Debug for Credentials {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            match self {
                Credentials::Anonymous => write!(f, "anonymous"),
                Credentials::Password(user, password) => write!(f, "{user}:{password}"),
                Credentials::Identity(token) => write!(f, "identity {token}"),
                Credentials::Token(token) => write!(f, "token {token}"),
            }
        }
    }

    #[test]
    fn the_longest_key_wins_and_hosts_match_in_each_form() {
        let file = r#"{"auths":{
            "r:5000":{"auth":"aG9zdDox"},
            "r:5000/team":{"auth":"dGVhbToy"},
            "r:5000/team/x":{"auth":"eDoz"},
            "https://old.example/v1/":{"auth":"b2xkOjQ="},
            "part.example/team":{"auth":"eDoz"},
            "https://index.docker.io/v1/":{"identitytoken":"T"}}}"#;
        assert_eq!(look(file, "r:5000", "team/x"), password("x", "3"));
        assert_eq!(look(file, "r:5000", "team/xy"), password("team", "2"));
        assert_eq!(look(file, "r:5000", "teamx/x"), password("host", "1"));
        assert_eq!(look(file, "old.example", "a"), password("old", "4"));
        assert_eq!(look(file, "docker.io", "library/a"), Credentials::Identity("T".into()));
        assert_eq!(look(file, "part.example", "team/a"), password("x", "3"));
        assert_eq!(look(file, "part.example", "other"), Credentials::Anonymous);
        assert_eq!(look(file, "r", "team/x"), Credentials::Anonymous);
    }

    #[test]
    fn an_entry_has_many_forms() {
        for (entry, wanted) in [
            (r#"{"auth":"dXNlcjpwYTpzcwo="}"#, password("user", "pa:ss")),
            (r#"{"auth":"dXNlcjpwYXNzAAA"}"#, password("user", "pass")),
            (r#"{"auth":"dXNlcjpw\nYXNz"}"#, password("user", "pass")),
            (r#"{"username":"robot$ci","password":"p"}"#, password("robot$ci", "p")),
            (r#"{"auth":"","registrytoken":"R"}"#, Credentials::Token("R".into())),
            (r#"{}"#, Credentials::Anonymous),
        ] {
            assert_eq!(look(&format!(r#"{{"auths":{{"h":{entry}}}}}"#), "h", "r"), wanted);
        }
        assert!(in_file(br#"{"auths":{"h":{"auth":"????"}}}"#, false, "h", "r").is_err());
        assert!(in_file(br#"{"auths":{"h":{"auth":"dXNlcg=="}}}"#, false, "h", "r").is_err());
        let old = br#"{"https://h/v1/":{"auth":"dTpw"}}"#;
        assert_eq!(in_file(old, true, "h", "r").unwrap(), Some(password("u", "p")));
    }

    #[test]
    fn files_are_looked_at_in_order_and_a_chosen_one_alone() {
        let root =
            std::env::temp_dir().join(format!("ocinit-registry-auth-{}", std::process::id()));
        let write = |name: &str, user: &str| {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let auth = STANDARD.encode(format!("{user}:p"));
            std::fs::write(path, format!(r#"{{"auths":{{"h":{{"auth":"{auth}"}}}}}}"#)).unwrap();
        };
        let base = root.to_str().unwrap().to_string();
        let variable = |name: &str| match name {
            "HOME" => Some(base.clone()),
            "XDG_RUNTIME_DIR" => Some(format!("{base}/run")),
            _ => None,
        };
        let around = Surroundings { variable: &variable, user: 0 };
        let user = |file: Option<&Path>| match find(&around, file, "h", "r").unwrap() {
            Credentials::Password(user, _) => user,
            _ => "nobody".to_string(),
        };
        assert_eq!(user(None), "nobody");
        for name in
            [".docker/config.json", ".config/containers/auth.json", "run/containers/auth.json"]
        {
            write(name, name);
            assert_eq!(user(None), name);
        }
        let chosen = root.join("chosen.json");
        assert!(find(&around, Some(&chosen), "h", "r").unwrap_err().contains("chosen.json"));
        write("chosen.json", "me");
        assert_eq!(user(Some(&chosen)), "me");
        std::fs::write(&chosen, "bob:se:cret\n").unwrap();
        assert_eq!(from_line(&chosen), Ok(password("bob", "se:cret")));
        std::fs::write(&chosen, "bob\n").unwrap();
        assert!(from_line(&chosen).is_err());
        std::fs::remove_dir_all(&root).unwrap();
    }
}
