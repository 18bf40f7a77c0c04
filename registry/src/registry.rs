//! A host: what it asks for before it answers, and what its refusals mean.

use crate::address::Address;
use crate::challenge::{self, Challenge};
use crate::credentials::{Credentials, basic};
use crate::exchange::{Exchange, Payload, Reply};
use crate::failure::{Again, Failure, Result};
use crate::time;
use crate::token::{self, Token};
use crate::transport::Class;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use ureq::http::Method;

/// Tokens that are kept: for reading, for writing, and for each repository that is mounted from.
const TOKENS_MAX: usize = 32;

/// The protocol that a host is asked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// TLS with a certificate that is trusted.
    Tls,
    /// TLS with any certificate, or http if the host has no TLS.
    Insecure,
    /// http.
    Plain,
}

/// One host.
pub struct Registry {
    /// As the user writes it: `docker.io`, `localhost:5000`.
    pub name: String,
    /// The first pause before something is tried again.
    pub pause: Duration,
    /// A mirror that did not answer, which is not asked again.
    pub is_down: AtomicBool,
    authority: String,
    scheme: Scheme,
    exchange: Exchange,
    /// Or why there are none. It is an error only if the host wants some.
    credentials: std::result::Result<Credentials, String>,
    state: Mutex<State>,
    /// Held while a token is fetched, so that requests at the same time fetch one.
    fetching: Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Of an insecure host: whether it speaks http.
    is_plain: Option<bool>,
    challenge: Option<Challenge>,
    tokens: Vec<Token>,
}

/// The target of a request.
pub enum Target<'a> {
    /// A path of the host.
    Path(&'a str),
    /// An address that the host gave: `Location`, the next page.
    Address(&'a Address),
}

/// A request.
pub struct Ask<'a> {
    /// The subject, as an error names it.
    pub what: &'a str,
    /// GET, HEAD, POST, PUT.
    pub method: Method,
    /// Its target.
    pub target: Target<'a>,
    /// Headers beside the usual ones.
    pub headers: &'a [(&'a str, &'a str)],
    /// The rights that a token must have.
    pub scopes: &'a [String],
}

/// The right to read a repository, and to write if that is wanted.
pub fn scope(repository: &str, is_push: bool) -> String {
    format!("repository:{repository}:{}", if is_push { "pull,push" } else { "pull" })
}

