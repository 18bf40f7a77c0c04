//! A container runtime's use of cgroups, in a machine that has cgroup2 with all controllers; a
//! shell is PID 1 and mounts them. All cases run in one VM, as root and as a non-root user.

use crate::support::vm_cases::{Case, NOTHING_IS_LEFT, WHOLE_RUN, run};

/// Six namespaces, and a cgroup file system that can be written only where a case says so.
const CASES: &[Case] = &[
    Case {
        name: "limits",
        linux: r#""resources":{"memory":{"limit":67108864,"swap":100663296,"reservation":33554432,"kernel":0},
            "cpu":{"shares":1024,"quota":50000,"period":200000,"burst":10000,"cpus":"0","mems":"0"},"pids":{"limit":30}}"#,
        inside: "cd /sys/fs/cgroup; cat memory.max memory.swap.max memory.low cpu.weight cpu.max cpu.max.burst \
                 cpuset.cpus cpuset.mems pids.max; cat /proc/self/cgroup",
        outside: WHOLE_RUN,
        prints: "67108864\n33554432\n33554432\n100\n50000 200000\n10000\n0\n0\n30\n0::/\n",
    },
    Case {
        name: "none",
        linux: r#""resources":{"memory":{"limit":-1,"swap":-1},"cpu":{"quota":-1,"idle":1},"pids":{"limit":-1}}"#,
        inside: "cd /sys/fs/cgroup; cat memory.max memory.swap.max cpu.max cpu.idle pids.max",
        outside: WHOLE_RUN,
        prints: "max\nmax\nmax 100000\n1\nmax\n",
    },
    Case {
        name: "disks",
        linux: r#""resources":{"blockIO":{"weight":500,"throttleReadBpsDevice":[{"major":254,"minor":0,"rate":1048576}],
            "throttleWriteIOPSDevice":[{"major":254,"minor":0,"rate":77}]}}"#,
        inside: "cd /sys/fs/cgroup; cat io.max; cat io.bfq.weight 2>/dev/null || cat io.weight",
        outside: "$o run $c | sed 's/default 4950/default 500/'",
        prints: "254:0 rbps=1048576 wbps=max riops=max wiops=77\ndefault 500\n",
    },
    Case {
        name: "unified",
        linux: r#""cgroupsPath":"/pod/one","resources":{"unified":{"memory.high":"50331648","pids.max":"9"}}"#,
        inside: "cd /sys/fs/cgroup; cat memory.high pids.max; cat /proc/self/cgroup",
        outside: "$o run $c; ls -d /sys/fs/cgroup/pod/*/ 2>/dev/null; rmdir /sys/fs/cgroup/pod",
        prints: "50331648\n9\n0::/\n",
    },
    Case {
        name: "unknown",
        linux: r#""cgroupsPath":"/pod/two","resources":{"unified":{"memory.nonsense":"1"}}"#,
        inside: "echo never",
        outside: "$o run $c 2>&1; echo $?; $o list -q; ls -d /sys/fs/cgroup/pod 2>&1",
        prints: "ocinit: linux.resources.unified.memory.nonsense: this kernel has no memory.nonsense\n1\n\
                 ls: /sys/fs/cgroup/pod: No such file or directory\n",
    },
    // All that comes between clone and exec is within the limit.
    Case {
        name: "tiny",
        linux: r#""resources":{"memory":{"limit":524288,"swap":524288}}"#,
        inside: "",
        outside: "$o run $c; echo $?",
        prints: "0\n",
    },
    Case {
        name: "pids",
        linux: r#""resources":{"pids":{"limit":1}}"#,
        inside: "(echo two) 2>/dev/null || echo one",
        outside: "$o run $c 2>&1 | grep -c -e \"can't fork\" -e one",
        prints: "1\n",
    },
    Case {
        name: "memory-runs-out",
        linux: r#""resources":{"memory":{"limit":16777216,"swap":16777216}}"#,
        inside: "exec tail /dev/zero",
        outside: "$o create $c </dev/null >/dev/null 2>&1; $o events --interval 50ms $c >events & \
                  sleep 1; $o start $c; wait $!; echo $?; grep -c '\"type\":\"oom\"' events; \
                  grep -c '\"limit\":16777216' events | grep -c '[1-9]'; $o state $c | grep status; $o delete $c",
        prints: "0\n1\n1\n  \"status\": \"stopped\",\n",
    },
    Case {
        name: "stats",
        linux: r#""resources":{"memory":{"limit":33554432,"swap":67108864},"pids":{"limit":12}}"#,
        inside: "exec sleep 1000",
        outside: "@$o events --stats $c >stats; cat stats | wc -l; for part in '{\"type\":\"stats\",\"id\":\"stats\",\"data\":\
                  {\"cpu\":{\"usage\":{\"total\":' '\"pids\":{\"current\":1,\"limit\":12}' '\"swap\":{\"limit\":67108864,' \
                  '\"usage\":{\"limit\":33554432,\"usage\":' '\"raw\":{\"anon\":' '\"hugetlb\":{\"' \
                  '\"intel_rdt\":{},\"network_interfaces\":null}}'; do grep -c -F \"$part\" stats; done; \
                  $o events --interval 0s $c 2>&1; $o delete -f $c; $o events --stats $c 2>&1",
        prints: "1\n1\n1\n1\n1\n1\n1\n1\nocinit: duration interval must be greater than 0\n\
                 ocinit: container does not exist: stats\n",
    },
    Case {
        name: "freeze",
        linux: "",
        inside: "while :; do echo x; sleep 0.01; done >/tmp/out",
        outside: "@s() { $o state $c | grep status; }; sleep 0.3; $o pause $c; s; n=$(wc -c <$r/tmp/out); sleep 0.3; \
                  [ $n = $(wc -c <$r/tmp/out) ] && echo still; $o pause $c 2>&1; $o resume $c; s; sleep 0.5; \
                  [ $n = $(wc -c <$r/tmp/out) ] || echo on; $o resume $c 2>&1; $o pause $c; $o kill $c KILL; \
                  $o delete -f $c; $o pause $c 2>&1; ls -d /sys/fs/cgroup/$c 2>/dev/null",
        prints: "  \"status\": \"paused\",\nstill\nocinit: container not running: freeze\n  \"status\": \"running\",\non\n\
                 ocinit: container not paused: freeze\nocinit: container does not exist: freeze\n",
    },
    Case {
        name: "update",
        linux: r#""resources":{"memory":{"limit":67108864,"swap":100663296},"cpu":{"quota":50000,"period":200000}}"#,
        inside: "exec sleep 1000",
        outside: "@g=/sys/fs/cgroup/$c; $o update --memory 80m --pids-limit 99 --cpu-quota 60000 --cpu-share 2048 \
                  --cpuset-cpus 0 $c; cat $g/memory.max $g/memory.swap.max $g/pids.max $g/cpu.max $g/cpu.weight \
                  $g/cpuset.cpus; echo '{\"memory\":{\"kernel\":0,\"swap\":125829120},\"cpu\":{\"period\":100000}}' | \
                  $o update --resources - $c; cat $g/memory.swap.max $g/cpu.max; \
                  $o update --memory-swap 10m $c 2>&1; $o update --memory -1 $c; cat $g/memory.max $g/memory.swap.max; \
                  echo '{\"memory\":{\"limit\":4096,\"checkBeforeUpdate\":true}}' >r; \
                  $o update -r r $c 2>&1 | sed 's/e [0-9]*$/e N/'; $o update --memory 1x $c 2>&1; \
                  $o delete -f $c; $o update --memory 1g $c 2>&1",
        prints: "83886080\n16777216\n99\n60000 200000\n174\n0\n41943040\n60000 100000\n\
                 ocinit: update: memory.swap: memory and swap together must be at least memory alone\nmax\nmax\n\
                 ocinit: update: memory: rejecting memory limit 4096 <= usage N\nocinit: invalid value for memory: 1x\n\
                 ocinit: container does not exist: update\n",
    },
    Case {
        name: "devices",
        linux: r#""devices":[{"path":"/dev/disk","type":"b","major":254,"minor":0},{"path":"/dev/loop","type":"b","major":7,"minor":0}],
            "resources":{"devices":[{"allow":false,"access":"rwm"},
            {"allow":true,"type":"b","major":254,"minor":0,"access":"r"}]}"#,
        inside: "(: </dev/disk) && echo read; (: >>/dev/disk) 2>&1; (: </dev/loop) 2>&1; \
                 echo x >/dev/null && mknod /tmp/node b 7 1 && (: </tmp/node) 2>&1",
        outside: "$o run $c 2>&1 | sed 's/.*can.t/cannot/'",
        prints: "read\ncannot create /dev/disk: Operation not permitted\ncannot open /dev/loop: Operation not permitted\n\
                 cannot open /tmp/node: Operation not permitted\n",
    },
    // What the case above would say without its rules: the devices are there, or are not.
    Case {
        name: "all-devices",
        linux: r#""devices":[{"path":"/dev/disk","type":"b","major":254,"minor":0},{"path":"/dev/none","type":"b","major":8,"minor":0}],
            "resources":{"devices":[{"allow":true,"access":"rwm"}]}"#,
        inside: "(: >>/dev/disk) && echo write; (: </dev/none) 2>&1",
        outside: "$o run $c 2>&1 | sed 's/.*can.t/cannot/'",
        prints: "write\ncannot open /dev/none: No such device or address\n",
    },
    Case {
        name: "all",
        linux: "",
        inside: "trap '' TERM; (trap 'echo got >/tmp/got; exit' USR1; while :; do sleep 0.01; done) & wait",
        outside: "@sleep 0.3; $o ps -f json $c | tr -dc , | wc -c | grep -c '[1-9]'; $o kill --all $c USR1; sleep 0.3; \
                  cat $r/tmp/got; $o delete -f $c",
        prints: "1\ngot\n",
    },
    Case {
        name: "delegated",
        linux: r#""uidMappings":[{"containerID":0,"hostID":100000,"size":1000}],
            "gidMappings":[{"containerID":0,"hostID":100000,"size":1000}]"#,
        inside: "mkdir /sys/fs/cgroup/inner && echo 1 >/sys/fs/cgroup/inner/cgroup.procs && cat /proc/1/cgroup; \
                 echo 5 2>/dev/null >/sys/fs/cgroup/pids.max || echo kept",
        outside: "chown -R 100000:100000 $r; sed -i -e 's/\"ro\"/\"rw\"/' -e 's/{\"type\":\"pid\"}/{\"type\":\"pid\"},{\"type\":\"user\"}/' \
                  config.json; $o run $c 2>&1; ls -d /sys/fs/cgroup/$c 2>/dev/null",
        prints: "0::/inner\nkept\n",
    },
    // An ordinary user who was given no group: without limits his container runs in the group that
    // he is in.
    Case {
        name: "user",
        linux: r#""uidMappings":[{"containerID":0,"hostID":1000,"size":1}],
            "gidMappings":[{"containerID":0,"hostID":1000,"size":1}]"#,
        inside: "id -u; cat /proc/self/cgroup",
        outside: "asuser; user '$o run $c; sed -i s/.resources.:{}/\\\"resources\\\":{\\\"pids\\\":{\\\"limit\\\":5}}/ \
                  config.json; $o run $c 2>&1'",
        prints: "0\n0::/\nocinit: limits need a control group: make cgroup /sys/fs/cgroup/user: permission denied\n",
    },
    // One who was given a group, as systemd gives it, and is in a group in it.
    Case {
        name: "user-delegated",
        linux: r#""uidMappings":[{"containerID":0,"hostID":1000,"size":1}],
            "gidMappings":[{"containerID":0,"hostID":1000,"size":1}]"#,
        inside: "cat /sys/fs/cgroup/pids.max",
        outside: "asuser; g=/sys/fs/cgroup/app; mkdir -p $g/shell; chown app $g $g/cgroup.procs $g/cgroup.subtree_control \
                  $g/cgroup.threads $g/shell $g/shell/cgroup.procs; sed -i s/.resources.:{}/'\"resources\":{\"pids\":{\"limit\":5}}'/ \
                  config.json; user '$o run $c 2>&1; find /sys/fs/cgroup/app -mindepth 1 -type d' $g/shell; \
                  rmdir $g/shell $g",
        prints: "5\n/sys/fs/cgroup/app/shell\n",
    },
    NOTHING_IS_LEFT,
];

#[test]
fn control_groups_with_all_their_controllers() {
    run("runtime-vm", CASES);
}
