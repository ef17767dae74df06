// SPDX-License-Identifier: MIT

#pragma once

// Not part of the Glibc module.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/types.h>

/// What is started, and how. All memory stays the caller's and is only read during the call.
struct cspawn_request {
    /// Path of the program, as execve(2) takes it.
    const char *path;
    /// Arguments, the program's name first, ended by NULL.
    char *const *arguments;
    /// `NAME=value` texts, ended by NULL.
    char *const *environment;
    /// Directory to run in, or NULL for the caller's.
    const char *working_directory;
    /// What becomes descriptors 0, 1 and 2.
    int descriptors[3];
    /// RLIMIT_NOFILE, soft and hard; 0 leaves it as it is.
    unsigned long long open_files;
};

/// The step at which a start failed.
enum cspawn_step {
    cspawn_step_clone = 1,
    cspawn_step_process_group,
    cspawn_step_parent_death_signal,
    cspawn_step_limits,
    cspawn_step_working_directory,
    cspawn_step_descriptors,
    cspawn_step_execute,
};

/// Starts a program and returns its process id, or a negated errno with the step that failed in `step`.
///
/// On success `pidfd` is a close-on-exec descriptor of the process (pidfd_open(2)), to be closed by the caller.
/// May be called from any thread; the work is done by one thread that never ends, because the parent-death signal
/// fires when the thread that started a process ends (prctl(2), PR_SET_PDEATHSIG).
pid_t cspawn_start(const struct cspawn_request *request, int *pidfd, int *step);

/// How a process ended.
struct cspawn_exit {
    /// The exit code, or -1.
    int code;
    /// The signal that ended it, or 0.
    int signal;
    /// Whether it left a core.
    int dumped_core;
};

/// Whether the process has ended, without reaping it: 1 yes, 0 no, -1 with errno.
int cspawn_has_ended(int pidfd);

/// Reaps a process that has ended: 0, or -1 with errno (ECHILD if somebody else did).
int cspawn_reap(int pidfd, struct cspawn_exit *exit);

/// Has orphaned descendants become children of this process, and writes to the eventfd `bell` whenever a child ends.
int cspawn_adopt_orphans(int bell);

/// The id of some child that has ended and was not reaped, without reaping it; 0 or -1 if there is none.
pid_t cspawn_next_ended(void);

/// Reaps the child `pid` if it has ended.
void cspawn_reap_pid(pid_t pid);

/// A descriptor that stands for the process `pid` (pidfd_open(2)), or -1.
int cspawn_pidfd_open(pid_t pid);

/// Sends a signal to the process that `pidfd` stands for: 0, or -1 with errno.
int cspawn_pidfd_signal(int pidfd, int number);

/// A pipe whose two ends are closed on exec: 0, or -1 with errno.
int cspawn_pipe(int ends[2]);

/// Names the calling thread for debuggers and `ps -T`; at most 15 characters count.
void cspawn_name_thread(const char *name);
