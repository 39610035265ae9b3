/* The physical limit of answering: one reply, made beforehand, for whoever has sent what ends like a request. Nothing is read, nobody is
 * let in or kept out, nothing is known.
 *
 * In: a PATH for a socket, and a FILE that holds the whole reply, headers and all. Out, on one line, when it listens: its
 * port on this machine. It serves until it is killed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char ending[] = "</methodCall>\n";
static char *reply;
static size_t length;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int poll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event))
        fail("epoll_ctl");
}

static int listener(int family, const struct sockaddr *at, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, at, size) || listen(fd, 64))
        fail("listen");
    return fd;
}

static void serve(int fd)
{
    char request[65536];
    ssize_t came = read(fd, request, sizeof request);
    if (came <= 0) {
        close(fd);
        return;
    }
    size_t tail = sizeof ending - 1;
    /* A request in pieces would do for nothing but its last one. */
    if ((size_t)came < tail || memcmp(request + came - tail, ending, tail))
        return;
    for (size_t done = 0; done < length;) {
        /* It may wait here: who asks reads, and asks nothing else meanwhile. */
        ssize_t sent = send(fd, reply + done, length - done, MSG_NOSIGNAL);
        if (sent < 0)
            return;
        done += (size_t)sent;
    }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    FILE *file = fopen(argv[2], "r");
    if (!file || fseek(file, 0, SEEK_END))
        fail(argv[2]);
    length = (size_t)ftell(file);
    rewind(file);
    reply = malloc(length);
    if (!reply || fread(reply, 1, length, file) != length)
        fail(argv[2]);
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in port = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof port;
    snprintf(path.sun_path, sizeof path.sun_path, "%s", argv[1]);
    int doors[] = {listener(AF_UNIX, (struct sockaddr *)&path, sizeof path),
                   listener(AF_INET, (struct sockaddr *)&port, sizeof port)};
    int poll = epoll_create1(EPOLL_CLOEXEC), one = 1;
    if (poll < 0 || getsockname(doors[1], (struct sockaddr *)&port, &size))
        fail("epoll_create1");
    watch(poll, doors[0]);
    watch(poll, doors[1]);
    printf("%d\n", ntohs(port.sin_port));
    fflush(stdout);
    for (;;) {
        struct epoll_event events[64];
        int ready = epoll_wait(poll, events, 64, -1);
        for (int n = 0; n < ready; n++) {
            int fd = events[n].data.fd;
            if (fd != doors[0] && fd != doors[1]) {
                serve(fd);
                continue;
            }
            int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
            if (client < 0)
                fail("accept4");
            if (fd == doors[1])
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            watch(poll, client);
        }
    }
}
