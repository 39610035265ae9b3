/* The physical limit: the least that anything must do which keeps programs running. No configuration, no pipes, no logs, no
 * questions; posix_spawn in a loop, and waitpid.
 *
 * In: PROGRAM and COUNT. It starts PROGRAM 0, PROGRAM 1, … and starts each again when it ends. On SIGTERM it sends SIGTERM
 * to all of them, waits for all, and ends. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static volatile sig_atomic_t ending;
static size_t count;
static pid_t *pids;

/* kill(2) may be called in a handler. A program that is being started at this moment is not in the table yet: start() looks
 * at `ending` once it is. */
static void end_all(int signal)
{
    (void)signal;
    int before = errno;
    ending = 1;
    for (size_t i = 0; i < count; i++)
        if (pids[i] > 0)
            kill(pids[i], SIGTERM);
    errno = before;
}

static int start(char *program, size_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", number);
    char *arguments[] = {program, text, NULL};
    pid_t pid;
    int error = posix_spawn(&pid, program, NULL, NULL, arguments, environ);
    if (error) {
        fprintf(stderr, "cannot start %s %zu: %s\n", program, number, strerror(error));
        return -1;
    }
    pids[number] = pid;
    if (ending)
        kill(pid, SIGTERM);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    size_t wanted = strtoul(argv[2], NULL, 10);
    pids = calloc(wanted, sizeof *pids);
    if (!pids)
        return 2;
    count = wanted;
    struct sigaction action = {.sa_handler = end_all, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    int status = 0;
    for (size_t i = 0; i < count && !ending; i++)
        if (start(argv[1], i) != 0) {
            raise(SIGTERM);
            status = 1;
        }
    pid_t ended;
    while ((ended = waitpid(-1, NULL, 0)) > 0 || errno == EINTR) {
        for (size_t i = 0; ended > 0 && i < count; i++) {
            if (pids[i] != ended)
                continue;
            pids[i] = 0;
            if (!ending && start(argv[1], i) != 0) {
                raise(SIGTERM);
                status = 1;
            }
            break;
        }
    }
    return status;
}
