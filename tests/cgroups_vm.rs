//! Cgroups that a container makes itself, or that stand where not all controllers can be: see tests/runtime_vm.rs.

mod support;

use support::vm_cases::{Case, run};

const CASES: &[Case] = &[
    // As systemd and docker do in a container: no process may be born in the outer cgroup any more.
    Case {
        name: "exec-beside-its-first-process",
        linux: r#""cgroupsPath":"/pod/x""#,
        inside: "mkdir /sys/fs/cgroup/init; echo 1 >/sys/fs/cgroup/init/cgroup.procs; \
                 echo +memory >/sys/fs/cgroup/cgroup.subtree_control; mkdir /sys/fs/cgroup/two; exec sleep 1000",
        outside: "rw; up; e() { $o exec \"$@\" cat /proc/self/cgroup 2>&1; }; e $c; e --cgroup '' $c; e --cgroup two $c; \
                  e --cgroup two/../init/. $c; e --cgroup / $c; e --cgroup .. $c; e --cgroup init/../../x $c; \
                  e --cgroup none $c; mkdir /sys/fs/cgroup/y; $o ps -f json $c | tr -d '[]' >/sys/fs/cgroup/y/cgroup.procs; \
                  mkdir /sys/fs/cgroup/pod/x/keep; echo 0 >/sys/fs/cgroup/pod/x/keep/cgroup.procs; e $c; \
                  echo 0 >/sys/fs/cgroup/cgroup.procs; $o delete -f $c; echo $?; rmdir /sys/fs/cgroup/y /sys/fs/cgroup/pod",
        prints: "0::/init\n0::/init\n0::/two\n0::/init\n\
                 ocinit: clone the container's process: device or resource busy\n\
                 ocinit: bad sub cgroup path: .. is not a sub cgroup path\n\
                 ocinit: bad sub cgroup path: init/../../x is not a sub cgroup path\n\
                 ocinit: open cgroup none: no such file or directory\n\
                 ocinit: the container's first process is in the cgroup /y, outside of the container's own, \
                 /sys/fs/cgroup/pod/x\n0\n",
    },
    Case {
        name: "exec-where-the-cgroup-is-gone",
        linux: r#""cgroupsPath":"/pod/x""#,
        inside: "exec sleep 1000",
        outside: "@mkdir /sys/fs/cgroup/y; $o ps -f json $c | tr -d '[]' >/sys/fs/cgroup/y/cgroup.procs; \
                  rmdir /sys/fs/cgroup/pod/x; $o exec $c cat /proc/self/cgroup; $o exec --cgroup z $c true 2>&1; \
                  $o delete -f $c; echo $?; rmdir /sys/fs/cgroup/y /sys/fs/cgroup/pod",
        prints: "0::/../../y\nocinit: open cgroup /sys/fs/cgroup/pod/x: no such file or directory\n0\n",
    },
    Case {
        name: "exec-at-the-limit-of-processes",
        linux: r#""cgroupsPath":"/pod/x","resources":{"pids":{"limit":1}}"#,
        inside: "exec sleep 1000",
        outside: "@g=/sys/fs/cgroup/pod; e() { $o exec $c true 2>&1 | sed 's/: .*(pids/ (pids/;s/: clone.*: /: /'; }; e; \
                  echo 2 >$g/x/pids.max; e; echo max >$g/x/pids.max; echo 1 >$g/pids.max; $o exec $c true 2>&1; \
                  echo max >$g/pids.max; e; $o delete -f $c; rmdir $g",
        prints: "ocinit (pids.max): resource temporarily unavailable\nocinit (pids.max): resource temporarily unavailable\n\
                 ocinit: the cgroup /sys/fs/cgroup/pod is at its limit of 1 processes (pids.max): clone the container's \
                 process: resource temporarily unavailable\n",
    },
    // Where docker runs in a container, or an image's tests in one: a cgroup further up has processes.
    Case {
        name: "below-processes",
        linux: r#""cgroupsPath":"/ci/docker/x","resources":{"pids":{"limit":30}}"#,
        inside: "sleep 999 & trap 'echo got >/tmp/got' WINCH; while :; do sleep 0.1; done",
        outside: "g=/sys/fs/cgroup/ci; mkdir $g; echo '+memory +pids' >/sys/fs/cgroup/cgroup.subtree_control; sleep 998 & \
                  p=$!; echo $p >$g/cgroup.procs; up; cat $g/docker/cgroup.type $g/docker/x/cgroup.type $g/docker/x/pids.max; \
                  $o ps -f json $c | tr -dc , | wc -c | grep -c '[1-9]'; $o exec $c cat /proc/self/cgroup; \
                  $o kill -a $c WINCH; sleep 0.5; cat $r/tmp/got; $o pause $c; $o state $c | grep status; $o resume $c; \
                  $o delete -f $c; echo $?; ls -d $g/docker/x 2>/dev/null; \
                  sed -i 's/\"pids\":{\"limit\":30}/\"memory\":{\"limit\":33554432}/' config.json; $o run $c 2>&1; kill $p; \
                  sleep 0.3; rmdir $g/docker $g; ls -d $g 2>/dev/null",
        prints: "threaded\nthreaded\n30\n1\n0::/\ngot\n  \"status\": \"paused\",\n0\n\
                 ocinit: linux.resources.memory.limit: no controller memory in the control group: it may hold threads \
                 alone, as a cgroup above it has processes of its own\n",
    },
    // A path of 4,126 bytes is longer than any that the kernel takes.
    Case {
        name: "deep-and-wide",
        linux: "",
        inside: "cd /sys/fs/cgroup; n=$(printf %0240d 0); for i in $(seq 17); do mkdir $n && cd $n || \
                 break; done 2>/dev/null; echo 1 >cgroup.procs; exec sleep 1000",
        outside: "rw; up 2; for i in $(seq 20); do for j in 1 2 3 4 5; do \
                  echo /sys/fs/cgroup/$c/$i/$j; done; done | xargs mkdir -p; $o ps -f json $c | tr -dc , | wc -c; \
                  $o ps -f json $c | grep -c '\\[[0-9]*\\]'; $o exec $c cat /proc/self/cgroup; $o pause $c; $o resume $c; \
                  $o kill -a $c WINCH; echo $?; $o kill $c KILL; sleep 0.5; $o delete $c; echo $?; \
                  ls -d /sys/fs/cgroup/$c 2>/dev/null",
        prints: "0\n1\n0::/\n0\n0\n",
    },
    Case {
        name: "nothing-is-left",
        linux: "",
        inside: "",
        outside: "find /sys/fs/cgroup -mindepth 1 -type d; $o list -q",
        prints: "",
    },
];

#[test]
fn cgroups_that_a_container_makes_or_that_stand_below_processes() {
    run("cgroups-vm", CASES);
}
