//! Every fixed capacity: name, value, unit and reason.
//!
//! Reaching one is an error that names it. Untouched static buffers take no memory.

/// Errors alive at the same time: each thread holds one or two, and each hook one. Unit tests run
/// many threads.
pub const ERRORS_MAX: usize = if cfg!(test) { 256 } else { 32 };
/// One line of error text, in bytes. Longer text ends in an ellipsis.
pub const ERROR_TEXT_BYTES: usize = 1024;
/// One log line, in bytes; the kernel cuts /dev/kmsg records at 1,024 less its prefix.
pub const LOG_LINE_BYTES: usize = 976;

/// A path, in bytes with its NUL (PATH_MAX).
pub const PATH_BYTES: usize = 4096;
/// Bytes collected before a write: a document takes a handful of writes.
pub const OUTPUT_BYTES: usize = 4096;
/// One component of a path, in bytes without NUL (NAME_MAX).
pub const NAME_BYTES: usize = 255;

/// One JSON document (index, manifest, config), in bytes: the limit of containers/image. A config
/// with 127 layers of history and long labels is about 100 KiB.
pub const DOCUMENT_BYTES: usize = 4 << 20;
/// The file `oci-layout`, in bytes. It holds one short field.
pub const LAYOUT_FILE_BYTES: usize = 4096;
/// Nesting of a JSON document. Real ones have 6 levels; serde-json-core skips unknown values by
/// recursion.
pub const JSON_DEPTH: usize = 64;
/// Layers of one image. overlayfs and docker stop at 127 or 128; umoci and buildah have no limit.
pub const LAYERS_MAX: usize = 1024;
/// Descriptors in one image index: tags × platforms, with attestations.
pub const INDEX_MANIFESTS_MAX: usize = 4096;
/// Pending indexes of one index, if a command reads them all. An index for each platform's
/// attestations is much.
pub const PENDING_INDEXES_MAX: usize = 64;
/// Depth of indexes in an index.
pub const INDEX_DEPTH: usize = 4;
/// Bytes of indexes and manifests read to find one image. A hostile index names others many times.
pub const SEARCH_BYTES: u64 = 32 << 20;
/// Bytes of manifests and configurations that one command reads to list or verify all images.
/// Thousands of images have some ten MB, and are read three times.
pub const DOCUMENTS_READ_BYTES: u64 = 256 << 20;
/// The tags (or platforms) that an error lists, in bytes; it counts the others.
pub const TAG_LIST_BYTES: usize = 400;
/// Entries of one archive's own tar. 127 layers of many images fit, with the four entries of old
/// `docker save` for each.
pub const ARCHIVE_FILES_MAX: usize = 32 << 10;
/// Links on the way to a file of an archive. `docker save` wrote one.
pub const ARCHIVE_LINKS_MAX: usize = 8;
/// The name of a file in an archive, in bytes: the whole of its header fits.
pub const ARCHIVE_NAME_BYTES: usize = 4096;
/// A stored tag, in bytes. docker's tags end at 128.
pub const REFERENCE_BYTES: usize = 128;
/// A pax header of an archive's own tar, in bytes. Blobs are plain files: path, size and times.
pub const ARCHIVE_PAX_BYTES: usize = 4096;

/// Documents of one registry that are kept, so that none is fetched twice.
pub const REGISTRY_DOCUMENTS_MAX: usize = 256;
/// Their bytes. Beyond one of both limits they are forgotten, and fetched again.
pub const REGISTRY_DOCUMENTS_BYTES: u64 = 32 << 20;
/// A pipe for a blob from a registry, in bytes; Linux's limit for users.
pub const REGISTRY_PIPE_BYTES: i32 = 1 << 20;
/// Bytes read at once from such a pipe: each read of a full one wakes the helper.
pub const REGISTRY_READ_BYTES: usize = 256 << 10;
/// Blobs of a registry that are asked for before they are read, each with such a pipe.
pub const REGISTRY_BLOBS_AHEAD: usize = 5;
/// Milliseconds without a byte and without a message of the transport helper: it says something in
/// half of them.
pub const REGISTRY_SILENCE_MS: u32 = 120_000;

/// Bytes of a blob copied at once.
pub const COPY_BYTES: usize = 64 << 10;
/// Bytes read at once from a pipe on standard input; Linux's pipes hold as many.
pub const SPOOL_BYTES: usize = 64 << 10;

