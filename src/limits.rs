//! Every fixed capacity: name, value, unit, and where the number comes from.
//!
//! Reaching one is an error that names it. Static buffers cost nothing until they are touched.

/// Errors that are alive at the same time: each thread holds one or two, and hooks one each (unit
/// tests run many threads).
pub const ERRORS_MAX: usize = if cfg!(test) { 256 } else { 32 };
/// One line of error text, in bytes. Longer text ends in an ellipsis.
pub const ERROR_TEXT_BYTES: usize = 1024;
/// One log line, in bytes; the kernel cuts /dev/kmsg records at 1,024 less its prefix.
pub const LOG_LINE_BYTES: usize = 976;

/// A path, in bytes with its NUL (PATH_MAX).
pub const PATH_BYTES: usize = 4096;
/// What is collected before it is written out, in bytes: a document takes a handful of writes.
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
/// Indexes in one index that have not been gone over yet, where all are: an index for each
/// platform's attestations is much.
pub const PENDING_INDEXES_MAX: usize = 64;
/// How deep an index may nest in another.
pub const INDEX_DEPTH: usize = 4;
/// Indexes and manifests that are read to find one image, in bytes together: a hostile index names
/// others many times.
pub const SEARCH_BYTES: u64 = 32 << 20;
/// Manifests and configurations that one command reads to show or verify all images, in bytes
/// together: thousands of images have some ten MB, and are gone over three times.
pub const DOCUMENTS_READ_BYTES: u64 = 256 << 20;
/// The tags (or platforms) that an error lists, in bytes; of others it gives the number.
pub const TAG_LIST_BYTES: usize = 400;
/// Entries of one archive's own tar. 127 layers of many images fit, with the four that old `docker
/// save` has for each.
pub const ARCHIVE_FILES_MAX: usize = 32 << 10;
/// Links on the way to a file of an archive. `docker save` wrote one.
pub const ARCHIVE_LINKS_MAX: usize = 8;
/// The name of a file in an archive, in bytes: all of its header fits.
pub const ARCHIVE_NAME_BYTES: usize = 4096;
/// A tag that is kept, in bytes. docker's tags end at 128.
pub const REFERENCE_BYTES: usize = 128;
/// A pax header of an archive's own tar, in bytes. Blobs are plain files: path, size and times.
pub const ARCHIVE_PAX_BYTES: usize = 4096;

/// Bytes of a blob that are copied at once.
pub const COPY_BYTES: usize = 64 << 10;
/// Bytes of standard input that are read at once, where it is a pipe; Linux's pipes hold as many.
pub const SPOOL_BYTES: usize = 64 << 10;

