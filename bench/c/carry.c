/* The physical limit of carrying output: pipes in, files out, and nothing that a supervisor or a log is for. Nothing is kept exact
 * over a death, nobody is waited for, nobody is asked.
 *
 * In: WAY (read: read and write, files open for appending; splice: from pipe to file at an offset of our own, which is
 * checked against the file each time), COUNT, PREFIX, MAXBYTES, BACKUPS, and the command. It runs the command COUNT times and carries the
 * output of each to PREFIX0, PREFIX1, …; a file that has reached MAXBYTES is rotated, 0 for never. Ends when the last pipe does. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 128 * 1024 };

extern char **environ;

struct log {
    int pipe, file;
    off_t size;
    char path[4096];
};

static int splices;
static off_t most;
static int backups;
static char buffer[CHUNK];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void open_file(struct log *log)
{
    log->file = open(log->path, O_WRONLY | O_CREAT | O_CLOEXEC | (splices ? 0 : O_APPEND), 0644);
    log->size = 0;
    if (log->file < 0)
        fail(log->path);
}

static void rotate(struct log *log)
{
    char from[4200], to[4200];
    for (int n = backups; n > 0; n--) {
        snprintf(to, sizeof to, "%s.%d", log->path, n);
        if (n > 1)
            snprintf(from, sizeof from, "%s.%d", log->path, n - 1);
        else
            snprintf(from, sizeof from, "%s", log->path);
        if (rename(from, to) && errno != ENOENT)
            fail(from);
    }
    close(log->file);
    open_file(log);
}

static void start(struct log *log, char **command)
{
    int ends[2];
    pid_t pid;
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC))
        fail("pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    if (posix_spawn(&pid, command[0], &actions, NULL, command, environ))
        fail(command[0]);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    log->pipe = ends[0];
}

static ssize_t carry(struct log *log)
{
    if (splices) {
        struct stat now;
        if (fstat(log->file, &now))
            fail("fstat");
        return splice(log->pipe, NULL, log->file, &now.st_size, CHUNK, SPLICE_F_NONBLOCK);
    }
    ssize_t length = read(log->pipe, buffer, CHUNK);
    for (ssize_t done = 0; done < length;) {
        ssize_t written = write(log->file, buffer + done, (size_t)(length - done));
        if (written < 0)
            fail(log->path);
        done += written;
    }
    return length;
}

int main(int argc, char **argv)
{
    if (argc < 7)
        return 2;
    splices = !strcmp(argv[1], "splice");
    size_t count = strtoul(argv[2], NULL, 10);
    most = strtol(argv[4], NULL, 10);
    backups = atoi(argv[5]);
    struct log *logs = calloc(count, sizeof *logs);
    int poll = epoll_create1(EPOLL_CLOEXEC);
    if (!logs || poll < 0)
        return 2;
    for (size_t n = 0; n < count; n++) {
        snprintf(logs[n].path, sizeof logs[n].path, "%s%zu", argv[3], n);
        open_file(&logs[n]);
        start(&logs[n], argv + 6);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &logs[n]};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, logs[n].pipe, &event))
            fail("epoll_ctl");
    }
    while (count) {
        struct epoll_event events[64];
        int ready = epoll_wait(poll, events, 64, -1);
        for (int n = 0; n < ready; n++) {
            struct log *log = events[n].data.ptr;
            ssize_t length = carry(log);
            if (length > 0) {
                log->size += length;
                if (most && log->size >= most)
                    rotate(log);
            } else if (!length) {
                close(log->pipe);
                count--;
            } else if (errno != EAGAIN) {
                fail(log->path);
            }
        }
    }
    return 0;
}
