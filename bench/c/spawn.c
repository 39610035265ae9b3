/* What one spawn costs the kernel when the parent has many descriptors open: three ways to make a child.
 *
 * In: PROGRAM (started with the argument "end"), HOW ("fork", "posix_spawn" or "clone-files"), DESCRIPTORS and SPAWNS. Out:
 * a line per spawn with two numbers, in nanoseconds: until the parent could go on, and until the child had been reaped.
 *
 * "clone-files" is clone3 with CLONE_FILES: the child shares the descriptor table instead of copying it, and leaves it with
 * close_range(CLOSE_RANGE_UNSHARE), which copies what it keeps: 0, 1 and 2. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static pid_t by_fork(char **arguments)
{
    pid_t pid = fork();
    if (pid == 0) {
        execve(arguments[0], arguments, environ);
        _exit(127);
    }
    return pid;
}

static pid_t by_posix_spawn(char **arguments)
{
    pid_t pid;
    errno = posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environ);
    return errno ? -1 : pid;
}

static pid_t by_clone_files(char **arguments)
{
    struct clone_args how = {.flags = CLONE_FILES, .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
    if (pid == 0) {
        if (syscall(SYS_close_range, 3u, ~0u, (unsigned)CLOSE_RANGE_UNSHARE) == 0)
            execve(arguments[0], arguments, environ);
        _exit(127);
    }
    return pid;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    pid_t (*spawn)(char **) = strcmp(argv[2], "fork") == 0          ? by_fork
                              : strcmp(argv[2], "posix_spawn") == 0 ? by_posix_spawn
                              : strcmp(argv[2], "clone-files") == 0 ? by_clone_files
                                                                    : NULL;
    if (!spawn)
        return 2;
    rlim_t descriptors = strtoul(argv[3], NULL, 10), spawns = strtoul(argv[4], NULL, 10);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < descriptors + 16) {
        limit.rlim_cur = descriptors + 16;
        if (limit.rlim_max < limit.rlim_cur)
            limit.rlim_max = limit.rlim_cur;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            perror("cannot raise the limit of open files");
            return 1;
        }
    }
    for (rlim_t i = 0; i < descriptors; i++)
        if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) {
            perror("cannot open /dev/null that often");
            return 1;
        }
    char end[] = "end";
    char *arguments[] = {argv[1], end, NULL};
    for (rlim_t i = 0; i < spawns; i++) {
        uint64_t before = now();
        pid_t pid = spawn(arguments);
        uint64_t on = now();
        int status;
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
            fprintf(stderr, "%s: the child did not run: %s\n", argv[2], strerror(errno));
            return 1;
        }
        printf("%llu %llu\n", (unsigned long long)(on - before), (unsigned long long)(now() - before));
    }
    return 0;
}
