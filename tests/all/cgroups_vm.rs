//! Cgroups that a container makes, and cgroups that cannot have all controllers. See runtime_vm.rs.

use crate::support::vm_cases::{Case, NOTHING_IS_LEFT, run};

const CASES: &[Case] = &[
    // As systemd and docker do in a container: the outer cgroup then takes no process.
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
                  echo max >$g/pids.max; e; $o delete -f $c; echo 0 >$g/pids.max; $o run $c 2>&1; rmdir $g",
        prints: "ocinit (pids.max): resource temporarily unavailable\nocinit (pids.max): resource temporarily unavailable\n\
                 ocinit: the cgroup /sys/fs/cgroup/pod is at its limit of 1 processes (pids.max): clone the container's \
                 process: resource temporarily unavailable\n\
                 ocinit: the cgroup /sys/fs/cgroup/pod is at its limit of 0 processes (pids.max): clone the container's \
                 process: resource temporarily unavailable\n",
    },
    // As with docker in a container: a cgroup further up has processes.
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
    // From another session the user may not write the cgroup above both: as in runc, with a
    // warning.
    Case {
        name: "exec-from-another-session",
        linux: r#""uidMappings":[{"containerID":0,"hostID":1000,"size":1}],
            "gidMappings":[{"containerID":0,"hostID":1000,"size":1}],"resources":{"pids":{"limit":9}}"#,
        inside: "exec sleep 1000",
        outside: "asuser; g=/sys/fs/cgroup/app; mkdir -p $g/shell; chown app $g $g/cgroup.procs $g/cgroup.subtree_control \
                  $g/cgroup.threads $g/shell $g/shell/cgroup.procs; user '$o run -d $c </dev/null >/dev/null 2>&1' $g/shell; \
                  user '$o exec $c cat /proc/self/cgroup' $g/shell; user '$o exec $c cat /proc/self/cgroup 2>&1'; \
                  user '$o exec --cgroup / $c true 2>&1; $o delete -f $c' ; rmdir $g/shell $g",
        prints: "0::/\nocinit: the process is in your cgroup, without the container's limits: to join it: permission denied\n\
                 0::/../..\nocinit: clone the container's process: permission denied\n",
    },
    // A path of 4,126 bytes is longer than PATH_MAX.
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
        name: "lines",
        linux: r#""resources":{"unified":{"io.max":"254:0 rbps=1048576\n254:0 wiops=77"}}"#,
        inside: "exec sleep 1000",
        outside: "@cat /sys/fs/cgroup/$c/io.max; echo '{\"unified\":{\"io.max\":\"254:0 rbps=2097152\\n254:0 wiops=78\\n\"}}' | \
                  $o update -r - $c; cat /sys/fs/cgroup/$c/io.max; $o delete -f $c",
        prints: "254:0 rbps=1048576 wbps=max riops=max wiops=77\n254:0 rbps=2097152 wbps=max riops=max wiops=78\n",
    },
    Case {
        name: "odd-numbers",
        linux: r#""resources":{"memory":{"limit":-1,"swap":67108864},"pids":{"limit":0},"blockIO":{
            "throttleReadBpsDevice":[{"major":254,"minor":0,"rate":9223372036854775808}],
            "throttleWriteBpsDevice":[{"major":254,"minor":0,"rate":5}]}}"#,
        inside: "exec sleep 1000",
        outside: "@cd /sys/fs/cgroup/$c; cat memory.max memory.swap.max pids.max io.max; $o update --pids-limit 9 $c; \
                  cat pids.max; $o update --pids-limit 0 $c; cat pids.max; $o update --pids-limit -1 $c; cat pids.max; \
                  $o delete -f $c; cd /c/$c; sed -i 's/\"resources\".*/\"resources\":{\"blockIO\":{\"weightDevice\":\
                  [{\"major\":254,\"minor\":0,\"leafWeight\":500}]}}}}/;/throttle/d' config.json; $o run $c 2>&1",
        prints: "max\n67108864\n1\n254:0 rbps=max wbps=5 riops=max wiops=max\n9\n1\nmax\n\
                 ocinit: config.json: linux.resources.blockIO.weightDevice[0].leafWeight: cgroup2 has no such limit\n",
    },
    Case {
        name: "update-whole-or-not",
        linux: r#""devices":[{"path":"/dev/disk","type":"b","major":254,"minor":0}],
            "resources":{"memory":{"limit":67108864,"swap":67108864},"devices":[{"allow":false,"access":"rwm"},
            {"allow":true,"type":"b","major":254,"minor":0,"access":"r"}]}"#,
        inside: "exec sleep 1000",
        outside: "@u() { echo \"$1\" | $o update -r - $c 2>&1; (cd /sys/fs/cgroup/$c; cat memory.max memory.swap.max); }; \
                  d() { $o exec $c sh -c '(: </dev/disk) && echo read; : </dev/null' 2>&1 | sed 's/.*can.t/cannot/'; }; \
                  $o update --memory 80m $c; u '{\"memory\":{\"limit\":33554432}}'; \
                  u '{\"memory\":{\"limit\":77777777},\"pids\":{\"limit\":-5}}'; \
                  u '{\"memory\":{\"limit\":77777777},\"unified\":{\"memory.none\":\"1\"}}'; d; \
                  u '{\"memory\":{\"limit\":77777777},\"devices\":[{\"allow\":false,\"access\":\"x\"}]}'; d; \
                  u '{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}'; d; \
                  u '{\"devices\":[{\"allow\":true,\"access\":\"rwm\"}]}'; d; $o delete -f $c",
        prints: "33554432\n0\nocinit: update: pids.limit: below -1\n33554432\n0\n\
                 ocinit: update: unified.memory.none: this kernel has no memory.none\n33554432\n0\nread\n\
                 ocinit: devices[0].access: not of r, w and m\n33554432\n0\nread\n33554432\n0\n\
                 cannot open /dev/disk: Operation not permitted\n33554432\n0\nread\n",
    },
    // What the kernel alone can refuse comes last: all that was written before it is set back.
    Case {
        name: "update-refused-in-the-middle",
        linux: r#""resources":{"pids":{"limit":30},"cpu":{"quota":20000,"period":50000,"burst":4000}}"#,
        inside: "exec sleep 1000",
        outside: "@show() { (cd /sys/fs/cgroup/$c; tail -n 9 memory.max memory.low pids.max cpu.max cpu.max.burst cpu.weight \
                  cpuset.cpus.effective io.max); }; u() { show >/before; echo \"{$1,\\\"unified\\\":{\\\"io.max\\\":\\\"254:0 $2\\\",\
                  \\\"cpuset.cpus\\\":\\\"0\\\",\\\"pids.max\\\":\\\"x\\\"}}\" | $o update -r - $c 2>&1; show >/after; \
                  cmp /before /after && echo same; }; \
                  u '\"memory\":{\"limit\":77777777,\"reservation\":5555555},\"cpu\":{\"quota\":100000,\"burst\":90000}' rbps=7; \
                  echo 254:0 wbps=1048576 >/sys/fs/cgroup/$c/io.max; echo 1 >/sys/fs/cgroup/$c/cpuset.cpus; \
                  u '\"cpu\":{\"quota\":1000,\"burst\":10,\"shares\":5},\"pids\":{\"limit\":3}' rbps=8; $o delete -f $c",
        prints: "ocinit: update: unified.pids.max: write x to pids.max: invalid argument\nsame\n\
                 ocinit: update: unified.pids.max: write x to pids.max: invalid argument\nsame\n",
    },
    Case {
        name: "pressure",
        linux: "",
        inside: "exec sleep 1000",
        outside: "@$o events --stats $c | grep -o '\"psi\":{\"some\":{\"avg10\":[0-9.]*,\"avg60\":[0-9.]*,\"avg300\":[0-9.]*,\
                  \"total\":[0-9]*},\"full\":{\"avg10\"' | wc -l; $o delete -f $c",
        prints: "3\n",
    },
    Case {
        name: "frozen-from-above",
        linux: r#""cgroupsPath":"/pod/x""#,
        inside: "exec sleep 1000",
        outside: "@g=/sys/fs/cgroup/pod; echo 1 >$g/cgroup.freeze; $o pause $c; timeout 5 $o resume $c; echo $?; \
                  $o state $c | grep status; $o delete -f $c; echo $?; ($o run -d $c </dev/null >/dev/null 2>&1; \
                  echo ended >ended) & sleep 2; timeout 5 $o delete -f $c; echo $?; sleep 0.5; cat ended; $o list -q; \
                  echo 0 >$g/cgroup.freeze; rmdir $g",
        prints: "0\n  \"status\": \"running\",\n0\n0\nended\n",
    },
    // A shared pid namespace has no process that ends it: a kill means the cgroup.
    Case {
        name: "kill-in-a-shared-pid-namespace",
        linux: "",
        inside: "sleep 998 & sleep 998 & exec sleep 1000",
        outside: "sed -i 's/{\"type\":\"pid\"},//' config.json; up; n() { ps | grep -c '[s]leep 998'; }; n; $o kill $c KILL; \
                  sleep 0.3; n; $o state $c | grep status; $o kill $c KILL 2>&1; $o delete $c; echo $?",
        prints: "2\n0\n  \"status\": \"stopped\",\nocinit: container not running: kill-in-a-shared-pid-namespace\n0\n",
    },
    // Without a cgroup a container's processes are found by its own namespaces.
    Case {
        name: "without-a-cgroup",
        linux: "",
        inside: "sleep 998 & sleep 998 & exec sleep 1000",
        outside: "n() { ps | grep -c '[s]leep 998'; }; w() { $o --cgroup-manager disabled run -d --pid-file pid $1 </dev/null \
                  >/dev/null; sleep 0.5; }; w own; p=$(cat pid); \
                  sed -i \"s#{.type.:.pid.}#{\\\"type\\\":\\\"pid\\\",\\\"path\\\":\\\"/proc/$p/ns/pid\\\"}#\" config.json; \
                  w $c; n; $o ps -f json $c | tr -dc , | wc -c; $o kill -a $c KILL; sleep 0.3; n; $o delete $c; w $c; n; \
                  $o delete -f $c; n; $o delete -f own; n; sed -i 's/{\"type\":\"pid\".*pid\"},/ /' config.json; w $c; n; \
                  $o delete -f $c; n",
        prints: "4\n2\n2\n4\n2\n0\n2\n0\n",
    },
    Case {
        name: "memory-ran-out",
        linux: r#""resources":{"memory":{"limit":16777216,"swap":16777216}}"#,
        inside: "exec tail /dev/zero",
        outside: "$o run $c 2>&1; echo $?",
        prints: "ocinit: out of memory: the container was killed (limit 16 MiB)\n137\n",
    },
    Case {
        name: "memory-ran-out-in-another",
        linux: r#""resources":{"memory":{"limit":16777216,"swap":16777216}}"#,
        inside: "tail /dev/zero; exit 7",
        outside: "$o run $c 2>&1 | grep -v ^Killed; $o run $c 2>/dev/null; echo $?",
        prints: "ocinit: out of memory: a process of the container was killed (limit 16 MiB)\n7\n",
    },
    Case {
        name: "processes-ran-out",
        linux: r#""resources":{"pids":{"limit":1}}"#,
        inside: "true; (true); echo never",
        outside: "$o run $c 2>&1 | grep ^ocinit",
        prints: "ocinit: too many processes: 1 could not be made (limit 1)\n",
    },
    Case {
        name: "limits-that-do-not-hold",
        linux: r#""resources":{"pids":{"limit":9}}"#,
        inside: "echo ran",
        outside: "mount -o remount none /sys/fs/cgroup; $o run $c 2>&1 | sort; \
                  sed -i 's/\"linux\":{/&\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"},/' config.json; $o run $c 2>&1; \
                  mount -o remount,nsdelegate,memory_recursiveprot none /sys/fs/cgroup; \
                  sed -i 's/\"seccomp\":{[^}]*},//' config.json; $o run $c 2>&1",
        prints: "ocinit: /sys/fs/cgroup is mounted without nsdelegate: the container can lift its limits \
                 (mount -o remount,nsdelegate /sys/fs/cgroup)\nran\nran\nran\n",
    },
    NOTHING_IS_LEFT,
];

#[test]
fn cgroups_that_a_container_makes_or_that_stand_below_processes() {
    run("cgroups-vm", CASES);
}
