// SPDX-License-Identifier: MIT

// The functions of libsystemd that are used, under their own names; what each does is in its manual page.
//
// The library is loaded by the first call that needs it: it and the five that it needs are a megabyte in memory, which a
// gateway without systemd, as one in a container is, doesn't pay for, nor need they be installed there. Where the library
// can't be loaded every call fails with EOPNOTSUPP. A function that is used newly is added to CSystemd.c; until then the
// linker doesn't find it.
//
// Calls are as safe in threads as those of the library.

#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

/// Why the library can't be loaded, or NULL. Loads it.
const char *csystemd_load(void);

/// sd_journal_sendv(3) itself, without the place in the source that the macro of this name adds.
int csystemd_journal_send(const struct iovec *parts, int count);
