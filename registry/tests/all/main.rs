//! The helper as ocinit sees it: through the protocol, against servers that lie and a real one.
//! Then both programs together.

mod answers;
mod authorization;
mod bodies;
mod certificates;
mod confined;
mod driver;
mod hosts;
mod ocinit;
mod pull;
mod pull_copies;
mod pull_fails;
mod real;
mod server;
mod writes;
