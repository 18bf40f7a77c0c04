//! Hostile roots and volumes: each published escape through a mount.

use super::*;

#[test]
fn nothing_hides_proc_or_what_is_in_it() {
    // CVE-2019-16884.
    let Some(root) = Fixture::new("proc-hidden") else { return };
    let outside = Outside::of(&root);
    let (directory, file) = (leak(&outside.0), leak(&outside.0.join("file")));
    symlink("/proc", root.path.join("link")).unwrap();
    symlink("../proc/self", root.path.join("other")).unwrap();
    let refused = |mount: Mount<'static>, why: &str| {
        let error = start(&root, &[mount], |_| ()).unwrap_err();
        assert!(error.ends_with(why), "{error}");
    };
    refused(bind(directory, c"/proc", b"rbind\0"), "mount none at /proc: it is not procfs");
    refused(tmpfs(c"/proc/", b"size=1m\0"), "it is not procfs");
    let hides = "it would hide what is in /proc";
    for place in [
        c"/proc/self/attr",
        c"/proc/1/../sys",
        c"/proc//sys/kernel",
        c"/./proc/acpi",
        c"/proc/sys/net",
    ] {
        refused(bind(directory, place, b"rbind\0"), hides);
        refused(tmpfs(place, b"size=1m\0"), hides);
    }
    refused(bind(directory, c"/link", b"bind\0"), hides);
    refused(bind(directory, c"/link/self", b"bind\0"), hides);
    refused(bind(directory, c"/other/attr", b"bind\0"), hides);
    refused(tmpfs(c"/link/sys", b"size=1m\0"), hides);
    refused(at(c"/proc/sys", c"proc", c"proc", b""), hides);
    refused(tmpfs(c"/proc/sys", b"remount\0size=1m\0"), hides);
    // Binds of emulated files, and another procfs, are allowed.
    let allowed = [bind(file, c"/proc/cpuinfo", b"bind\0"), bind(file, c"/proc/uptime", b"bind\0")];
    expect_line(&start(&root, &[], |_| ()), "/proc proc rw,nosuid,nodev,noexec,relatime");
    assert!(start(&root, &allowed, |_| ()).unwrap().contains("\n/proc/cpuinfo "));
    assert!(start(&root, &[at(c"/proc", c"proc", c"proc", b"")], |_| ()).is_ok());
}

#[test]
fn a_destination_that_is_a_link_stays_inside() {
    // CVE-2021-30465, CVE-2024-45310, CVE-2026-41579.
    let Some(root) = Fixture::new("dest-links") else { return };
    let outside = Outside::of(&root);
    let out = outside.0.to_str().unwrap();
    let up = format!("{}{out}", "../".repeat(20));
    symlink(out, root.path.join("absolute")).unwrap();
    symlink(&up, root.path.join("up")).unwrap();
    symlink(format!("{up}/made"), root.path.join("dangling")).unwrap();
    let sub = leak(&outside.0.join("sub"));
    let said = start(
        &root,
        &[
            tmpfs(c"/absolute", b"size=1m\0"),
            tmpfs(c"/up/x", b"size=1m\0"),
            tmpfs(c"/dangling/deep", b"size=1m\0"),
            bind(sub, c"/dangling/bound", b"bind\0"),
            bind(leak(&outside.0.join("file")), c"/dangling/file", b"bind\0"),
        ],
        |_| (),
    );
    for place in ["", "/x", "/made/deep"] {
        expect_line(&said, &format!("{out}{place} tmpfs rw,relatime"));
    }
    assert_eq!(outside.names(), 2, "something was made on the host");
    assert_eq!(std::fs::read_dir(outside.0.join("sub")).unwrap().count(), 0);

    // A /dev that is a link gets no devices, and no other mount. Without a mount there they are
    // made inside.
    let _ = std::fs::remove_dir_all(root.path.join("dev"));
    symlink(&up, root.path.join("dev")).unwrap();
    let error = start(&root, &[], |_| ()).unwrap_err();
    assert_eq!(
        error,
        "125 mount tmpfs at /dev: must be mounted on ordinary directory, and the image has a symbolic link there"
    );
    let _ = std::fs::remove_dir_all(root.path.join(&out[1..]));
    let said = start(&root, &[], |spec| {
        spec.mounts = &defaults::MOUNTS[..1];
        spec.masked_paths = PackedStrings::default();
    });
    assert!(said.is_ok(), "{said:?}");
    assert!(root.path.join(&out[1..]).join("null").symlink_metadata().unwrap().rdev() == 0x103);
    assert_eq!(outside.names(), 2, "a device was made on the host");
}

