use ureq as _; use rustls as _; use webpki_roots as _;
fn main(){}