impl Registry {
    /// A host that has not been asked yet. `authority`: where its programming interface is.
    pub fn new(
        name: &str,
        authority: &str,
        scheme: Scheme,
        exchange: Exchange,
        credentials: std::result::Result<Credentials, String>,
        pause: Duration,
    ) -> Registry {
        Registry {
            name: name.to_string(),
            pause,
            is_down: AtomicBool::new(false),
            authority: authority.to_string(),
            scheme,
            exchange,
            credentials,
            state: Mutex::default(),
            fetching: Mutex::new(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn address(&self, is_plain: bool, path: &str) -> Address {
        Address::new(!is_plain, &self.authority, path)
    }

    /// Whether requests go by http, as far as it is known.
    fn is_plain(&self) -> Option<bool> {
        match self.scheme {
            Scheme::Tls => Some(false),
            Scheme::Plain => Some(true),
            Scheme::Insecure => self.state().is_plain,
        }
    }

    /// Returns the answer, whatever its status. Gets a token if one is wanted, and another once if
    /// the one it had is not taken.
    pub fn ask(&self, ask: &Ask<'_>, payload: &mut Payload<'_>) -> Result<Reply> {
        let can_repeat = !matches!(payload, Payload::Stream(..));
        let mut shown = None;
        let mut tries = Vec::new();
        loop {
            let authorization = self.authorization(ask.scopes)?;
            let mut reply = self.send(ask, authorization.as_deref(), payload)?;
            if reply.status != 401 || !reply.is_own {
                return Ok(reply);
            }
            let lines: Vec<String> = reply
                .headers
                .get_all("www-authenticate")
                .iter()
                .filter_map(|value| value.to_str().ok().map(str::to_string))
                .collect();
            let said = reply.said();
            let challenge = challenge::choose(lines.iter().map(String::as_str));
            let challenge = challenge.map_err(|schemes| {
                let text = format!("{}: {} wants to be shown {schemes}{said}", ask.what, self.name);
                Failure::new(Class::NotAllowed, text).with_status(401)
            })?;
            let kind = std::mem::discriminant(&challenge);
            // The first answer without any, then one renewal of each kind.
            let is_again = shown.is_some() && shown == authorization;
            if tries.contains(&kind) || is_again || !can_repeat {
                return Err(self.not_allowed(ask.what, 401, &said));
            }
            if authorization.is_some() {
                tries.push(kind);
            }
            shown = authorization.or(Some(String::new()));
            self.learn(challenge, shown.as_deref(), ask, &said)?;
        }
    }

    /// Remembers a challenge, and forgets the token that was not taken.
    fn learn(
        &self,
        challenge: Challenge,
        shown: Option<&str>,
        ask: &Ask<'_>,
        said: &str,
    ) -> Result<()> {
        if let Err(reason) = &self.credentials {
            let text = format!("{}: {} wants credentials: {reason}", ask.what, self.name);
            return Err(Failure::new(Class::Settings, text).with_status(401));
        }
        let has_password = matches!(self.credentials, Ok(Credentials::Password(..)));
        if challenge == Challenge::Basic && !has_password {
            return Err(self.not_allowed(ask.what, 401, said));
        }
        let mut state = self.state();
        let value = shown.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        state.tokens.retain(|token| token.value != value);
        state.challenge = Some(challenge);
        Ok(())
    }

    /// Returns the header that is shown now. Fetches a token if there is none for these scopes.
    fn authorization(&self, scopes: &[String]) -> Result<Option<String>> {
        let Ok(credentials) = &self.credentials else { return Ok(None) };
        if let Some(value) = self.known(credentials, scopes) {
            return Ok(value);
        }
        let _one = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        // Another request may have fetched it meanwhile.
        if let Some(value) = self.known(credentials, scopes) {
            return Ok(value);
        }
        let Some(Challenge::Bearer { realm, service, .. }) = self.state().challenge.clone() else {
            return Ok(None);
        };
        let here = self.address(self.is_plain().unwrap_or(false), "/");
        let service = service.as_deref();
        let token = token::fetch(&self.exchange, &here, &realm, service, scopes, credentials)?;
        let value = format!("Bearer {}", token.value);
        let mut state = self.state();
        state.tokens.retain(|other| other.is_fresh() && other.scopes != token.scopes);
        if state.tokens.len() >= TOKENS_MAX {
            state.tokens.remove(0);
        }
        state.tokens.push(token);
        Ok(Some(value))
    }

    /// Returns the header, or that there is none, or `None`: a token has to be fetched.
    fn known(&self, credentials: &Credentials, scopes: &[String]) -> Option<Option<String>> {
        let state = self.state();
        match (&state.challenge, credentials) {
            (None, _) => Some(None),
            (Some(Challenge::Basic), Credentials::Password(user, password)) => {
                Some(Some(basic(user, password)))
            }
            (Some(Challenge::Basic), _) => Some(None),
            (Some(Challenge::Bearer { .. }), Credentials::Token(token)) => {
                Some(Some(format!("Bearer {token}")))
            }
            (Some(Challenge::Bearer { .. }), _) => {
                let is_ours = |token: &&Token| token.scopes == scopes && token.is_fresh();
                state.tokens.iter().find(is_ours).map(|one| Some(format!("Bearer {}", one.value)))
            }
        }
    }

    /// Sends a request to where its target is. An insecure host is tried with TLS, then without.
    fn send(
        &self,
        ask: &Ask<'_>,
        authorization: Option<&str>,
        payload: &mut Payload<'_>,
    ) -> Result<Reply> {
        let is_plain = self.is_plain();
        let mut to = |address: &Address, shown: Option<&str>| {
            self.exchange.send(ask.what, &ask.method, address, ask.headers, shown, payload)
        };
        let path = match ask.target {
            Target::Path(path) => path,
            Target::Address(address) => {
                let home = self.address(is_plain.unwrap_or(false), "/");
                let shown = authorization.filter(|_| address.is_same_place(&home));
                return to(address, shown).map(|mut reply| {
                    reply.is_own &= address.is_same_place(&home);
                    reply
                });
            }
        };
        if let Some(is_plain) = is_plain {
            return to(&self.address(is_plain, path), authorization);
        }
        // Nothing is shown before it is known which of both it is.
        let failure = match to(&self.address(false, path), None) {
            Ok(reply) => {
                self.state().is_plain = Some(false);
                return Ok(reply);
            }
            Err(failure) if failure.class == Class::NoHost => return Err(failure),
            Err(failure) => failure,
        };
        match to(&self.address(true, path), None) {
            Ok(reply) => {
                self.state().is_plain = Some(true);
                Ok(reply)
            }
            Err(plain) if failure.no_tls => Err(plain),
            Err(_) => Err(failure),
        }
    }

    fn not_allowed(&self, what: &str, status: u16, said: &str) -> Failure {
        let text = match self.credentials {
            Ok(Credentials::Anonymous) => format!(
                "{what}: not there, or not allowed without credentials{said}: log in, or name \
                 --authfile or --creds-file"
            ),
            _ => format!("{what}: not there, or not allowed for these credentials{said}"),
        };
        Failure::new(Class::NotAllowed, text).with_status(status)
    }

    /// Returns the failure that an answer means which is none of those expected.
    pub fn refusal(&self, mut reply: Reply, what: &str) -> Failure {
        let status = reply.status;
        let said = reply.said();
        let host = &reply.address.authority;
        let new = |class, text: String| {
            Failure::new(class, format!("{what}: {text}{said}")).with_status(status)
        };
        match status {
            401 | 403 if reply.is_own => self.not_allowed(what, status, &said),
            404 if said.contains("accept header does not support") => {
                new(Class::Protocol, format!("{host} has it in another form than was asked for"))
            }
            404 if reply.is_page() => {
                new(Class::NotThere, format!("{host} answers 404: is it a registry?"))
            }
            404 => new(Class::NotThere, "not there".to_string()),
            429 => {
                let mut text = format!("{host} answers that these are too many requests");
                for name in ["ratelimit-limit", "ratelimit-remaining", "docker-ratelimit-source"] {
                    if let Some(value) = reply.header(name) {
                        text.push_str(&format!(", {name} {value}"));
                    }
                }
                let wait = reply.header("retry-after");
                let wait = wait.and_then(|value| time::retry_after(value, time::now()));
                if let Some(wait) = wait {
                    text.push_str(&format!(", try again in {} s", wait.as_secs()));
                }
                new(Class::TooMany, text).again(wait.map_or(Again::Later, Again::After))
            }
            408 | 500 | 502..=504 => {
                let wait = reply.header("retry-after");
                let wait = wait.and_then(|value| time::retry_after(value, time::now()));
                let again = wait.map_or(Again::Later, Again::After);
                new(Class::Server, format!("{host} answers {status}")).again(again)
            }
            501 | 505..=599 => new(Class::Server, format!("{host} answers {status}")),
            _ => new(Class::Protocol, format!("{host} answers {status}")),
        }
    }
}
