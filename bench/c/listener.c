/* A listener that acknowledges every event at once and keeps book of what it heard, as cheaply as it can be done.
 *
 * In: the BOOK, a file of words, and on stdin events. Out: for each event one write, which accepts it and says that the next one
 * may come; and in the book, in words of eight bytes, what `enum` below names. Programs that say numbered lines (talker.c) are
 * called w0, w1 and so on: what they have said must come without a gap, whatever the pieces are. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    PID,
    EVENTS,
    FIRST,    /* when the first one was here, in nanoseconds */
    LAST,     /* the same of the last one */
    BYTES,    /* of all messages */
    MISSING,  /* numbers that the pool gave and that never came */
    REPEATED, /* numbers that came again, or too late */
    SAID,     /* bytes that programs have said */
    GAPS,     /* bytes of programs that were passed over */
    AGAIN,    /* bytes of programs that came before */
    WORDS
};
enum { ROOM = 4 << 20, LINE = 32, DIGITS = 16, WRITERS = 1024 };
static const char ANSWER[] = "RESULT 2\nOKREADY\n";

static volatile uint64_t *book;
/* Of each program, where the next byte should stand in all that it says. */
static uint64_t place[WRITERS];
static char room[ROOM];

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void say(const char *bytes, size_t length)
{
    while (length) {
        ssize_t written = write(1, bytes, length);
        if (written < 0)
            _exit(3);
        bytes += written;
        length -= (size_t)written;
    }
}

/* The number behind `name`, which begins with the space before it, so that serial is not found in poolserial. */
static uint64_t number(const char *header, const char *name)
{
    const char *at = strstr(header, name);
    if (!at)
        _exit(4);
    return strtoull(at + strlen(name), NULL, 10);
}

static uint64_t line_number(const char *digits)
{
    uint64_t sum = 0;
    for (int n = 0; n < DIGITS; n++)
        sum = 10 * sum + (uint64_t)(digits[n] - '0');
    return sum;
}

/* Where the first of these bytes stands in all that their program says, or `expected`, if they are too few to tell. */
static uint64_t begins(const char *data, size_t length, uint64_t expected)
{
    const char *end = memchr(data, '\n', length);
    if (!end)
        return expected;
    size_t rest = (size_t)(end + 1 - data);
    if (rest == LINE)
        return (line_number(data) - 1) * LINE;
    if (rest + DIGITS > length)
        return expected;
    return (line_number(end + 1) - 1) * LINE - rest;
}

/* `processname:w0 groupname:… pid:… channel:stdout`, and behind that line the bytes. */
static void hear_said(const char *payload, size_t length)
{
    const char *name = "processname:w";
    const char *end = memchr(payload, '\n', length);
    if (!end || strncmp(payload, name, strlen(name)))
        return;
    unsigned long writer = strtoul(payload + strlen(name), NULL, 10);
    if (writer >= WRITERS)
        _exit(5);
    const char *data = end + 1;
    length -= (size_t)(data - payload);
    uint64_t expected = place[writer], at = begins(data, length, expected);
    if (at > expected)
        book[GAPS] += at - expected;
    else
        book[AGAIN] += expected - at;
    book[SAID] += length;
    place[writer] = at + length;
}

static void hear(const char *header, const char *payload, size_t length, size_t whole)
{
    static uint64_t last;
    /* The pool may have given numbers before we began: those that come first are not missing. */
    uint64_t serial = number(header, " poolserial:");
    if (book[EVENTS] && serial > last + 1)
        book[MISSING] += serial - last - 1;
    if (book[EVENTS] && serial <= last)
        book[REPEATED]++;
    if (!book[EVENTS] || serial > last)
        last = serial;
    if (strstr(header, " eventname:PROCESS_LOG"))
        hear_said(payload, length);
    uint64_t at = now();
    if (!book[EVENTS])
        book[FIRST] = at;
    book[LAST] = at;
    book[BYTES] += whole;
    book[EVENTS]++;
}

int main(int argc, char **argv)
{
    int file = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return 2;
    void *map = mmap(NULL, WORDS * sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED)
        return 2;
    book = map;
    book[PID] = (uint64_t)getpid();
    say("READY\n", 6);
    size_t have = 0;
    for (;;) {
        ssize_t length = read(0, room + have, ROOM - 1 - have);
        if (length <= 0)
            return 0;
        have += (size_t)length;
        room[have] = 0;
        char *end = memchr(room, '\n', have);
        if (!end)
            continue;
        *end = 0;
        size_t payload = number(room, " len:"), whole = (size_t)(end + 1 - room) + payload;
        if (whole > ROOM - 1)
            return 6;
        if (have < whole) {
            *end = '\n';
            continue;
        }
        hear(room, end + 1, payload, whole);
        /* Nothing can have come behind it: nobody is told more before it has answered. */
        if (have > whole)
            return 7;
        have = 0;
        say(ANSWER, sizeof ANSWER - 1);
    }
}
