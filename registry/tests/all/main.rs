//! The helper as ocinit sees it: through the protocol, against servers that lie and a real one.

mod answers;
mod authorization;
mod bodies;
mod certificates;
mod confined;
mod driver;
mod hosts;
mod real;
mod server;
mod writes;
