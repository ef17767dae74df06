// SPDX-License-Identifier: MIT

#define _GNU_SOURCE
#include "CSpawn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

struct attempt {
    const struct cspawn_request *request;
    pid_t parent;
    volatile int step;
    volatile int error;
};

// Only the starting thread uses it, and it is suspended while a child runs on it (CLONE_VFORK).
static _Alignas(16) char child_stack[64 * 1024];

static void close_others_on_exec(void) {
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
    // A kernel before 5.11. All descriptors of ours are close-on-exec anyway; this is for those of libraries.
    for (int descriptor = 3; descriptor < 65536; descriptor++) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

// Runs in the memory of the parent until execve: system calls only, no allocation, no locks.
static int run_child(void *pointer) {
    struct attempt *attempt = pointer;
    const struct cspawn_request *request = attempt->request;
#define TRY(number, expression)                  \
    do {                                         \
        attempt->step = (number);                \
        if ((expression) < 0) goto failed;       \
    } while (0)

    // The kernel's own structure, all zero: SIG_DFL, no flags, no mask. The C library's call refuses the two signals
    // that it uses itself, and an ignored one would stay ignored in the child.
    const unsigned long action[8] = {0};
    for (int number = 1; number < NSIG; number++) syscall(SYS_rt_sigaction, number, action, NULL, 8);
    TRY(cspawn_step_process_group, setpgid(0, 0));
    TRY(cspawn_step_parent_death_signal, prctl(PR_SET_PDEATHSIG, SIGKILL));
    // The parent may have ended before the line above; then nobody would send the signal.
    if (getppid() != attempt->parent) _exit(127);
    if (request->open_files != 0) {
        struct rlimit limit = {.rlim_cur = request->open_files, .rlim_max = request->open_files};
        TRY(cspawn_step_limits, setrlimit(RLIMIT_NOFILE, &limit));
    }
    if (request->working_directory) TRY(cspawn_step_working_directory, chdir(request->working_directory));
    int sources[3];
    for (int target = 0; target < 3; target++) {
        sources[target] = request->descriptors[target];
        // Out of the way of 0...2, so that no dup2 below overwrites what a later one needs.
        if (sources[target] < 3) {
            TRY(cspawn_step_descriptors, sources[target] = fcntl(sources[target], F_DUPFD_CLOEXEC, 3));
        }
    }
    for (int target = 0; target < 3; target++) TRY(cspawn_step_descriptors, dup2(sources[target], target));
    close_others_on_exec();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    attempt->step = cspawn_step_execute;
    execve(request->path, request->arguments, request->environment);
failed:
    attempt->error = errno;
    _exit(127);
#undef TRY
}

static pid_t start(const struct cspawn_request *request, int *pidfd, int *step) {
    struct attempt attempt = {.request = request, .parent = getpid(), .step = cspawn_step_clone};
    sigset_t all, before;
    sigfillset(&all);
    // No handler of ours may run in the child, which shares our memory.
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pid_t pid = clone(
        run_child, child_stack + sizeof child_stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &attempt, pidfd);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        *step = cspawn_step_clone;
        return -error;
    }
    if (attempt.error) {
        *step = attempt.step;
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
        close(*pidfd);
        return -attempt.error;
    }
    return pid;
}

// MARK: - The thread that starts

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct {
    const struct cspawn_request *request;
    int *pidfd;
    int *step;
    pid_t result;
    int is_running;
} job;

static void *serve(void *unused) {
    (void)unused;
    prctl(PR_SET_NAME, "spawn");
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!job.request) pthread_cond_wait(&changed, &lock);
        job.result = start(job.request, job.pidfd, job.step);
        job.request = NULL;
        pthread_cond_broadcast(&changed);
    }
    return NULL;
}

static int ensure_thread(void) {
    if (job.is_running) return 0;
    // Children of a process that ignores SIGCHLD are reaped by the kernel, and how they ended is lost.
    struct sigaction action;
    if (sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
        action = (struct sigaction){.sa_handler = SIG_DFL};
        sigaction(SIGCHLD, &action, NULL);
    }
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 128 * 1024);
    sigset_t all, before;
    sigfillset(&all);
    // Signals of the process belong to other threads.
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, serve, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    job.is_running = error == 0;
    return error;
}

pid_t cspawn_start(const struct cspawn_request *request, int *pidfd, int *step) {
    pthread_mutex_lock(&turn);
    pthread_mutex_lock(&lock);
    pid_t result;
    int error = ensure_thread();
    if (error) {
        *step = cspawn_step_clone;
        result = -error;
    } else {
        job.request = request;
        job.pidfd = pidfd;
        job.step = step;
        pthread_cond_broadcast(&changed);
        while (job.request) pthread_cond_wait(&changed, &lock);
        result = job.result;
    }
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&turn);
    return result;
}

// MARK: - The end of a process

static int wait_for(int pidfd, int options, siginfo_t *info) {
    memset(info, 0, sizeof *info);
    int result;
    do {
        result = waitid((idtype_t)P_PIDFD, (id_t)pidfd, info, options);
    } while (result < 0 && errno == EINTR);
    return result;
}

int cspawn_has_ended(int pidfd) {
    siginfo_t info;
    if (wait_for(pidfd, WEXITED | WNOHANG | WNOWAIT, &info) < 0) return -1;
    return info.si_pid != 0;
}

int cspawn_reap(int pidfd, struct cspawn_exit *ended) {
    siginfo_t info;
    if (wait_for(pidfd, WEXITED, &info) < 0) return -1;
    ended->code = info.si_code == CLD_EXITED ? info.si_status : -1;
    ended->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    ended->dumped_core = info.si_code == CLD_DUMPED;
    return 0;
}

// MARK: - Descendants

static int orphan_bell = -1;

static void ring_orphan_bell(int number) {
    (void)number;
    int error = errno;
    unsigned long long one = 1;
    if (write(orphan_bell, &one, sizeof one) < 0) {}
    errno = error;
}

int cspawn_adopt_orphans(int bell) {
    orphan_bell = bell;
    struct sigaction action = {.sa_handler = ring_orphan_bell, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGCHLD, &action, NULL) != 0) return -1;
    return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

pid_t cspawn_next_ended(void) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int result;
    do {
        result = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -1 : info.si_pid;
}

void cspawn_reap_pid(pid_t pid) { waitpid(pid, NULL, WNOHANG); }

int cspawn_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int cspawn_pidfd_signal(int pidfd, int number) { return (int)syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0); }

int cspawn_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

void cspawn_name_thread(const char *name) { prctl(PR_SET_NAME, name); }
