// SPDX-License-Identifier: MIT

#include "CSystemd.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

// Or else the library itself might call what stands here.
#define HIDDEN __attribute__((visibility("hidden")))

static void *library;
static char reason[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library) snprintf(reason, sizeof reason, "libsystemd is not installed (package libsystemd0): %s", dlerror());
}

const char *csystemd_load(void) {
    pthread_once(&once, load);
    return library ? NULL : reason;
}

static void *find(const char *name) { return csystemd_load() ? NULL : dlsym(library, name); }

// The function of the library: looked for once, or once more by a thread that came at the same time.
#define FOUND(name)                                                                                                    \
    static __typeof__(&name) kept;                                                                                     \
    __typeof__(&name) found = __atomic_load_n(&kept, __ATOMIC_ACQUIRE);                                                \
    if (!found) {                                                                                                      \
        found = (__typeof__(&name))find(#name);                                                                        \
        __atomic_store_n(&kept, found, __ATOMIC_RELEASE);                                                              \
    }

#define FORWARD(type, failure, name, parameters, arguments)                                                            \
    HIDDEN type name parameters {                                                                                      \
        FOUND(name)                                                                                                    \
        return found ? found arguments : (failure);                                                                    \
    }
#define CALL(name, parameters, arguments) FORWARD(int, -EOPNOTSUPP, name, parameters, arguments)
#define RUN(name, parameters, arguments)                                                                               \
    HIDDEN void name parameters {                                                                                      \
        FOUND(name)                                                                                                    \
        if (found) found arguments;                                                                                    \
    }

// Without these variables there is nobody to talk to, and the library would say so (sd_notify(3), sd_listen_fds(3),
// sd_watchdog_enabled(3)).
#define CALL_WITH(variable, name, parameters, arguments)                                                               \
    HIDDEN int name parameters {                                                                                       \
        if (!getenv(variable)) return 0;                                                                               \
        FOUND(name)                                                                                                    \
        return found ? found arguments : -EOPNOTSUPP;                                                                  \
    }

CALL_WITH("NOTIFY_SOCKET", sd_notify, (int unset, const char *state), (unset, state))
CALL_WITH("LISTEN_PID", sd_listen_fds, (int unset), (unset))
CALL_WITH("WATCHDOG_USEC", sd_watchdog_enabled, (int unset, uint64_t *usec), (unset, usec))
CALL(sd_is_socket, (int fd, int family, int type, int listening), (fd, family, type, listening))

CALL(sd_bus_new, (sd_bus * *bus), (bus))
CALL(sd_bus_open_system, (sd_bus * *bus), (bus))
CALL(sd_bus_open_user, (sd_bus * *bus), (bus))
CALL(sd_bus_set_address, (sd_bus * bus, const char *address), (bus, address))
CALL(sd_bus_set_bus_client, (sd_bus * bus, int isClient), (bus, isClient))
CALL(sd_bus_set_method_call_timeout, (sd_bus * bus, uint64_t usec), (bus, usec))
CALL(sd_bus_start, (sd_bus * bus), (bus))
RUN(sd_bus_close, (sd_bus * bus), (bus))
FORWARD(sd_bus *, NULL, sd_bus_unref, (sd_bus * bus), (bus))
CALL(sd_bus_get_fd, (sd_bus * bus), (bus))
CALL(sd_bus_get_events, (sd_bus * bus), (bus))
CALL(sd_bus_get_timeout, (sd_bus * bus, uint64_t *usec), (bus, usec))
CALL(sd_bus_process, (sd_bus * bus, sd_bus_message **message), (bus, message))
CALL(sd_bus_add_match,
     (sd_bus * bus, sd_bus_slot **slot, const char *match, sd_bus_message_handler_t callback, void *data),
     (bus, slot, match, callback, data))
CALL(sd_bus_call, (sd_bus * bus, sd_bus_message *message, uint64_t usec, sd_bus_error *error, sd_bus_message **reply),
     (bus, message, usec, error, reply))
CALL(sd_bus_get_property,
     (sd_bus * bus, const char *destination, const char *path, const char *interface, const char *member,
      sd_bus_error *error, sd_bus_message **reply, const char *type),
     (bus, destination, path, interface, member, error, reply, type))
CALL(sd_bus_path_encode, (const char *prefix, const char *name, char **path), (prefix, name, path))
RUN(sd_bus_error_free, (sd_bus_error * error), (error))

CALL(sd_bus_message_new_method_call,
     (sd_bus * bus, sd_bus_message **message, const char *destination, const char *path, const char *interface,
      const char *member),
     (bus, message, destination, path, interface, member))
FORWARD(sd_bus_message *, NULL, sd_bus_message_unref, (sd_bus_message * message), (message))
FORWARD(const char *, NULL, sd_bus_message_get_path, (sd_bus_message * message), (message))
CALL(sd_bus_message_append_basic, (sd_bus_message * message, char type, const void *value), (message, type, value))
CALL(sd_bus_message_open_container, (sd_bus_message * message, char type, const char *contents),
     (message, type, contents))
CALL(sd_bus_message_close_container, (sd_bus_message * message), (message))
CALL(sd_bus_message_enter_container, (sd_bus_message * message, char type, const char *contents),
     (message, type, contents))
CALL(sd_bus_message_exit_container, (sd_bus_message * message), (message))
CALL(sd_bus_message_read_basic, (sd_bus_message * message, char type, void *value), (message, type, value))
CALL(sd_bus_message_read_array, (sd_bus_message * message, char type, const void **values, size_t *size),
     (message, type, values, size))
CALL(sd_bus_message_skip, (sd_bus_message * message, const char *types), (message, types))

// The macro of this name adds where in the source it was called.
#undef sd_journal_sendv
CALL(sd_journal_sendv, (const struct iovec *parts, int count), (parts, count))

int csystemd_journal_send(const struct iovec *parts, int count) { return sd_journal_sendv(parts, count); }

CALL(sd_journal_open, (sd_journal * *journal, int flags), (journal, flags))
RUN(sd_journal_close, (sd_journal * journal), (journal))
CALL(sd_journal_add_match, (sd_journal * journal, const void *data, size_t size), (journal, data, size))
CALL(sd_journal_add_disjunction, (sd_journal * journal), (journal))
RUN(sd_journal_flush_matches, (sd_journal * journal), (journal))
CALL(sd_journal_set_data_threshold, (sd_journal * journal, size_t size), (journal, size))
CALL(sd_journal_seek_head, (sd_journal * journal), (journal))
CALL(sd_journal_seek_tail, (sd_journal * journal), (journal))
CALL(sd_journal_seek_realtime_usec, (sd_journal * journal, uint64_t usec), (journal, usec))
CALL(sd_journal_next, (sd_journal * journal), (journal))
CALL(sd_journal_previous, (sd_journal * journal), (journal))
CALL(sd_journal_previous_skip, (sd_journal * journal, uint64_t count), (journal, count))
CALL(sd_journal_wait, (sd_journal * journal, uint64_t usec), (journal, usec))
CALL(sd_journal_get_data, (sd_journal * journal, const char *field, const void **data, size_t *size),
     (journal, field, data, size))
CALL(sd_journal_get_realtime_usec, (sd_journal * journal, uint64_t *usec), (journal, usec))
