#!/bin/busybox sh
# What ocinit is measured against: a static busybox shell as PID 1 that finds, verifies, unpacks and runs an OCI image.
# It does less: no whiteouts, no namespaces, capabilities or cgroup, no config but the layers; and it gets the command
# as a word of the kernel's command line.
mark() {
    read -r up _ </proc/uptime
    echo "bench mark $1 $up"
}
fail() {
    echo "baseline: $*"
    poweroff -f
}
# The digests of a document, in order; umoci writes them without spaces.
digests() {
    grep -o 'sha256:[0-9a-f]*' "$1" | cut -d : -f 2
}
verify() {
    echo "$1  $blobs/$1" | sha256sum -c -s || fail "blob $1: digest mismatch"
}

export PATH=/bin
mkdir -p /proc /sys /layout /rootfs
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for word in $(cat /proc/cmdline); do
    case $word in
        bench.fs=*) fs=${word#*=} ;;
        bench.run=*) command=${word#*=} ;;
    esac
done
mark mounts

while read -r module only; do
    [ -n "$only" ] && [ "$only" != "$fs" ] && continue
    insmod "/lib/modules/$module"
done </lib/modules/list
mark modules

while ! [ -b /dev/vda ]; do sleep 0.01; done
if [ "$fs" = raw ]; then
    tar xf /dev/vda -C /layout # from the device once, or each blob would be searched for in the archive
else
    mount -t "$fs" -o ro /dev/vda /layout || fail "no $fs on /dev/vda"
fi
mark disk

blobs=/layout/blobs/sha256
manifest=$(digests /layout/index.json | head -n 1)
verify "$manifest"
set -- $(digests "$blobs/$manifest")
config=$1
shift
verify "$config"
mark image

mount -t tmpfs -o size=80% tmpfs /rootfs
for diff_id in $(grep -o '"diff_ids":\[[^]]*' "$blobs/$config" | grep -o 'sha256:[0-9a-f]*' | cut -d : -f 2); do
    verify "$1"
    [ "$(zcat <"$blobs/$1" | sha256sum)" = "$diff_id  -" ] || fail "layer $1: diff_id mismatch"
    tar xzf "$blobs/$1" -C /rootfs || fail "layer $1: cannot unpack"
    shift
done
mark unpack

mount -t proc proc /rootfs/proc
chroot /rootfs "$command"
echo "ocinit: exit status $?"
poweroff -f
