/* The physical limit of a conversation with a listener: one process writes a message into a pipe and reads the answer from another
 * one, the other process reads and answers. Blocking, one system call for each of the four.
 *
 * In: MILLISECONDS, and how long a MESSAGE and an ANSWER are; with a fourth argument each has a processor of its own. Out, on one
 * line: round trips, nanoseconds that they took, and nanoseconds of processor time of the one who asks. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 65536 };

static char bytes[MOST];

static uint64_t now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pin(int processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    if (sched_setaffinity(0, sizeof set, &set)) {
        perror("sched_setaffinity");
        _exit(1);
    }
}

static void tell(int fd, size_t length)
{
    if (write(fd, bytes, length) != (ssize_t)length)
        _exit(3);
}

/* A message that fits into a page comes whole. */
static void hear(int fd, size_t length)
{
    ssize_t had = read(fd, bytes, length);
    if (!had)
        _exit(0);
    if (had != (ssize_t)length)
        _exit(4);
}

int main(int argc, char **argv)
{
    int there[2], back[2];
    if (argc < 4 || argc > 5 || pipe(there) || pipe(back))
        return 2;
    size_t message = strtoul(argv[2], NULL, 10), answer = strtoul(argv[3], NULL, 10);
    if (!message || message > 4096 || !answer || answer > 4096)
        return 2;
    pid_t other = fork();
    if (other < 0)
        return 2;
    if (!other) {
        close(there[1]);
        close(back[0]);
        if (argc == 5)
            pin(1);
        for (;;) {
            hear(there[0], message);
            tell(back[1], answer);
        }
    }
    close(there[0]);
    close(back[1]);
    if (argc == 5)
        pin(0);
    /* The first few find the other one on its way. */
    for (int n = 0; n < 100; n++) {
        tell(there[1], message);
        hear(back[0], answer);
    }
    uint64_t began = now(CLOCK_MONOTONIC), worked = now(CLOCK_PROCESS_CPUTIME_ID), at = began, trips = 0;
    for (uint64_t end = began + strtoull(argv[1], NULL, 10) * 1000000u; at < end; at = now(CLOCK_MONOTONIC)) {
        tell(there[1], message);
        hear(back[0], answer);
        trips++;
    }
    worked = now(CLOCK_PROCESS_CPUTIME_ID) - worked;
    printf("%llu %llu %llu\n", (unsigned long long)trips, (unsigned long long)(at - began), (unsigned long long)worked);
    close(there[1]);
    wait(NULL);
    return 0;
}
