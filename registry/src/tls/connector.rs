//! Connections for ureq: names to addresses, TLS over whatever carries it.

use super::Configs;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::fmt;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

/// A name that has no address.
#[derive(Debug)]
pub struct NoAddress {
    /// The name: the host's, or its proxy's.
    pub name: String,
    /// The resolver's words.
    pub reason: String,
}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has no address: {}", self.name, self.reason)
    }
}

impl std::error::Error for NoAddress {}

/// std's resolver, whose failures can be told from those of a connection.
#[derive(Default)]
pub struct Names(DefaultResolver);

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Names")
    }
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let name = uri.host().unwrap_or_default().to_string();
        self.0.resolve(uri, config, timeout).map_err(|error| match error {
            Error::Timeout(_) => error,
            Error::Io(reason) => {
                let said = reason.to_string();
                let reason = said.rsplit(": ").next().unwrap_or_default().to_string();
                Error::Other(Box::new(NoAddress { name, reason }))
            }
            other => Error::Other(Box::new(NoAddress { name, reason: other.to_string() })),
        })
    }
}

/// TLS for addresses of https.
pub struct Tls {
    /// The host that gets the configuration `own`.
    pub host: String,
    /// Both configurations.
    pub configs: Configs,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls for {}", self.host)
    }
}

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, Encrypted>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let authority = details.uri.authority().ok_or(Error::TlsRequired)?;
        let is_own = authority.as_str().eq_ignore_ascii_case(&self.host);
        let config = if is_own { &self.configs.own } else { &self.configs.others };
        let bare = authority.host().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_string())
            .map_err(|_| Error::Tls("the host's name is not valid in TLS"))?;
        let wrong = |error| Error::from(std::io::Error::other(error));
        let mut connection = ClientConnection::new(config.clone(), name).map_err(wrong)?;
        let mut under = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        under.set_timeout(details.timeout);
        connection.complete_io(&mut under)?;
        let (input, output) =
            (details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(Encrypted {
            buffers: LazyBuffers::new(input, output),
            stream: StreamOwned::new(connection, under),
        })))
    }
}

/// A connection with TLS.
pub struct Encrypted {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encrypted")
    }
}

impl Transport for Encrypted {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.get_mut().set_timeout(timeout);
        std::io::Write::write_all(&mut self.stream, &self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = std::io::Read::read(&mut self.stream, self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
