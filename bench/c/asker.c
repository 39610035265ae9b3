/* Clients that ask the same question again and again, each on one connection that it keeps; light enough not to be what is measured.
 *
 * In: WHERE (the path of a socket, or a port of this machine), CLIENTS, MILLISECONDS, and a FILE that holds the whole request,
 * headers and all. Out, on one line: answers, nanoseconds from the first question to the last answer, and of all the answers' own times
 * the median and the 99th percentile in nanoseconds. Whoever has an answer asks again until the time is over; the last
 * answers are waited for. Not here: what the answers say, except that each begins with 200 and is as long as it claims. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 1 << 18, HEAD = 4096 };

struct client {
    int fd;
    uint64_t asked;
    /* What is here of the headers, while they are not complete; then how much of the body is missing. */
    size_t have, missing;
    int in_body;
    char head[HEAD];
};

static char request[65536], chunk[CHUNK];
static size_t request_length;
static uint64_t *times;
static size_t answers, room;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int connected(const char *where)
{
    int fd;
    if (*where == '/') {
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        snprintf(at.sun_path, sizeof at.sun_path, "%s", where);
        if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at))
            fail(where);
    } else {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(where))};
        int one = 1;
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at))
            fail(where);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    return fd;
}

static void ask(struct client *client)
{
    client->have = client->missing = 0;
    client->in_body = 0;
    client->asked = now();
    /* A request is far smaller than the buffer of a socket that is empty. */
    if (write(client->fd, request, request_length) != (ssize_t)request_length)
        fail("write");
}

/* Reads what is there; 1 when the answer is complete. */
static int hear(struct client *client)
{
    ssize_t length = read(client->fd, chunk, CHUNK);
    if (length < 0 && errno == EINTR)
        return 0;
    if (length <= 0)
        fail("the server hung up");
    size_t left = (size_t)length;
    if (!client->in_body) {
        size_t take = HEAD - 1 - client->have, before = client->have;
        take = left < take ? left : take;
        memcpy(client->head + before, chunk, take);
        client->have += take;
        client->head[client->have] = 0;
        char *end = strstr(client->head, "\r\n\r\n");
        if (!end) {
            if (client->have == HEAD - 1)
                fail("headers without an end");
            return 0;
        }
        *end = 0;
        char *claim = strcasestr(client->head, "\r\ncontent-length:");
        if (strncmp(client->head, "HTTP/1.1 200", 12) || !claim) {
            fprintf(stderr, "not the answer that was wanted: %s\n", client->head);
            exit(1);
        }
        client->missing = strtoul(claim + 17, NULL, 10);
        client->in_body = 1;
        left -= (size_t)(end + 4 - client->head) - before;
    }
    if (left > client->missing) {
        fprintf(stderr, "more came than was asked for\n");
        exit(1);
    }
    client->missing -= left;
    return !client->missing;
}

static void note(const struct client *client, uint64_t at)
{
    if (answers == room) {
        room = room ? 2 * room : 65536;
        times = realloc(times, room * sizeof *times);
        if (!times)
            fail("realloc");
    }
    times[answers++] = at - client->asked;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    int count = atoi(argv[2]), poll = epoll_create1(EPOLL_CLOEXEC), busy = count;
    FILE *file = fopen(argv[4], "r");
    struct client *clients = calloc((size_t)count, sizeof *clients);
    if (!file || !clients || poll < 0)
        fail(argv[4]);
    request_length = fread(request, 1, sizeof request, file);
    for (int n = 0; n < count; n++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[n]};
        clients[n].fd = connected(argv[1]);
        if (epoll_ctl(poll, EPOLL_CTL_ADD, clients[n].fd, &event))
            fail("epoll_ctl");
    }
    uint64_t began = now(), last = began, end = began + strtoull(argv[3], NULL, 10) * 1000000u;
    for (int n = 0; n < count; n++)
        ask(&clients[n]);
    while (busy) {
        struct epoll_event events[64];
        int ready = 1;
        /* One that is alone can wait in read(2) itself. */
        if (count == 1)
            events[0].data.ptr = clients;
        else if ((ready = epoll_wait(poll, events, 64, -1)) < 0)
            fail("epoll_wait");
        for (int n = 0; n < ready; n++) {
            struct client *client = events[n].data.ptr;
            if (!hear(client))
                continue;
            last = now();
            note(client, last);
            if (last < end)
                ask(client);
            else
                busy--;
        }
    }
    qsort(times, answers, sizeof *times, by_size);
    printf("%zu %llu %llu %llu\n", answers, (unsigned long long)(last - began), (unsigned long long)times[answers / 2],
           (unsigned long long)times[answers * 99 / 100]);
    return 0;
}
