/* The program that every contender supervises: its first action is to read the clock, its second to write the reading
 * down, and then it sleeps until a signal ends it.
 *
 * In: its number as the first argument, and in PROVOST_BENCH_STARTS the file with one slot a program. Out: in its slot the
 * monotonic clock in nanoseconds and its pid, eight bytes each. With "end" in place of a number it ends at once.
 * It says nothing over a socket or pipe, so that nobody has to wake up for it while time is being taken.
 *
 * Where we know how to make system calls, it does without the C library, whose start asks the processor for its features:
 * in a virtual machine each such question goes to the host, and a thousand starts are then mostly that. Elsewhere it
 * is an ordinary program (BARE is not defined). */
#include <fcntl.h>
#include <stdint.h>
#include <time.h>
#include <sys/syscall.h>

#ifdef BARE

#if defined(__x86_64__)
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call from_stack\n");

static long ask(long what, long a, long b, long c, long d)
{
    register long fourth __asm__("r10") = d;
    long answer;
    __asm__ volatile("syscall"
                     : "=a"(answer)
                     : "a"(what), "D"(a), "S"(b), "d"(c), "r"(fourth)
                     : "rcx", "r11", "memory");
    return answer;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start: mov x29, #0\n mov x0, sp\n and sp, x0, #-16\n bl from_stack\n");

static long ask(long what, long a, long b, long c, long d)
{
    register long number __asm__("x8") = what;
    register long first __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(first) : "r"(number), "r"(second), "r"(third), "r"(fourth) : "memory");
    return first;
}
#else
#error "no system calls without a C library on this processor"
#endif

#else
#include <unistd.h>
static long ask(long what, long a, long b, long c, long d) { return syscall(what, a, b, c, d); }
#endif

/* The rest of `text` behind `start`, or nothing. */
static const char *behind(const char *start, const char *text)
{
    while (*start && *start == *text)
        start++, text++;
    return *start ? 0 : text;
}

static int run(char **arguments, char **environment)
{
    struct timespec now;
    ask(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0);
    if (!arguments[0] || !arguments[1])
        return 2;
    if (behind("end", arguments[1]))
        return 0;
    const char *path = 0;
    for (; *environment && !path; environment++)
        path = behind("PROVOST_BENCH_STARTS=", *environment);
    if (!path)
        return 3;
    uint64_t number = 0;
    for (const char *digit = arguments[1]; *digit >= '0' && *digit <= '9'; digit++)
        number = 10 * number + (uint64_t)(*digit - '0');
    uint64_t slot[2] = {(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, (uint64_t)ask(SYS_getpid, 0, 0, 0, 0)};
    long file = ask(SYS_openat, AT_FDCWD, (long)path, O_WRONLY | O_CLOEXEC, 0);
    if (file < 0 || ask(SYS_pwrite64, file, (long)slot, sizeof slot, (long)(number * sizeof slot)) != sizeof slot)
        return 4;
    ask(SYS_close, file, 0, 0, 0);
    /* Nothing to wait for, and no time to wait until: for ever, or until a signal. */
    for (;;)
        ask(SYS_ppoll, 0, 0, 0, 0);
}

#ifdef BARE
/* What the kernel puts on the stack: the number of arguments, the arguments, a null, the environment, a null. */
__attribute__((used, noreturn)) static void from_stack(long *stack)
{
    char **arguments = (char **)(stack + 1);
    ask(SYS_exit_group, run(arguments, arguments + stack[0] + 1), 0, 0, 0);
    __builtin_unreachable();
}
#else
int main(int count, char **arguments, char **environment)
{
    (void)count;
    return run(arguments, environment);
}
#endif