/// A container's config.json, in bytes. A seccomp profile and hundreds of mounts are some hundred
/// KiB; annotations may have any size.
pub const CONFIG_BYTES: usize = 4 << 20;
/// The process that `exec` is given as a file, in bytes. containerd repeats the container's whole
/// environment in it, so it has the room of a config.json.
pub const PROCESS_BYTES: usize = CONFIG_BYTES;
/// Arguments and environment variables of one process together. The kernel limits their bytes, not
/// their number: 2 MiB are some 30,000 variables, as Kubernetes makes seven for each service. The
/// room that is left is for a table of their names.
pub const PROCESS_STRINGS_MAX: usize = 128 << 10;
/// Text of one container's arguments, environment, mounts and names, in bytes, decoded from its
/// config. Linux takes 2 MiB of arguments and environment (a quarter of the 8 MiB stack), 128 KiB a
/// string. Room for all text of the largest config.json. Before a container is made, two indexes
/// are read here.
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
/// How long a command waits for another that changes the same container, in milliseconds.
pub const LOCK_WAIT_MS: u64 = 10_000;
/// Hooks of one container, of all kinds together. Real ones have a handful.
pub const HOOKS_MAX: usize = 128;
/// Arguments of one hook, and variables of its environment, each with the null pointer behind them.
pub const HOOK_STRINGS_MAX: usize = 512;
/// The caller's /etc/resolv.conf, in bytes, for a container in its network. glibc reads three
/// servers and 256 bytes of search domains.
pub const RESOLV_CONF_BYTES: usize = 4096;
/// Device rules of one container. Docker and podman write a dozen, and one for each `--device`.
pub const DEVICE_RULES_MAX: usize = 256;
/// How long a killed container's process may take to end, in milliseconds. One in the middle of a
/// long write ends late.
pub const END_WAIT_MS: i32 = 10_000;
/// Names of cgroups that a walk through a container's cgroup still has to visit, in bytes: a
/// million short ones.
pub const CGROUP_NAMES_BYTES: usize = 16 << 20;
/// Time for such a walk if the container can make cgroups meanwhile, in milliseconds.
pub const CGROUP_WALK_MS: u64 = 10_000;
/// Files of a cgroup that one `update` may write. A cgroup with all controllers has some 60 that
/// set a limit.
pub const CGROUP_KEPT_FILES_MAX: usize = 64;
/// What those files hold before, in bytes: limits of some 200 devices.
pub const CGROUP_KEPT_BYTES: usize = 16 << 10;
/// Instructions of one seccomp filter (BPF_MAXINSNS). docker's profile takes some 400.
pub const SECCOMP_INSTRUCTIONS_MAX: usize = 4096;
/// Rules of one seccomp profile. docker's has some 20; a generated one has one for each call.
pub const SECCOMP_RULES_MAX: usize = SECCOMP_INSTRUCTIONS_MAX / 2;
/// Conditions of all its rules. Each takes two instructions of the filter at least.
pub const SECCOMP_CONDITIONS_MAX: usize = SECCOMP_INSTRUCTIONS_MAX / 2;
/// Mounts of one container. Shared servers and Kubernetes pods with many volumes have some hundred.
pub const MOUNTS_MAX: usize = 1024;
/// Mounts of procfs and sysfs that are unmounted if there is no pivot. Machines have one of each.
pub const KERNEL_VIEWS_MAX: usize = 256;
/// Device nodes of one container, with the six that every container has. `--privileged` passes on
/// all of the host's.
pub const DEVICES_MAX: usize = 512;
/// Ranges in the map of a user namespace's users or groups (the kernel takes 340).
pub const ID_MAPPINGS_MAX: usize = 340;
/// All lists of a config.json, and of the process that `exec` is given, in bytes: room for the
/// most mounts, devices, rules and hooks, and for 10,000 mappings of mounts' ids.
pub const SPEC_LISTS_BYTES: usize = 512 << 10;
/// How deep directories may be nested in one that is copied into a tmpfs, a descriptor each.
pub const COPY_DEPTH: usize = 128;
/// Names of one copied file's extended attributes, in bytes; the value of one of them. Files have a
/// few short ones.
pub const XATTR_NAMES_BYTES: usize = 2048;
/// See there.
pub const XATTR_BYTES: usize = 4096;

/// What the kernel says of network devices at once, in bytes: one of its pages, or two where the
/// answer is long.
pub const NETLINK_ANSWER_BYTES: usize = 8 << 10;
/// Network devices of the host that one container gets. One or two are usual.
pub const NET_DEVICES_MAX: usize = 256;
/// Addresses that a network device takes with it into a container. One or two are usual.
pub const NET_ADDRESSES_MAX: usize = 64;

