//! Conversion of small images and root directories made here.

use super::*;
use crate::codec::json;
use crate::sys::fd::{CWD, Fd};
use crate::sys::fs;
use std::ffi::CString;
use std::path::PathBuf;

/// A directory, removed on drop.
struct Root {
    path: PathBuf,
    fd: Fd,
}

impl Root {
    fn new(name: &str, files: &[(&str, &str)]) -> Root {
        let path =
            std::env::temp_dir().join(format!("ocinit-bundle-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("etc")).unwrap();
        for (file, text) in files {
            std::fs::write(path.join(file), text).unwrap();
        }
        let name = CString::new(path.to_str().unwrap()).unwrap();
        let fd = fs::open(CWD, &name, fs::O_RDONLY | fs::O_DIRECTORY, 0).unwrap();
        Root { path, fd }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.path).unwrap();
    }
}

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken:x\napp:x:1000:1001::/home/app:/bin/sh\n\
    1000:x:7:7::/wrong:/bin/sh\nbad:x:abc:0::/:/bin/sh\nhalf:x:9\nhuge:x:4294967296:0::/:\nnohome:x:8:8\n\
    :x:6:6::/:\n";
const GROUP: &str = "root:x:0:\nwheel:x:10:root,app\napp:x:1001:\nbroken\naudio:x:29:nobody,app,\nodd:x:zz:bad2\n\
    twice:x:10:app\napp2:x:30:ap,appx";

fn in_root<T>(name: &str, test: impl FnOnce(FdRef<'_>) -> T) -> T {
    let root = Root::new(name, &[("etc/passwd", PASSWD), ("etc/group", GROUP)]);
    test(root.fd.by_ref())
}

fn user(root: FdRef<'_>, text: &str) -> std::result::Result<(u32, u32, Vec<u32>, String), String> {
    let mut home = crate::io::passwd::Field::new();
    let user =
        user::find(Some(root), text.as_bytes(), &mut home).map_err(|error| error.to_string())?;
    let home = String::from_utf8(home.bytes().to_vec()).unwrap();
    Ok((user.uid, user.gid, user.additional_gids.to_vec(), home))
}

#[test]
fn a_user_in_every_form() {
    in_root("forms", |root| {
        for (text, uid, gid, groups, home) in [
            ("", 0, 0, &[0, 10][..], "/root"),
            ("root", 0, 0, &[0, 10], "/root"),
            ("app", 1000, 1001, &[1001, 10, 29], "/home/app"),
            ("1000", 1000, 1001, &[1001, 10, 29], "/home/app"),
            ("app:wheel", 1000, 10, &[10], "/home/app"),
            ("app:77", 1000, 77, &[77], "/home/app"),
            ("1000:77", 1000, 77, &[77], "/home/app"),
            ("5:audio", 5, 29, &[29], "/"),
            ("5", 5, 0, &[0], "/"),
            ("nohome", 8, 8, &[8], "/"),
            ("6", 6, 6, &[6], "/"),
            ("4294967294:4294967294", 4294967294, 4294967294, &[4294967294], "/"),
        ] {
            assert_eq!(
                user(root, text),
                Ok((uid, gid, groups.to_vec(), home.to_string())),
                "{text:?}"
            );
        }
    });
}

#[test]
fn the_last_line_needs_no_end() {
    for (passwd, group) in [
        ("app:x:1000:1001::/home/app:", "wheel:x:10:app"),
        ("app:x:1000:1001::/home/app", "wheel:x:10:app,"),
    ] {
        let root = Root::new("last-line", &[("etc/passwd", passwd), ("etc/group", group)]);
        assert_eq!(
            user(root.fd.by_ref(), "app"),
            Ok((1000, 1001, vec![1001, 10], "/home/app".into())),
            "{passwd}"
        );
    }
    let root = Root::new("last-line", &[("etc/passwd", "app:x:1000:"), ("etc/group", "")]);
    let error = "line 1 of the image's /etc/passwd: the gid is not a number";
    assert_eq!(user(root.fd.by_ref(), "app"), Err(error.into()));
}

#[test]
fn a_user_that_is_none_is_an_error() {
    in_root("errors", |root| {
        for (text, error) in [
            ("nobody", "user \"nobody\": not in the image's /etc/passwd"),
            ("app:none", "group \"none\": not in the image's /etc/group"),
            ("ap", "user \"ap\": not in the image's /etc/passwd"),
            ("-1", "user \"-1\": not in the image's /etc/passwd"),
            (":10", "user \":10\": empty name"),
            (":", "user \":\": empty name"),
            ("app:", "user \"app:\": empty name"),
            ("app:1:2", "group \"1:2\": not in the image's /etc/group"),
            ("4294967295", "user \"4294967295\": not a number from 0 to 4294967294"),
            ("4294967296", "user \"4294967296\": not a number from 0 to 4294967294"),
            ("0:4294967295", "group \"4294967295\": not a number from 0 to 4294967294"),
            ("bad", "line 5 of the image's /etc/passwd: the uid is not a number"),
            ("half", "line 6 of the image's /etc/passwd: the line ends before the gid"),
            ("huge", "line 7 of the image's /etc/passwd: the uid is not a number"),
            ("app:odd", "line 6 of the image's /etc/group: the gid is not a number"),
        ] {
            assert_eq!(user(root, text), Err(error.to_string()), "{text:?}");
        }
    });
}

#[test]
fn passwd_is_looked_for_in_the_root_only() {
    let root = Root::new("links", &[("etc/real", PASSWD)]);
    let passwd = root.path.join("etc/passwd");
    let fd = root.fd.by_ref();
    assert_eq!(user(fd, "7").unwrap().0, 7);
    assert!(user(fd, "root").unwrap_err().contains("not in the image's"));
    let link = |target: &str| {
        let _ = std::fs::remove_file(&passwd);
        std::os::unix::fs::symlink(target, &passwd).unwrap();
    };
    link("/etc/real");
    assert_eq!(user(fd, "app").unwrap().1, 1001);
    link("../../../etc/real");
    assert_eq!(user(fd, "app").unwrap().1, 1001);
    let outside = root.path.with_extension("outside");
    std::fs::write(&outside, PASSWD).unwrap();
    link(outside.to_str().unwrap());
    assert!(user(fd, "app").unwrap_err().contains("not in the image's"));
    std::fs::remove_file(&outside).unwrap();
    std::fs::remove_file(&passwd).unwrap();
    let name = CString::new(passwd.to_str().unwrap()).unwrap();
    fs::mknod(CWD, &name, fs::S_IFIFO | 0o644, 0).unwrap();
    assert_eq!(user(fd, "app").unwrap_err(), "the image's /etc/passwd is not a regular file");
}

#[test]
fn long_lines_take_no_memory_and_endless_files_end() {
    let members = "somebody,".repeat(100_000);
    let group = format!("many:x:50:{members}app,{members}\n{}:x:51:app\n", "n".repeat(5000));
    let comment = "c".repeat(100_000);
    let passwd = format!("app{comment}:x:1:1::/:\napp:x:1000:1001:{comment}:/home/app:\n");
    let root = Root::new("long", &[("etc/passwd", &passwd), ("etc/group", &group)]);
    assert_eq!(
        user(root.fd.by_ref(), "app"),
        Ok((1000, 1001, vec![1001, 50, 51], "/home/app".into()))
    );
    std::fs::File::options()
        .write(true)
        .open(root.path.join("etc/group"))
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    assert!(user(root.fd.by_ref(), "app").unwrap_err().contains("exceeds"));
    let all: String =
        (0..=crate::limits::GROUPS_MAX).map(|n| format!("g{n}:x:{}:app\n", n + 2000)).collect();
    std::fs::write(root.path.join("etc/group"), all).unwrap();
    assert!(user(root.fd.by_ref(), "app").unwrap_err().contains("supplementary groups"));
}

/// Returns the spec of an image with this `config`, as lines.
fn spec(
    config: &str,
    change: impl FnOnce(&mut Overrides<'_, '_>),
) -> std::result::Result<String, String> {
    let mut document =
        format!(r#"{{"architecture":"amd64","os":"linux","config":{config}}}"#).into_bytes();
    let config = Config::read(json::check(&mut document).unwrap()).unwrap();
    let mut memory = vec![0; 65536];
    let mut strings = StringBlock::new(&mut memory);
    let mut overrides = Overrides::default();
    change(&mut overrides);
    let root = Root::new(
        &format!("{:?}", std::thread::current().id()),
        &[("etc/passwd", PASSWD), ("etc/group", GROUP)],
    );
    let spec = spec_from_image(&config, overrides, Some(root.fd.by_ref()), &mut strings)
        .map_err(|error| error.to_string())?;
    let list = |words: PackedStrings<'_>| {
        words.iter().map(|word| word.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let process = &spec.process;
    let (args, env) = (list(process.args).join(" "), list(process.env).join(" "));
    let cwd = process.cwd.to_str().unwrap();
    let caps = process.capabilities.effective;
    Ok(format!("{args}|{env}|{cwd}|{}|{caps:x}|{}", process.user.uid, spec.stop_signal))
}

const PATH: &str =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOSTNAME=ocinit";

#[test]
fn an_image_becomes_a_spec() {
    let found = spec(
        r#"{"Entrypoint":["/e","1"],"Cmd":["2"],"WorkingDir":"/w","StopSignal":"SIGRTMIN+3"}"#,
        |_| {},
    );
    assert_eq!(found.unwrap(), format!("/e 1 2|{PATH} HOME=/root|/w|0|a80425fb|37"));
    let found = spec(r#"{"Cmd":["a\"b\n","é"],"User":"app","WorkingDir":"w","Env":null}"#, |_| {});
    assert_eq!(found.unwrap(), format!("a\"b\n é|{PATH} HOME=/home/app|/w|1000|0|15"));
}

#[test]
fn given_arguments_replace_cmd_alone() {
    let given: &[&[u8]] = &[b"x", b"", b"y z"];
    for (config, args) in
        [(r#"{"Entrypoint":["/e"],"Cmd":["2"]}"#, "/e x  y z"), (r#"{"Cmd":["2"]}"#, "x  y z")]
    {
        let found = spec(config, |overrides| {
            overrides.args = Some(Box::leak(Box::new(given.iter().copied())))
        });
        assert!(found.unwrap().starts_with(&format!("{args}|")));
    }
    assert!(spec(r#"{"Entrypoint":[]}"#, |_| {}).unwrap_err().starts_with("nothing to execute"));
    let none =
        spec("null", |overrides| overrides.args = Some(Box::leak(Box::new(std::iter::empty()))));
    assert!(none.unwrap_err().starts_with("nothing to execute"));
}

#[test]
fn the_environment_is_the_images_but_for_what_was_given() {
    let config = r#"{"Cmd":["c"],"Env":["A=1","HOME=/h","B=2","A=3","FLAG","PATH=/p","AB=x"]}"#;
    let given: &[&[u8]] = &[b"A=first", b"NEW=n", b"A=last=x"];
    let found = spec(config, |overrides| {
        overrides.env = Some(Box::leak(Box::new(given.iter().copied())));
        overrides.terminal = true;
        overrides.hostname = Some("box");
    });
    let env = found.unwrap().split('|').nth(1).unwrap().to_owned();
    assert_eq!(env, "NEW=n A=last=x HOME=/h B=2 FLAG PATH=/p AB=x HOSTNAME=box TERM=xterm");
    for bad in [&b"NAME"[..], b"=x", b""] {
        let found =
            spec(config, |overrides| overrides.env = Some(Box::leak(Box::new([bad].into_iter()))));
        assert!(found.unwrap_err().contains("not NAME=VALUE"));
    }
}

#[test]
fn what_was_given_goes_before_the_images() {
    let found = spec(r#"{"Cmd":["c"],"User":"nobody","WorkingDir":"/w"}"#, |overrides| {
        overrides.user = Some("app");
        overrides.workdir = Some("/other");
    });
    assert!(found.unwrap().ends_with("|/other|1000|0|15"));
    assert!(spec(r#"{"Cmd":["c"],"StopSignal":"SIGNO"}"#, |_| {}).unwrap_err().contains("SIGNO"));
    assert!(spec(r#"{"Cmd":["a\u0000b"]}"#, |_| {}).unwrap_err().contains("NUL"));
}

#[test]
fn etc_is_completed_and_nothing_overwritten() {
    let root = Root::new("etc", &[("etc/hostname", "kept\n"), ("etc/hosts", "")]);
    complete_etc(root.fd.by_ref(), c"box").unwrap();
    let read = |name: &str| std::fs::read_to_string(root.path.join(name)).unwrap();
    assert_eq!(read("etc/hostname"), "kept\n");
    assert!(read("etc/hosts").starts_with("127.0.0.1\tlocalhost box\n"));
    std::fs::remove_file(root.path.join("etc/hosts")).unwrap();
    std::os::unix::fs::symlink("/nowhere", root.path.join("etc/hosts")).unwrap();
    std::fs::remove_dir_all(root.path.join("nowhere")).ok();
    complete_etc(root.fd.by_ref(), c"box").unwrap();
    assert!(!root.path.join("nowhere").exists());
}

#[test]
fn volumes_are_directories_where_the_root_is_ones_own() {
    let root = Root::new("volumes", &[("etc/file", "kept")]);
    std::fs::create_dir(root.path.join("full")).unwrap();
    std::fs::write(root.path.join("full/seed"), "kept").unwrap();
    std::os::unix::fs::symlink("/full/in", root.path.join("link")).unwrap();
    std::os::unix::fs::symlink("/outside-of-the-root", root.path.join("out")).unwrap();
    let mut document = br#"{"architecture":"a","os":"b","config":{"Volumes":
        {"/new/in":{},"rel":{},"/full":{},"/etc/file":{},"/link/../up":{},"/proc/x":{},"/out/x":{},"/":{}}}}"#
        .to_vec();
    let config = Config::read(json::check(&mut document).unwrap()).unwrap();
    let mut memory = vec![0; 4096];
    make_volumes(&config, root.fd.by_ref(), &mut StringBlock::new(&mut memory)).unwrap();
    let there = |name: &str| root.path.join(name).is_dir();
    assert!(there("new/in") && there("rel") && there("up") && !there("proc"));
    assert!(!std::path::Path::new("/outside-of-the-root").exists());
    for name in ["full/seed", "etc/file"] {
        assert_eq!(std::fs::read_to_string(root.path.join(name)).unwrap(), "kept");
    }
}

#[test]
fn a_user_outside_of_the_namespace_becomes_its_root() {
    use crate::spec::IdMapping;
    let single = [IdMapping { container: 0, host: 1000, size: 1 }];
    let ranges = [single[0], IdMapping { container: 1, host: 100_000, size: 1500 }];
    for (user, mappings, uid, gid, effective) in [
        ("app", &single[..], 0, 0, capability::DEFAULT),
        ("root", &single, 0, 0, capability::DEFAULT),
        ("app", &ranges, 1000, 1001, 0),
        ("app:2000", &ranges, 0, 0, capability::DEFAULT),
        ("1500:1500", &ranges, 1500, 1500, 0),
        ("1501:0", &ranges, 0, 0, capability::DEFAULT),
    ] {
        let mut document =
            format!(r#"{{"architecture":"a","os":"b","config":{{"User":"{user}","Cmd":["c"]}}}}"#)
                .into_bytes();
        let config = Config::read(json::check(&mut document).unwrap()).unwrap();
        let (mut memory, mut stock) = (vec![0; 65536], Stock::EMPTY);
        let mut strings = StringBlock::new(&mut memory);
        in_root(&format!("rootless-{user}-{}", mappings.len()), |root| {
            let overrides = Overrides { bundle: true, ..Overrides::default() };
            let mut spec = spec_from_image(&config, overrides, Some(root), &mut strings).unwrap();
            let rootless = Some(Rootless { uids: mappings, gids: mappings, joins: false });
            for_bundle(
                &mut spec,
                &config,
                Some(root),
                rootless,
                Given::default(),
                &mut strings,
                &mut stock,
            )
            .unwrap();
            let found = &spec.process.user;
            assert_eq!(
                (found.uid, found.gid, found.additional_gids.len()),
                (uid, gid, 0),
                "{user}"
            );
            assert_eq!(spec.process.capabilities.effective, effective, "{user}");
        });
    }
}

#[test]
fn too_many_volumes_are_an_error_that_names_the_limit() {
    use crate::limits::MOUNTS_MAX;
    let volumes: Vec<String> = (0..=MOUNTS_MAX).map(|n| format!("\"/v{n}\":{{}}")).collect();
    let mut document = format!(
        r#"{{"architecture":"a","os":"b","config":{{"Volumes":{{{}}}}}}}"#,
        volumes.join(",")
    )
    .into_bytes();
    let config = Config::read(json::check(&mut document).unwrap()).unwrap();
    let (mut memory, mut mounts) = (vec![0; 65536], Mounts::new(MOUNTS_MAX));
    let mut strings = StringBlock::new(&mut memory);
    let found = in_root("many", |root| {
        volumes::mount_volumes(&config, Some(root), None, &mut strings, &mut mounts)
    });
    assert_eq!(found.unwrap_err().to_string(), format!("more than {MOUNTS_MAX} mounts"));
}

#[test]
fn a_volume_has_its_directorys_owner_where_the_namespace_knows_him() {
    use crate::spec::IdMapping;
    let single = [IdMapping { container: 0, host: 1000, size: 1 }];
    let ranges = [single[0], IdMapping { container: 1, host: 100_000, size: 8 }];
    let root = Root::new("owners", &[]);
    fs::mkdir(root.fd.by_ref(), c"v", 0o700).unwrap();
    std::os::unix::fs::chown(root.path.join("v"), Some(7), Some(8)).unwrap();
    let mut document = br#"{"architecture":"a","os":"b","config":{"Volumes":{"/v":{}}}}"#.to_vec();
    let config = Config::read(json::check(&mut document).unwrap()).unwrap();
    for (mappings, owner) in
        [(None, " uid=7 gid=8"), (Some(&single[..]), ""), (Some(&ranges), " uid=7 gid=8")]
    {
        let (mut memory, mut mounts) = (vec![0; 4096], Mounts::new(4));
        let mut strings = StringBlock::new(&mut memory);
        let rootless = mappings.map(|ids| Rootless { uids: ids, gids: ids, joins: false });
        volumes::mount_volumes(
            &config,
            Some(root.fd.by_ref()),
            rootless,
            &mut strings,
            &mut mounts,
        )
        .unwrap();
        let options: Vec<_> = mounts[0].options.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(options.join(" "), format!("nosuid nodev tmpcopyup mode=0700{owner}"));
    }
}

#[test]
fn a_config_is_read_again_as_it_was_written() {
    let odd: String = ('\u{1}'..='\u{a1}').chain("é€😀\u{2028}\u{ffff}".chars()).collect();
    let quoted: String = odd
        .chars()
        .map(|c| format!("\\u{:04x}", c as u32))
        .filter(|text| text.len() == 6)
        .collect();
    let mut document = format!(
        r#"{{"architecture":"a","os":"b","config":{{"Cmd":["c","{quoted}"],"WorkingDir":"/{quoted}","Labels":{{"{quoted}":"{quoted}"}}}}}}"#
    )
    .into_bytes();
    let wanted: String = odd.chars().filter(|c| (*c as u32) < 0x10000).collect();
    let config = Config::read(json::check(&mut document).unwrap()).unwrap();
    let (mut memory, mut stock, mut bytes) = (vec![0; 65536], Stock::EMPTY, Vec::new());
    let mut strings = StringBlock::new(&mut memory);
    in_root("again", |root| {
        let overrides = Overrides { bundle: true, ..Overrides::default() };
        let mut spec = spec_from_image(&config, overrides, Some(root), &mut strings).unwrap();
        for_bundle(
            &mut spec,
            &config,
            Some(root),
            None,
            Given::default(),
            &mut strings,
            &mut stock,
        )
        .unwrap();
        crate::spec::write_config(&spec, c"rootfs", &mut json::Writer::new(&mut bytes));
    });
    let top = json::check(&mut bytes).unwrap();
    let process = top.require("process").unwrap();
    assert!(
        process.list("args").unwrap().nth(1).unwrap().as_text().unwrap().chars().eq(wanted.chars())
    );
    let annotations = top.require("annotations").unwrap();
    assert!(annotations.require_text(&wanted).unwrap().chars().eq(wanted.chars()));
    assert_eq!(top.require("root").unwrap().require_text("path").unwrap(), "rootfs");
    assert_eq!(
        top.require("mounts").unwrap().items().unwrap().count(),
        crate::spec::defaults::MOUNTS.len()
    );
}
