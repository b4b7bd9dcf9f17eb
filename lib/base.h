/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Ownership of descriptors and memory, length of arrays; knows no processes.
 */
#ifndef PT_BASE_H
#define PT_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/*
 * For what runs on memory shared with the host and does not return: to
 * AddressSanitizer on a stack it does not know; and ThreadSanitizer, which
 * counts calls and returns, would have the host's thread in it ever deeper.
 */
#if defined(__clang__) && __has_attribute(disable_sanitizer_instrumentation)
#define NEVER_RETURNS __attribute__((disable_sanitizer_instrumentation))
#else
#define NEVER_RETURNS __attribute__((no_sanitize("address", "thread")))
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define BIT(n) (UINT64_C(1) << (n))
#define offsetofend(type, member) \
	(offsetof(type, member) + sizeof(((type *)0)->member))

/*
 * Closes @fd if it is one; always -1, for: x->fd = fd_close(x->fd).  Not by
 * libc, where close() is a point at which threads are cancelled.
 */
static inline int fd_close(int fd)
{
	if (fd >= 0)
		syscall(SYS_close, fd);
	return -1;
}

static inline void fd_closep(int *fd)
{
	fd_close(*fd);
}

/* No descriptor or memory, for now: it says nothing of what was asked for. */
static inline bool is_short_of_room(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

/* Passes ownership out of a CLEANUP variable. */
static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* The word for @value; "unknown" beyond the table and in its gaps. */
static inline const char *pt_name(const char *const *names, size_t n,
				  size_t value)
{
	return value < n && names[value] ? names[value] : "unknown";
}

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

#endif
