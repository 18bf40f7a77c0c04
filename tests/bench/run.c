/* What tests/bench/run is made of: a clock around commands, and the kernel's part of a container alone.
 *
 *     run measure COUNT WORD... [; WORD...]...
 *         Runs each command COUNT times at once, one command after the other; {} is the number of the copy. `gone FILE` waits
 *         until the process that FILE{} names has ended, off the clock. Prints microseconds of the clock and of processors, all
 *         descendants' too.
 *     run floor ROOTFS FILTER|- WORD...
 *         The clone, mounts, filter and exec of the benchmark's config.json, and nothing else. FILTER is a classic BPF program.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *doing)
{
    fprintf(stderr, "run: %s: %s\n", doing, strerror(errno));
    _exit(125);
}

static void check(long result, const char *doing)
{
    if (result < 0)
        fail(doing);
}

/* The clock. */

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000L + time.tv_nsec / 1000;
}

static char texts[64][4096];

/* The words of a command for the copy of this number. */
static void fill(char **words, char **filled, int copy)
{
    int at = 0;
    for (; words[at] && strcmp(words[at], ";") != 0; at++) {
        char *mark = strstr(words[at], "{}");
        filled[at] = words[at];
        if (mark) {
            snprintf(texts[at], sizeof texts[at], "%.*s%d%s", (int)(mark - words[at]), words[at], copy, mark + 2);
            filled[at] = texts[at];
        }
    }
    filled[at] = NULL;
}

static void wait_until_gone(char **words, int count)
{
    char *filled[64], text[32];
    for (int copy = 0; copy < count; copy++) {
        fill(words, filled, copy);
        int file = open(filled[1], O_RDONLY | O_CLOEXEC);
        check(file, filled[1]);
        long length = read(file, text, sizeof text - 1);
        check(length, filled[1]);
        close(file);
        text[length] = 0;
        /* This process is the subreaper: what lost its parent is a child. ECHILD: it was waited for before. */
        waitpid(atoi(text), NULL, 0);
    }
}

/* Of its own, so that nothing of the caller's is in registers while two processes share its memory. */
__attribute__((noinline)) static pid_t start(char **words)
{
    pid_t child = vfork();
    if (child == 0) {
        execv(words[0], words);
        _exit(127);
    }
    return child;
}

static int measure(int count, char **words)
{
    long wall = 0;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    while (*words) {
        if (strcmp(words[0], "gone") == 0) {
            wait_until_gone(words, count);
        } else {
            static pid_t children[4096];
            char *filled[64];
            long begin = now();
            for (int copy = 0; copy < count; copy++) {
                fill(words, filled, copy);
                children[copy] = start(filled);
            }
            for (int copy = 0; copy < count; copy++) {
                int status;
                check(waitpid(children[copy], &status, 0), "waitpid");
                if (status != 0) {
                    fill(words, filled, copy);
                    fprintf(stderr, "run: %s %s ...: status %d\n", filled[0], filled[1] ? filled[1] : "", status);
                    return 1;
                }
            }
            wall += now() - begin;
        }
        while (*words && strcmp(*words, ";") != 0)
            words++;
        if (*words)
            words++;
    }
    /* What lost its parent is a child of this process: its time counts too. */
    while (waitpid(-1, NULL, 0) > 0)
        ;
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    long processors = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000L + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    printf("%ld %ld\n", wall, processors);
    return 0;
}

/* The floor. */

static const char *const masked_files[] = {"proc/kcore", "proc/keys", "proc/timer_list", "proc/sched_debug", "proc/latency_stats", "proc/timer_stats", NULL};
static const char *const masked_directories[] = {"proc/acpi", "proc/asound", "proc/scsi", "sys/firmware", NULL};
static const char *const readonly[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger", NULL};

static void container(const char *rootfs, const char *filter, char **words)
{
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
    check(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), "bind");
    check(chdir(rootfs), rootfs);
    unsigned long safe = MS_NOSUID | MS_NOEXEC | MS_NODEV;
    check(mount("proc", "proc", "proc", 0, NULL), "proc");
    check(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"), "dev");
    check(mkdir("dev/pts", 0755) | mkdir("dev/shm", 0755) | mkdir("dev/mqueue", 0755), "mkdir");
    check(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"), "pts");
    check(mount("shm", "dev/shm", "tmpfs", safe, "mode=1777,size=65536k"), "shm");
    check(mount("mqueue", "dev/mqueue", "mqueue", safe, NULL), "mqueue");
    check(mount("sysfs", "sys", "sysfs", safe | MS_RDONLY, NULL), "sys");
    umask(0);
    static const struct { const char *path; int major, minor; } devices[] = {
        {"dev/null", 1, 3}, {"dev/zero", 1, 5}, {"dev/full", 1, 7}, {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
    for (unsigned at = 0; at < 6; at++)
        check(mknod(devices[at].path, S_IFCHR | 0666, makedev(devices[at].major, devices[at].minor)), devices[at].path);
    check(symlink("pts/ptmx", "dev/ptmx") | symlink("/proc/self/fd", "dev/fd") | symlink("/proc/self/fd/0", "dev/stdin") |
              symlink("/proc/self/fd/1", "dev/stdout") | symlink("/proc/self/fd/2", "dev/stderr"),
          "symlink");
    umask(022);
    for (const char *const *path = readonly; *path; path++)
        if (mount(*path, *path, NULL, MS_BIND | MS_REC, NULL) == 0)
            check(mount(NULL, *path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), *path);
    for (const char *const *path = masked_files; *path; path++)
        if (mount("dev/null", *path, NULL, MS_BIND, NULL) != 0 && errno != ENOENT)
            fail(*path);
    for (const char *const *path = masked_directories; *path; path++)
        if (mount("tmpfs", *path, "tmpfs", MS_RDONLY, NULL) != 0 && errno != ENOENT)
            fail(*path);
    check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "umount");
    check(chdir("/"), "/");
    check(sethostname("box", 3), "hostname");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    if (filter) {
        static struct sock_filter code[4096];
        memcpy(code, filter + sizeof(long), *(const long *)filter);
        struct sock_fprog program = {(unsigned short)(*(const long *)filter / sizeof code[0]), code};
        check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), "seccomp");
    }
    execv(words[0], words);
    fail(words[0]);
}

static int bring_up_container(const char *rootfs, const char *path, char **words)
{
    static char filter[sizeof(long) + 4096 * sizeof(struct sock_filter)];
    int has_filter = strcmp(path, "-") != 0;
    if (has_filter) {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        check(file, path);
        *(long *)filter = read(file, filter + sizeof(long), sizeof filter - sizeof(long));
        close(file);
    }
    struct clone_args args = {.flags = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS, .exit_signal = SIGCHLD};
    long child = syscall(SYS_clone3, &args, sizeof args);
    check(child, "clone3");
    if (child == 0)
        container(rootfs, has_filter ? filter : NULL, words);
    int status;
    check(waitpid((pid_t)child, &status, 0), "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

int main(int count, char **words)
{
    if (count >= 4 && strcmp(words[1], "measure") == 0)
        return measure(atoi(words[2]), words + 3);
    if (count >= 5 && strcmp(words[1], "floor") == 0)
        return bring_up_container(words[2], words[3], words + 4);
    fputs("usage: run measure COUNT WORD... [; WORD...]... | run floor ROOTFS FILTER|- WORD...\n", stderr);
    return 125;
}
