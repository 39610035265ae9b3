/* Keeps every processor awake without taking any from others: a process for each that spins at the lowest policy there is, which
 * anybody who wakes up displaces at once. A processor that sleeps takes tens of microseconds to come back, in a virtual machine
 * above all, and then most of a round trip is that.
 *
 * In: nothing. Out: a dot when all of them spin; they end with the one who started them. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(void)
{
    cpu_set_t mine;
    struct sched_param none = {0};
    if (sched_getaffinity(0, sizeof mine, &mine) || sched_setscheduler(0, SCHED_IDLE, &none))
        return 2;
    pid_t starter = getpid();
    for (int processor = 0; processor < CPU_SETSIZE; processor++) {
        if (!CPU_ISSET(processor, &mine))
            continue;
        pid_t child = fork();
        if (child < 0)
            return 2;
        if (child)
            continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(processor, &one);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != starter || sched_setaffinity(0, sizeof one, &one))
            _exit(2);
        for (;;)
            __asm__ volatile("" ::: "memory");
    }
    if (write(1, ".", 1) != 1)
        return 2;
    for (;;)
        pause();
}
