/* Starts as many processes as its argument says whose parent ends before them. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words) {
    for (int left = count > 1 ? atoi(words[1]) : 0; left > 0; left--) {
        pid_t parent = fork();
        if (parent < 0)
            return 1;
        if (parent == 0) {
            if (fork() < 0)
                _exit(1);
            _exit(0);
        }
        int status = 0;
        if (waitpid(parent, &status, 0) != parent || status != 0)
            return 1;
    }
    return 0;
}