/// A container's config.json, in bytes. A seccomp profile and hundreds of mounts are some hundred
/// KiB; annotations may have any size.
pub const CONFIG_BYTES: usize = 4 << 20;
/// The process file of `exec`, in bytes. containerd repeats the container's whole environment in
/// it, so it is as large as a config.json.
pub const PROCESS_BYTES: usize = CONFIG_BYTES;
/// Arguments and environment variables of one process together. The kernel limits their bytes: 2
/// MiB are some 30,000 variables, and Kubernetes makes seven for each service. The rest is for a
/// table of their names.
pub const PROCESS_STRINGS_MAX: usize = 128 << 10;
/// Text decoded from one container's config, in bytes: arguments, environment, mounts and names.
/// Linux takes 2 MiB of arguments and environment (a quarter of the 8 MiB stack), 128 KiB a string.
/// All text of the largest config.json fits. Before a container is made, two indexes are read here.
pub const STRINGS_BYTES: usize = 2 * DOCUMENT_BYTES + (64 << 10);
/// Supplementary groups of one process (NGROUPS_MAX is 65,536; users of a directory service have
/// some hundred).
pub const GROUPS_MAX: usize = 1024;
/// An image's /etc/passwd or /etc/group, in bytes (containerd stops at 10 MiB, too).
pub const PASSWD_BYTES: u64 = 10 << 20;
/// One name, number or home directory in them, in bytes (LOGIN_NAME_MAX is 256; a home is a path).
pub const PASSWD_FIELD_BYTES: usize = 1024;
/// Ranges of ids that /etc/subuid or /etc/subgid gives one user. useradd gives one, the kernel
/// takes 340.
pub const SUBID_RANGES_MAX: usize = 32;
/// Labels of one image. Tens are many; each is compared with all others.
pub const LABELS_MAX: usize = 1024;
/// Containers in one `list`.
pub const CONTAINERS_MAX: usize = 1 << 16;
/// The table of `list`, in bytes: reserved address space.
pub const TABLE_BYTES: usize = CONTAINERS_MAX * 1024;
/// A container's state.json, in bytes: four paths, each byte of them escaped, and some numbers.
pub const STATE_BYTES: usize = 100 << 10;
/// Milliseconds to wait for another command that changes the same container.
pub const LOCK_WAIT_MS: u64 = 10_000;
/// Hooks of one container, of all kinds together. Real ones have a handful.
pub const HOOKS_MAX: usize = 128;
/// Arguments of one hook, and variables of its environment, each including the final null pointer.
pub const HOOK_STRINGS_MAX: usize = 512;
/// The caller's /etc/resolv.conf, in bytes, for a container in its network. glibc reads three
/// servers and 256 bytes of search domains.
pub const RESOLV_CONF_BYTES: usize = 4096;
/// Limits of one container's cgroup: one for each device and file. docker writes a dozen.
pub const LIMITS_MAX: usize = 1024;
/// Device rules of one container. Docker and podman write a dozen, and one for each `--device`.
pub const DEVICE_RULES_MAX: usize = 256;
/// Milliseconds for a killed container's process to end. One in the middle of a long write ends
/// late.
pub const END_WAIT_MS: u64 = 10_000;
/// Names of pending cgroups in a walk through a container's cgroup, in bytes: a million short ones.
pub const CGROUP_NAMES_BYTES: usize = 16 << 20;
/// Milliseconds for such a walk if the container can make cgroups meanwhile.
pub const CGROUP_WALK_MS: u64 = 10_000;
/// Mounts of PID 1's container: twice the number of default ones.
pub const MACHINE_MOUNTS_MAX: usize = 16;
/// Fds that `--preserve-fds` may name: the default limit of fds of a process.
pub const PRESERVED_FDS_MAX: u64 = 1024;
/// Attempts to make a layout that another copy makes first and then removes again.
pub const NEW_LAYOUTS_MAX: usize = 8;
/// A small file of cgroupfs, in bytes. It has a few lines at most.
pub const CGROUP_FILE_BYTES: usize = 512;
/// Different options of one command line.
pub const OPTIONS_GIVEN_MAX: usize = 128;
/// Settings of one container that may be said several times: variables, mounts, sysctls,
/// annotations. Keys of PID 1 have none.
pub const ADDITIONS_MAX: usize =
    if cfg!(any(feature = "runtime", feature = "tools", test)) { OPTIONS_GIVEN_MAX } else { 0 };
