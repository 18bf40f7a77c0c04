//! Real devices, in the tests' own network namespaces. A network namespace belongs to a thread, so
//! each test has one.

use super::*;
use crate::spec::leaked_linux;
use crate::sys::process;
use std::process::{Child, Command, Stdio};

/// A process in its own network namespace.
struct Container(Child);

impl Container {
    /// Also moves this thread to another one. Returns `None` if that is not possible.
    fn new() -> Option<Container> {
        let has_ip = Command::new("ip").arg("-V").stdout(Stdio::null()).status().is_ok();
        if process::effective_uid() != 0 || !has_ip {
            eprintln!("skipped: needs root and ip");
            return None;
        }
        clone::unshare(CLONE_NEWNET).unwrap();
        let child =
            Command::new("unshare").args(["--net", "cat"]).stdin(Stdio::piped()).spawn().unwrap();
        let of = |who: &str| std::fs::read_link(format!("/proc/{who}/ns/net")).unwrap();
        while of(&child.id().to_string()) == of("thread-self") {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Some(Container(child))
    }

    fn ip(&self, words: &str) -> String {
        let target = self.0.id().to_string();
        let out = Command::new("nsenter")
            .args(["--net", "--target", &target, "ip"])
            .args(words.split(' '))
            .output();
        String::from_utf8(out.unwrap().stdout).unwrap()
    }

    fn hand_over(&self, devices: &str) -> core::result::Result<(), String> {
        let linux = format!(r#"{{"namespaces":[{{"type":"network"}}],"netDevices":{devices}}}"#);
        let spec = leaked_linux(&linux, "").unwrap();
        hand_over(spec.net_devices, self.0.id() as i32).map_err(|error| error.to_string())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn ip(words: &str) -> String {
    let out = Command::new("ip").args(words.split(' ')).output().unwrap();
    assert!(out.status.success(), "ip {words}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn a_device_moves_with_its_addresses_and_is_up() {
    let Some(container) = Container::new() else { return };
    ip("link add host0 mtu 1400 type veth peer name host1");
    ip("address add 192.0.2.1/24 broadcast 192.0.2.255 label host0:x dev host0");
    ip("address add 198.51.100.1 peer 198.51.100.2/32 dev host0");
    ip("address add 2001:db8::1/64 nodad dev host0");
    ip("address add 192.0.2.9/32 scope link dev host0");
    ip("address add 192.0.2.10/24 valid_lft 1000 preferred_lft 1000 dev host0");
    container.hand_over(r#"{"host0":{"name":"eth7"}}"#).unwrap();
    assert!(!ip("-o link").contains("host0@"), "it is here no longer");
    let link = container.ip("-o link show eth7");
    assert!(link.contains("mtu 1400") && link.contains("UP"), "{link}");
    let addresses = container.ip("-o address show eth7");
    for wanted in [
        "inet 192.0.2.1/24 brd 192.0.2.255 scope global eth7",
        "inet 198.51.100.1 peer 198.51.100.2/32 scope global eth7",
        "inet6 2001:db8::1/64 scope global",
    ] {
        assert!(addresses.contains(wanted), "{wanted} in {addresses}");
    }
    for other in ["192.0.2.9", "192.0.2.10", "host0"] {
        assert!(!addresses.contains(other), "{other} in {addresses}");
    }
}

#[test]
fn a_device_whose_number_is_taken_gets_another() {
    let Some(container) = Container::new() else { return };
    container.ip("link add a0 index 11 type veth peer name a1 index 12");
    ip("link add host0 index 11 type veth peer name host1 index 21");
    ip("address add 192.0.2.1/24 dev host0");
    container.hand_over(r#"{"host0":{}}"#).unwrap();
    assert!(container.ip("-o address show host0").contains("192.0.2.1/24"));
    assert!(!container.ip("-o address show a0").contains("192.0.2.1/24"));
}

#[test]
fn the_kernel_counts_names_with_percent_d() {
    let Some(container) = Container::new() else { return };
    container.ip("link add eth0 type veth peer name eth1");
    ip("link add host0 type veth peer name host1");
    container.hand_over(r#"{"host0":{"name":"eth%d"},"host1":{"name":"eth%d"}}"#).unwrap();
    let links = container.ip("-o link");
    assert!(links.contains("eth2") && links.contains("eth3") && !links.contains("host"), "{links}");
}

#[test]
fn nothing_moves_where_one_cannot() {
    let Some(container) = Container::new() else { return };
    container.ip("link add eth0 type veth peer name eth1");
    ip("link add host0 type veth peer name host1");
    for (devices, text) in [
        (
            r#"{"host0":{},"host1":{"name":"eth0"}}"#,
            "network device host1: the container has a device eth0",
        ),
        (r#"{"host0":{},"nosuch":{}}"#, "network device nosuch: find: no such device"),
    ] {
        assert_eq!(container.hand_over(devices).unwrap_err(), text);
        assert!(ip("-o link").contains("host0@"), "{devices}");
    }
}

#[test]
fn more_addresses_than_fit_are_an_error() {
    let Some(container) = Container::new() else { return };
    ip("link add host0 type veth peer name host1");
    for n in 0..=NET_ADDRESSES_MAX {
        ip(&format!("address add 192.0.2.{n}/32 dev host0"));
    }
    assert_eq!(
        container.hand_over(r#"{"host0":{}}"#).unwrap_err(),
        "network device host0: more than 64 addresses"
    );
    ip("address del 192.0.2.64/32 dev host0");
    container.hand_over(r#"{"host0":{}}"#).unwrap();
    assert_eq!(container.ip("-o -4 address show host0").lines().count(), NET_ADDRESSES_MAX);
}

#[test]
fn names_are_checked_first() {
    let check_of = |network: &str, devices: &str| {
        let linux = format!(r#"{{"namespaces":[{network}],"netDevices":{devices}}}"#);
        leaked_linux(&linux, "").map(drop).map_err(|error| error.to_string())
    };
    const NEW: &str = r#"{"type":"network"}"#;
    for good in [
        r#"{}"#,
        r#"{"a":{}}"#,
        r#"{"a":{"name":""}}"#,
        r#"{"a":{"name":"eth%d"},"b":{"name":"eth%d"}}"#,
    ] {
        assert_eq!(check_of(NEW, good), Ok(()), "{good}");
    }
    for bad in [".", "..", "a/b", "a b", "a:b", "sixteen-bytes-it", "%d", "a%", "a\\\\n", "é"] {
        let text = check_of(NEW, &format!(r#"{{"{bad}":{{}}}}"#)).unwrap_err();
        assert!(text.ends_with("not the name of a network device"), "{bad}: {text}");
    }
    for bad in ["a%s", "%d%d", "a%d%s", "..", "a/%d"] {
        assert!(check_of(NEW, &format!(r#"{{"a":{{"name":"{bad}"}}}}"#)).is_err(), "{bad}");
    }
    let twice = check_of(NEW, r#"{"a":{},"b":{"name":"a"}}"#).unwrap_err();
    assert_eq!(twice, "linux.netDevices.b: two devices of one name");
    assert_eq!(
        check_of("", r#"{"a":{}}"#).unwrap_err(),
        "linux.netDevices.a: needs a network namespace"
    );
}
