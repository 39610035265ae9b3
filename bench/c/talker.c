/* A program that talks: numbered lines of one length, in writes of one size, when it is told to.
 *
 * In: DIRECTORY, BYTES, LINE, WRITE, EVERY: how much it says in all, how long a line is with its end, how much goes into one write,
 * and the microseconds from one write to the next, or 0 for no pause. It adds a byte
 * to DIRECTORY/ready, waits until nobody locks DIRECTORY/gate any more, talks, adds a byte to DIRECTORY/done, and sleeps until it is
 * killed. A line is its number in sixteen digits, from 1 on, and dots. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { DIGITS = 16 };

static void tell(const char *directory, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || write(fd, ".", 1) != 1)
        _exit(3);
    close(fd);
}

static void wait_at_gate(const char *directory)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/gate", directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_SH))
        _exit(4);
    close(fd);
}

static void count_on(char *line)
{
    int at = DIGITS - 1;
    while (line[at] == '9')
        line[at--] = '0';
    line[at]++;
}

static void say(const char *bytes, size_t length)
{
    while (length) {
        ssize_t written = write(1, bytes, length);
        if (written < 0)
            _exit(5);
        bytes += written;
        length -= (size_t)written;
    }
}

/* Until it is time for the next write; who is late does not catch up. */
static void pause_until(struct timespec *next, long nanoseconds)
{
    struct timespec now;
    next->tv_nsec += nanoseconds;
    next->tv_sec += next->tv_nsec / 1000000000;
    next->tv_nsec %= 1000000000;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) == EINTR)
        ;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > next->tv_sec || now.tv_nsec - next->tv_nsec > nanoseconds)
        *next = now;
}

static void talk(size_t bytes, size_t length, size_t size, long every)
{
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    prctl(PR_SET_TIMERSLACK, 1);
    char *line = malloc(length);
    char *piece = malloc(size);
    if (!line || !piece)
        _exit(6);
    memset(line, '.', length);
    memset(line, '0', DIGITS);
    line[length - 1] = '\n';
    count_on(line);
    size_t told = 0; /* of the line */
    while (bytes) {
        size_t most = bytes < size ? bytes : size;
        size_t filled = 0;
        while (filled < most) {
            size_t rest = length - told < most - filled ? length - told : most - filled;
            memcpy(piece + filled, line + told, rest);
            filled += rest;
            told += rest;
            if (told == length) {
                count_on(line);
                told = 0;
            }
        }
        say(piece, most);
        bytes -= most;
        if (every)
            pause_until(&next, every);
    }
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    size_t length = strtoul(argv[3], NULL, 10);
    size_t size = strtoul(argv[4], NULL, 10);
    long every = 1000 * strtol(argv[5], NULL, 10);
    if (length <= DIGITS || !size)
        return 2;
    tell(argv[1], "ready");
    wait_at_gate(argv[1]);
    talk(strtoul(argv[2], NULL, 10), length, size, every);
    tell(argv[1], "done");
    for (;;)
        pause();
}
