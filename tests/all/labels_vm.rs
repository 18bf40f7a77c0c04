//! Labels on a kernel that has AppArmor, as Debian's and Ubuntu's have.

use crate::support::vm_cases::{Case, NOTHING_IS_LEFT, run};

/// Without a policy there is one profile, which the kernel takes for any process.
const CASES: &[Case] = &[
    Case {
        name: "exec",
        linux: "",
        inside: "exec sleep 1000",
        outside: "@$o exec --apparmor unconfined $c cat /proc/self/attr/apparmor/current; echo $?; \
                  $o exec --apparmor nosuch $c true 2>&1; echo $?; $o delete -f $c",
        prints: "unconfined\n0\nocinit: apply apparmor profile nosuch: no such file or directory\n255\n",
    },
    NOTHING_IS_LEFT,
];

#[test]
fn exec_takes_an_apparmor_profile() {
    run("labels", CASES);
}