/// Files of a cgroup that one `update` may write. A cgroup with all controllers has some 60 that
/// set a limit.
pub const CGROUP_KEPT_FILES_MAX: usize = 64;
/// Former contents of those files, in bytes: limits of some 200 devices.
pub const CGROUP_KEPT_BYTES: usize = 16 << 10;
/// Instructions of one seccomp filter (BPF_MAXINSNS). docker's profile takes some 550.
pub const SECCOMP_INSTRUCTIONS_MAX: usize = 4096;
/// Rules of one seccomp profile. docker's has some 20; a generated one has one for each system
/// call.
pub const SECCOMP_RULES_MAX: usize = SECCOMP_INSTRUCTIONS_MAX / 2;
/// Conditions of all its rules. Each takes at least two instructions of the filter.
pub const SECCOMP_CONDITIONS_MAX: usize = SECCOMP_INSTRUCTIONS_MAX / 2;
/// Mounts of one container. Shared servers and Kubernetes pods with many volumes have some hundred.
pub const MOUNTS_MAX: usize = 1024;
/// Mounts of procfs and sysfs that are unmounted without a pivot. Machines have one of each.
pub const KERNEL_VIEWS_MAX: usize = 256;
/// Device nodes of one container, including the six default ones. `--privileged` passes on all of
/// the host's.
pub const DEVICES_MAX: usize = 512;
/// Ranges in the map of a user namespace's users or groups (the kernel takes 340).
pub const ID_MAPPINGS_MAX: usize = 340;
/// All lists of a config.json and of `exec`'s process, in bytes: the most mounts, devices, rules,
/// limits and hooks fit, and 10,000 mappings of mounts' ids.
pub const SPEC_LISTS_BYTES: usize = 576 << 10;
/// Depth of directories in one that is copied into a tmpfs; each takes a fd.
pub const COPY_DEPTH: usize = 128;
/// Names of one copied file's extended attributes, in bytes. Files have a few short ones.
pub const XATTR_NAMES_BYTES: usize = 2048;
/// The value of one such attribute, in bytes.
pub const XATTR_BYTES: usize = 4096;

/// The kernel's answer about network devices, in bytes: one page, or two for a long answer.
pub const NETLINK_ANSWER_BYTES: usize = 8 << 10;
/// Network devices of the host that one container gets. One or two are usual.
pub const NET_DEVICES_MAX: usize = 256;
/// Addresses of a network device that moves into a container. One or two are usual.
pub const NET_ADDRESSES_MAX: usize = 64;

/// Bytes of inflate's window. RFC 1951 needs 32 KiB, miniz_oxide a power of two. 32 KiB are 2 %
/// slower, because the inner loop ends at the window's end.
pub const GZIP_WINDOW_BYTES: usize = 64 << 10;
/// Bytes between the inflating and the creating thread, a power of two. 256 KiB are no faster.
pub const RING_BYTES: usize = 128 << 10;
/// Compressed bytes read ahead, shared by inflate and the digest; a power of two.
pub const INPUT_BYTES: usize = 32 << 10;
/// Bytes inflated at once. The consumer gets its first bytes after this many.
pub const INFLATE_STEP_BYTES: usize = 64 << 10;
/// The window of a zstd frame, in bytes. buildah writes this for zstd:chunked, and skopeo at its
/// best level (8 MiB otherwise). Only levels 21 and 22 and `--long` of the command line need more.
/// The memory is mapped while a zstd layer is read. A frame touches its window or its content of
/// it, whichever is smaller.
pub const ZSTD_WINDOW_BYTES: u64 = 32 << 20;
/// Bytes hashed at once: about 10 microseconds, after which the thread looks for other work.
pub const HASH_STEP_BYTES: usize = 16 << 10;
/// One pax header, in bytes: the kernel's largest extended attribute (64 KiB) as bsdtar writes it,
/// plain and in base64, and some more. Go's limit is 1 MiB, which a hostile layer would make us
/// touch.
pub const PAX_BYTES: usize = 256 << 10;
/// pax records for a whole archive, in bytes. git writes 52, others none.
pub const PAX_GLOBAL_BYTES: usize = 8 << 10;
/// Stored parts of one sparse file. Builders write none; Go's limit is 1 MiB of map.
pub const SPARSE_SEGMENTS_MAX: usize = 4096;
/// The value of an extended attribute that only bsdtar's encoded record has, in bytes. bsdtar
/// writes the plain record, too.
pub const XATTR_DECODED_BYTES: usize = 4 << 10;
/// Stack of the inflating thread, in bytes.
pub const THREAD_STACK_BYTES: usize = 64 << 10;
/// Headers of one layer. The largest images have some hundred thousand files; a gzip bomb of empty
/// entries is endless.
pub const ENTRIES_MAX: u64 = 16 << 20;
/// Open directories of entries. More gain nothing.
pub const PARENTS_OPEN: usize = 4;
/// Dangling symlinks in one entry's parents; the kernel follows 40.
pub const DANGLING_MAX: usize = 40;
/// Bits of the filter for a layer's paths, a power of two. With 70,000 paths it mistakes one
/// whiteout in 30 for the layer's own, which costs a second pass; with 10,000 one in 60,000.
pub const OWN_PATHS_BITS: usize = 1 << 19;
/// Times that a layer's whiteouts hide the same path: first a file, then its directory. Builders do
/// not write such layers.
pub const HIDDEN_PLACES_MAX: usize = 64;
/// Times that an image is unpacked again because a layer's whiteouts meet its own entries. After
/// that, all layers are applied in two passes.
pub const RESTARTS_MAX: usize = 3;
/// Blobs of all images of one layout, each counted once.
pub const VERIFIED_BLOBS_MAX: usize = 16 << 10;
/// Bytes of a blob read at once to compute its digest.
pub const BLOB_READ_BYTES: usize = 64 << 10;
/// Names in the merged tree of one image: 84 bytes each, and the name. Large images have 500,000.
pub const TREE_NAMES_MAX: usize = 2 << 20;
/// Bytes of all names and link targets in it.
pub const TREE_TEXT_BYTES: usize = 256 << 20;
/// Buckets of its hash table, four bytes each.
pub const TREE_BUCKETS: usize = 1 << 17;
/// Symlinks followed on the way to one directory, as in the kernel (MAXSYMLINKS).
pub const LINKS_FOLLOWED_MAX: usize = 40;

