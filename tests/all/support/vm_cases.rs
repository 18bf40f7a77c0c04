//! Cases for a runtime in a VM with cgroup2 and all controllers, where a shell is PID 1. All cases
//! run one after the other in one VM.

use std::fmt::Write;

use super::images::Layer;
use super::tar::Tar;
use super::{Boot, busybox, read, scratch};

/// One container, commands on it, and their output.
pub struct Case {
    pub name: &'static str,
    /// Members of the config's `linux`, after its namespaces.
    pub linux: &'static str,
    /// Commands of the container's shell.
    pub inside: &'static str,
    /// Commands of the machine's shell, in the bundle; `$o` is the runtime, `$c` the container's
    /// id.
    pub outside: &'static str,
    pub prints: &'static str,
}

pub const WHOLE_RUN: &str = "$o run $c";
const IN_BACKGROUND: &str = "$o create $c </dev/null >/dev/null 2>&1 && $o start $c && ";

/// Functions of all cases. `@` before `outside` means that the container runs already. `rw` gives
/// it a writable cgroup mount, `up` starts it in the background.
const PRELUDE: &str = r#"
dmesg -n 1; mount -t cgroup2 -o nsdelegate,memory_recursiveprot none /sys/fs/cgroup &&
mkdir -p /run && mount -t tmpfs none /run && mkdir -p /home/app/run
chown -R app:app /home/app
o=/ocinit
rw() { sed -i '/fs.cgroup/s/"ro"/"rw"/' config.json; }
up() { $o create $c </dev/null >/dev/null && $o start $c && sleep ${1:-0.5}; }
asuser() {
    cp -a . /home/app/bundle.$c; rm -rf /home/app/bundle.$c/rootfs/dev; mkdir /home/app/bundle.$c/rootfs/dev
    chown -R app:app /home/app/bundle.$c; cd /home/app/bundle.$c
    sed -i -e 's/{"type":"pid"}/{"type":"pid"},{"type":"user"}/' -e "s#/c/$c/rootfs#/home/app/bundle.$c/rootfs#" config.json
}
user() {
    (if [ -n "$2" ]; then sh -c 'echo $PPID' >$2/cgroup.procs; fi
    XDG_RUNTIME_DIR=/home/app/run exec su app -c "o=$o c=$c; $1")
}
"#;

fn config(case: &Case) -> String {
    let (linux, inside) = (case.linux, case.inside.replace('\\', "\\\\").replace('"', "\\\""));
    let resources = if linux.contains("\"resources\"") { "" } else { ",\"resources\":{}" };
    let comma = if linux.is_empty() { "" } else { "," };
    format!(
        r#"{{"ociVersion":"1.0.2","process":{{"user":{{"uid":0,"gid":0}},"args":["sh","-c","{inside}"],"env":["PATH=/bin"],
        "cwd":"/","capabilities":{{"bounding":["CAP_MKNOD"],"effective":["CAP_MKNOD"],"permitted":["CAP_MKNOD"]}}}},
        "root":{{"path":"/c/{name}/rootfs"}},"mounts":[
        {{"destination":"/proc","type":"proc","source":"proc"}},
        {{"destination":"/sys","type":"sysfs","source":"sysfs","options":["ro"]}},
        {{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["ro"]}}],
        "linux":{{"namespaces":[{{"type":"pid"}},{{"type":"mount"}},{{"type":"ipc"}},{{"type":"uts"}},{{"type":"cgroup"}},
        {{"type":"network"}}]{comma}{linux}{resources}}}}}"#,
        name = case.name
    )
}

fn script(cases: &[Case]) -> String {
    let mut text = PRELUDE.to_string();
    for Case { name, outside, .. } in cases {
        let outside = outside
            .strip_prefix('@')
            .map_or(outside.to_string(), |rest| format!("{IN_BACKGROUND}{{ {rest}; }}"));
        let _ = write!(
            text,
            "c={name}; r=/c/$c/rootfs; mkdir -p $r/proc $r/sys $r/dev $r/tmp; cp -a /bin /etc $r\n\
             echo \"<<$c>>\"; (cd /c/$c; {outside})\n"
        );
    }
    text + "echo '<<end>>'\npoweroff -f\n"
}

/// The last case: no cgroup and no container is left.
pub const NOTHING_IS_LEFT: Case = Case {
    name: "nothing-is-left",
    linux: "",
    inside: "",
    outside: "find /sys/fs/cgroup -mindepth 1 -type d; $o list -q",
    prints: "",
};

/// Boots one machine for all cases. Fails with the output of each case that differs.
pub fn run(name: &str, cases: &[Case]) {
    let directory = scratch(name);
    let binary = std::env::var_os("OCINIT")
        .map_or_else(|| super::boot::released().into(), std::path::PathBuf::from);
    let mut tar = Tar::new()
        .file("ocinit", 0o755, read(&binary))
        .file("cases.sh", 0o644, script(cases))
        .directory("c/", 0o755);
    for case in cases {
        tar = tar.directory(&format!("c/{}/", case.name), 0o755);
        tar = tar.file(&format!("c/{}/config.json", case.name), 0o644, config(case));
    }
    busybox()
        .layer(Layer::plain(tar.directory("home/", 0o755).directory("home/app/", 0o755)))
        .write(&directory.join("layout"));
    let boot =
        Boot::new(directory.join("layout")).append("ocinit.mode=exec").option("--mem", "1024");
    let outcome = boot.timeout(400).arguments(["sh", "/cases.sh"]).run();
    let text = outcome.text().replace('\r', "");
    let mut wrong = String::new();
    for case in cases {
        let printed = text
            .split_once(&format!("<<{}>>\n", case.name))
            .and_then(|(_, rest)| rest.split_once("<<"));
        let printed = printed.map_or("(nothing: it did not come so far)", |(printed, _)| printed);
        if printed != case.prints {
            let _ = writeln!(
                wrong,
                "-- {}: printed\n{printed}-- instead of\n{}",
                case.name, case.prints
            );
        }
    }
    assert!(wrong.is_empty() && text.contains("<<end>>"), "{wrong}\n{outcome}");
}
