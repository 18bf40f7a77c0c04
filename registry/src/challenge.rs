//! `WWW-Authenticate`: the challenges of a registry.
//!
//! In the wild there are several lines, or several challenges in one line with commas; schemes and
//! keys in any case; values with quotes or without, and commas inside quotes.

/// A chosen challenge. A token comes before a password; other schemes are passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A token from this place.
    Bearer {
        /// The URL that gives tokens.
        realm: String,
        /// For which service, if it says so.
        service: Option<String>,
        /// `insufficient_scope`, `invalid_token`.
        error: Option<String>,
        /// The scope that it names. It may be a placeholder.
        scope: Option<String>,
    },
    /// A user and a password.
    Basic,
}

/// One challenge: its scheme and parameters.
struct Parsed {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Parsed {
    fn parameter(&self, name: &str) -> Option<String> {
        let found = self.parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    }
}

/// Returns what these lines ask for, or the schemes that are none of ours.
pub fn choose<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Challenge, String> {
    let all: Vec<Parsed> = lines.flat_map(parse).collect();
    if let Some(bearer) = all.iter().find(|one| one.scheme == "bearer") {
        let Some(realm) = bearer.parameter("realm") else {
            return Err("Bearer without realm".to_string());
        };
        let [service, error, scope] =
            ["service", "error", "scope"].map(|name| bearer.parameter(name));
        return Ok(Challenge::Bearer { realm, service, error, scope });
    }
    if all.iter().any(|one| one.scheme == "basic") {
        return Ok(Challenge::Basic);
    }
    let schemes: Vec<&str> = all.iter().map(|one| one.scheme.as_str()).collect();
    Err(if schemes.is_empty() { "nothing".to_string() } else { schemes.join(", ") })
}

fn parse(line: &str) -> Vec<Parsed> {
    let mut all: Vec<Parsed> = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        let word = word.to_ascii_lowercase();
        let behind = behind.trim_start_matches([' ', '\t']);
        match behind.strip_prefix('=') {
            Some(value) => {
                let (value, behind) = value_of(value.trim_start_matches([' ', '\t']));
                // `==` is the padding of a token68, which none of ours has.
                if let Some(last) = all.last_mut() {
                    last.parameters.push((word, value));
                }
                rest = behind;
            }
            None if word.is_empty() => return all,
            None => {
                all.push(Parsed { scheme: word, parameters: Vec::new() });
                rest = behind;
            }
        }
    }
}

/// Returns a value, quoted or not, and what is behind it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_string(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Result<Challenge, String> {
        let (service, error) = (service.map(str::to_string), None);
        Ok(Challenge::Bearer { realm: realm.to_string(), service, error, scope: None })
    }

    #[test]
    fn the_challenges_of_real_registries_are_read() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#;
        let wanted = bearer("https://auth.docker.io/token", Some("registry.docker.io"));
        assert_eq!(choose([hub].into_iter()), wanted);
        let google = r#"Bearer realm="https://x.pkg.dev/v2/token""#;
        assert_eq!(choose([google].into_iter()), bearer("https://x.pkg.dev/v2/token", None));
        let azure = [r#"Basic realm="x.azurecr.io""#, r#"BEARER Realm=https://x/t , SERVICE="x""#];
        assert_eq!(choose(azure.into_iter()), bearer("https://x/t", Some("x")));
        let one_line = r#"Negotiate, Basic realm="a, b", Bearer realm="https://x/t""#;
        assert_eq!(choose([one_line].into_iter()), bearer("https://x/t", None));
        assert_eq!(choose([r#"basic"#].into_iter()), Ok(Challenge::Basic));
        let scoped = r#"Bearer realm="https://x/t",scope="repository:a:pull,push",error="insufficient_scope",new=1"#;
        let Ok(Challenge::Bearer { scope, error, .. }) = choose([scoped].into_iter()) else {
            panic!("no challenge");
        };
        assert_eq!(scope.as_deref(), Some("repository:a:pull,push"));
        assert_eq!(error.as_deref(), Some("insufficient_scope"));
    }

    #[test]
    fn others_are_named() {
        assert_eq!(choose(["Negotiate YII=, NTLM"].into_iter()).unwrap_err(), "negotiate, ntlm");
        assert_eq!(choose([].into_iter()).unwrap_err(), "nothing");
        assert_eq!(
            choose([r#"Bearer scope="x""#].into_iter()).unwrap_err(),
            "Bearer without realm"
        );
    }

    #[test]
    fn any_text_ends() {
        for text in
            ["=", ",,=,", "\"", "Bearer realm=\"", "Bearer realm=\"\\", "a=b=c=\"d", "é=\"ü"]
        {
            let _ = choose([text].into_iter());
        }
    }
}