/// The window that inflate refers back into, in bytes. RFC 1951 wants 32 KiB, miniz_oxide a power
/// of two; 32 KiB are 2 % slower, because the inner loop ends at the window's end.
pub const GZIP_WINDOW_BYTES: usize = 64 << 10;
/// Bytes between the thread that inflates and the one that creates, a power of two. 256 KiB are no
/// faster, and take as much more.
pub const RING_BYTES: usize = 128 << 10;
/// Compressed bytes read ahead, shared by inflate and the digest; a power of two.
pub const INPUT_BYTES: usize = 32 << 10;
/// The most that is inflated at once, in bytes: the consumer gets its first bytes after this many.
pub const INFLATE_STEP_BYTES: usize = 64 << 10;
/// The window of a zstd frame, in bytes: what buildah writes for zstd:chunked, and skopeo at its
/// best (8 MiB otherwise); only levels 21 and 22 and `--long` of the command line take more. Memory
/// for it is mapped while a layer of zstd is read, and a frame touches no more of it than its
/// window or its content, whichever is smaller.
pub const ZSTD_WINDOW_BYTES: u64 = 32 << 20;
/// The most that is hashed at once, in bytes: about 10 microseconds, in which what was waited for
/// may have come.
pub const HASH_STEP_BYTES: usize = 16 << 10;
/// One pax header, in bytes: the kernel's largest extended attribute (64 KiB) as bsdtar writes it,
/// plain and in base64, and some more. Go stops at 1 MiB, which a hostile layer would make us
/// touch.
pub const PAX_BYTES: usize = 256 << 10;
/// All pax records that hold for a whole archive, in bytes. git writes 52, others none.
pub const PAX_GLOBAL_BYTES: usize = 8 << 10;
/// Stored parts of one sparse file. Builders write none at all; Go stops at 1 MiB of map.
pub const SPARSE_SEGMENTS_MAX: usize = 4096;
/// The value of an extended attribute that only bsdtar's encoded record has, in bytes; it writes
/// the plain one too.
pub const XATTR_DECODED_BYTES: usize = 4 << 10;
/// Stack of the inflating thread, in bytes.
pub const THREAD_STACK_BYTES: usize = 64 << 10;
/// Headers of one layer. The largest images have some hundred thousand files; a gzip bomb of empty
/// entries has no end.
pub const ENTRIES_MAX: u64 = 16 << 20;
/// Directories that are kept open while entries are made in them. More gain nothing.
pub const PARENTS_OPEN: usize = 4;
/// Symlinks without a target that may stand in one entry's parents; the kernel follows 40.
pub const DANGLING_MAX: usize = 40;
/// Bits that remember which paths a layer made, a power of two. With 70,000 paths one whiteout in
/// 30 is taken for one of the layer's own, which costs a second pass; with 10,000 one in 60,000.
pub const OWN_PATHS_BITS: usize = 1 << 19;
/// Times that a layer's whiteout hides a path where something hidden lies already: first a file,
/// then its directory. Builders do not write such layers.
pub const HIDDEN_PLACES_MAX: usize = 64;
/// Times that an image is unpacked again because a layer's whiteouts meet its own entries. After
/// these all layers are applied in two passes.
pub const RESTARTS_MAX: usize = 3;
/// Blobs of all images of one layout, each counted once.
pub const VERIFIED_BLOBS_MAX: usize = 16 << 10;
/// Bytes of a blob that are read at once where only its digest is wanted.
pub const BLOB_READ_BYTES: usize = 64 << 10;
/// Names in the merged tree of one image: 84 bytes each, and the name. Large images have 500,000.
pub const TREE_NAMES_MAX: usize = 2 << 20;
/// All names and link targets in it together, in bytes.
pub const TREE_TEXT_BYTES: usize = 256 << 20;
/// Buckets in which they are found, four bytes each.
pub const TREE_BUCKETS: usize = 1 << 17;
/// Symlinks that are followed on the way to one directory, as in the kernel (MAXSYMLINKS).
pub const LINKS_FOLLOWED_MAX: usize = 40;

/// Words of a command (the kernel gives its init at most 32).
pub const COMMAND_WORDS_MAX: usize = 256;
/// A kernel command line of this many bytes or more may have been cut by the loader
/// (COMMAND_LINE_SIZE is 2,048 with NUL).
pub const COMMAND_LINE_BYTES: usize = 2047;
/// Names of disks and partitions that one walk finds. More walks find the rest.
pub const DISKS_AT_ONCE: usize = 32;
/// What an error says of the disks that were not taken, in bytes.
pub const DISK_NOTES_BYTES: usize = 768;
/// A kernel's name for a device, a serial number, in bytes (DISK_NAME_LEN is 32).
pub const DEVICE_NAME_BYTES: usize = 64;
/// Phases of one boot that are recorded.
pub const PHASES_MAX: usize = 16;
/// One stream's bytes between a port and the container; a pipe holds as many.
pub const PUMP_BYTES: usize = 64 << 10;
/// Files, processes and times that one loop waits for. PID 1 has the control port and
/// the main container's process, streams and stop; each job has five.
pub const WATCHED_MAX: usize = 64;
/// Lines to the host that it has not read yet: all of a boot's, with one long error.
pub const CONTROL_OUT_BYTES: usize = 4096;
/// One line from the host, in bytes: a job's program with its arguments.
pub const CONTROL_LINE_BYTES: usize = 1024;
/// Containers beside the main one, at once.
pub const JOBS_MAX: usize = 8;
/// The name of one, in bytes.
pub const JOB_NAME_BYTES: usize = 32;
/// Bytes of its output in one line to the host, which has two digits for each.
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