/// Words of a command (the kernel gives its init at most 32).
pub const COMMAND_WORDS_MAX: usize = 256;
/// A kernel command line of this many bytes or more may have been cut by the boot loader
/// (COMMAND_LINE_SIZE is 2,048 with NUL).
pub const COMMAND_LINE_BYTES: usize = 2047;
/// Disks and partitions that one walk finds. Further walks find the rest.
pub const DISKS_AT_ONCE: usize = 32;
/// An error's notes about rejected disks, in bytes.
pub const DISK_NOTES_BYTES: usize = 768;
/// A kernel's device name, or a serial number, in bytes (DISK_NAME_LEN is 32).
pub const DEVICE_NAME_BYTES: usize = 64;
/// Phases of one boot that are recorded.
pub const PHASES_MAX: usize = 16;
/// Bytes of one stream between a port and the container; a pipe holds as many.
pub const PUMP_BYTES: usize = 64 << 10;
/// Fds, processes and timers of one loop. PID 1 has the control port and the main container's
/// process, streams and stop; each job has five.
pub const WATCHED_MAX: usize = 64;
/// Lines that the host has not read yet, in bytes: all of a boot's, with one long error.
pub const CONTROL_OUT_BYTES: usize = 4096;
/// One line from the host, in bytes: a job's program with its arguments.
pub const CONTROL_LINE_BYTES: usize = 1024;
/// Concurrent containers beside the main one.
pub const JOBS_MAX: usize = 8;
/// The name of a job, in bytes.
pub const JOB_NAME_BYTES: usize = 32;
/// Bytes of a job's output in one line to the host, which has two digits for each.
pub const JOB_PIECE_BYTES: usize = 512;

const _: () = assert!(WATCHED_MAX >= 16 + 5 * JOBS_MAX);
const _: () = assert!(CONTROL_OUT_BYTES >= 2 * JOB_PIECE_BYTES + 64);
const _: () = assert!(CONTROL_OUT_BYTES >= 2 * ERROR_TEXT_BYTES + PHASES_MAX * 64);
const _: () = assert!(RING_BYTES.is_power_of_two());
const _: () = assert!(GZIP_WINDOW_BYTES.is_power_of_two() && GZIP_WINDOW_BYTES >= 32 << 10);
const _: () = assert!(OWN_PATHS_BITS.is_power_of_two());
const _: () = assert!(STRINGS_BYTES >= CONFIG_BYTES + (64 << 10));
const _: () = assert!(INPUT_BYTES.is_power_of_two());
const _: () = assert!(LOG_LINE_BYTES <= 1024 - 48);