#[test]
fn a_swap_of_the_destination_changes_nothing_on_the_host() {
    // CVE-2021-30465: another container with the same volume swaps a directory in it and a link.
    use std::sync::atomic::{AtomicBool, Ordering};
    let Some(root) = Fixture::new("dest-race") else { return };
    let outside = Outside::of(&root);
    let volume = root.path.with_extension("volume");
    let _ = std::fs::remove_dir_all(&volume);
    std::fs::create_dir_all(volume.join("place")).unwrap();
    symlink(format!("{}{}", "../".repeat(20), outside.0.display()), volume.join("link")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let open = fs::open(CWD, leak(&volume), fs::O_PATH, 0).unwrap();
            while !done.load(Ordering::Relaxed) {
                const RENAME_EXCHANGE: u32 = 2;
                let _ =
                    fs::rename(open.by_ref(), c"place", open.by_ref(), c"link", RENAME_EXCHANGE);
            }
        });
        let mounts =
            [bind(leak(&volume), c"/vol", b"bind\0"), tmpfs(c"/vol/place/sub/new", b"size=1m\0")];
        for _ in 0..40 {
            if let Ok(said) = start(&root, &mounts, |_| ()) {
                assert_eq!(
                    said.lines().filter(|line| line.contains("/new tmpfs")).count(),
                    1,
                    "{said}"
                );
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(!outside.0.join("sub/new").exists(), "a directory was made on the host");
    std::fs::remove_dir_all(&volume).unwrap();
}

#[test]
fn the_procfs_that_was_mounted_is_masked_whatever_its_name_is_now() {
    // CVE-2019-19921, CVE-2023-28642: between mount and mask /proc is replaced.
    let Some(root) = Fixture::new("proc-swapped") else { return };
    let spec = { spec(b"") };
    alone(|| {
        let shown = |error: Error| error.to_string();
        let mut mounted = Mounted::new();
        let fd = fs::open(CWD, leak(&root.path), fs::O_PATH, 0).unwrap();
        mount_all(
            fd.by_ref(),
            c"/",
            &Spec { mounts: &defaults::MOUNTS[..2], ..spec },
            From { prepared: &Prepared::NONE, bundle: Ok(()), lender: None },
            &mut mounted,
        )
        .map_err(shown)?;
        fs::mknod(CWD, leak(&root.path.join("dev/null")), fs::S_IFCHR | 0o666, 0x103).unwrap();
        let keep = leak(&root.path.join("elsewhere"));
        fs::mkdir(CWD, keep, 0o755).unwrap();
        let proc = leak(&root.path.join("proc"));
        mount::move_to(proc, keep).unwrap();
        std::fs::create_dir_all(root.path.join("proc/sys")).unwrap();
        std::fs::write(root.path.join("proc/keys"), "fake").unwrap();
        let places =
            protect::Places { root: fd.by_ref(), proc: mounted.proc.as_ref().map(Fd::by_ref) };
        protect::mask(places, PackedStrings::new(b"/proc/keys\0/proc/acpi\0")).map_err(shown)?;
        protect::make_readonly(places, PackedStrings::new(b"/proc/sys\0")).map_err(shown)?;
        let real = std::fs::read_to_string(root.path.join("elsewhere/keys")).unwrap();
        let write = std::fs::File::options()
            .write(true)
            .open(root.path.join("elsewhere/sys/kernel/hostname"));
        let fake = std::fs::read_to_string(root.path.join("proc/keys")).unwrap();
        let seen =
            (real.as_str(), write.map(drop).map_err(|error| error.raw_os_error()), fake.as_str());
        if seen == ("", Err(Some(Errno::EROFS.number())), "fake") {
            Ok(())
        } else {
            Err(format!("{seen:?}\n"))
        }
    });
    let _ = std::fs::remove_dir(root.path.join("elsewhere"));
}

#[test]
fn a_null_device_or_console_of_the_images_own_is_not_used() {
    // CVE-2025-31133, CVE-2025-52565, crun's CVE-2026-88264.
    let Some(root) = Fixture::new("own-dev") else { return };
    let outside = Outside::of(&root);
    let dev = outside.0.join("dev");
    std::fs::create_dir(&dev).unwrap();
    let secret = outside.0.join("file");
    let bound = |name: &str| {
        let said = start(&root, &[bind(leak(&dev), c"/dev", b"rbind\0")], |_| ()).unwrap_err();
        assert!(said.contains(name), "{said}");
    };
    symlink("../etc/secret", dev.join("null")).unwrap();
    bound("/dev/null");
    std::fs::remove_file(dev.join("null")).unwrap();
    std::fs::write(dev.join("null"), "").unwrap();
    bound("is not the null device");
    std::fs::remove_file(dev.join("null")).unwrap();
    fs::mknod(CWD, leak(&dev.join("null")), fs::S_IFCHR | 0o666, fs::makedev(1, 3)).unwrap();
    let said = start(&root, &[bind(leak(&dev), c"/dev", b"rbind\0")], |_| ());
    assert!(said.unwrap().contains("/proc/keys"));
    assert_eq!(
        std::fs::read_dir(&dev).unwrap().count(),
        1,
        "devices were made in a /dev that is the host's"
    );

    symlink(&secret, dev.join("console")).unwrap();
    let pts = at(c"/dev/pts", c"devpts", c"devpts", b"newinstance\0ptmxmode=0666\0");
    std::fs::create_dir(dev.join("pts")).unwrap();
    let mut spec = spec(b"PATH=/bin\0PROBE=exit\0");
    spec.mounts = with(&[bind(leak(&dev), c"/dev", b"rbind\0"), pts]);
    let terminal = crate::container::Stdio::Terminal(None);
    let error =
        crate::container::tests::fixture::start_with(&spec, &root, terminal).map(drop).unwrap_err();
    assert!(error.to_string().starts_with("bind the terminal to /dev/console"), "{error}");
    assert_eq!(secret.metadata().unwrap().uid(), 0);
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "host");
}
