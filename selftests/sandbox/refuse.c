/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Loaded into a test program (LD_PRELOAD), refuses one system call to the
 * library in it and to nobody else: to what libpidtrack.so calls of libc,
 * wherever it is called from, the child before exec included.
 * PIDTRACK_TEST_REFUSE has its number and the errno.  A byte for each call that
 * it makes is set in the file that PIDTRACK_TEST_NOTED names, if one is.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../calls.h"

int __clone(int (*run)(void *), void *stack, int flags, void *argument, ...);

static struct {
	uintptr_t from, to; /* the library's own instructions */
	long number;
	int error;
	char *notes; /* by number, or NULL */
	long (*syscall)(long number, ...);
	int (*clone)(int (*run)(void *), void *stack, int flags, void *argument,
		     ...);
	int (*fcntl)(int fd, int command, ...);
	void *(*mmap)(void *at, size_t size, int protection, int flags, int fd,
		      off_t offset);
	int (*mprotect)(void *at, size_t size, int protection);
	int (*munmap)(void *at, size_t size);
	int (*madvise)(void *at, size_t size, int advice);
	int (*poll)(struct pollfd *fds, nfds_t n, int timeout);
	int (*sched_yield)(void);
	uid_t (*geteuid)(void);
	ssize_t (*readlink)(const char *path, char *target, size_t size);
	int (*fstatfs)(int fd, struct statfs64 *fs);
	int (*fstatat)(int dir, const char *path, struct stat64 *file,
		       int flags);
	int (*timerfd_settime)(int fd, int flags, const struct itimerspec *at,
			       struct itimerspec *was);
} refuse;

static int find(struct dl_phdr_info *object, size_t size, void *arg)
{
	int i;

	(void)size;
	(void)arg;
	if (!strstr(object->dlpi_name, "libpidtrack.so"))
		return 0;
	for (i = 0; i < object->dlpi_phnum; i++)
		if (object->dlpi_phdr[i].p_type == PT_LOAD &&
		    object->dlpi_phdr[i].p_flags & PF_X) {
			refuse.from = object->dlpi_addr +
				      object->dlpi_phdr[i].p_vaddr;
			refuse.to = refuse.from + object->dlpi_phdr[i].p_memsz;
		}
	return 1;
}

/* Without them it would look as if no call were made. */
static void map_notes(const char *path)
{
	int fd = (int)refuse.syscall(SYS_openat, AT_FDCWD, path,
				     O_RDWR | O_CLOEXEC);
	void *notes = refuse.mmap(NULL, CALLS_MAX, PROT_READ | PROT_WRITE,
				  MAP_SHARED, fd, 0);

	if (notes == MAP_FAILED) {
		fprintf(stderr, "refuse: %s: %s\n", path, strerror(errno));
		abort();
	}
	refuse.syscall(SYS_close, fd);
	refuse.notes = notes;
}

#define NEXT(name, symbol) *(void **)&refuse.name = dlsym(RTLD_NEXT, symbol)

__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("PIDTRACK_TEST_REFUSE");
	const char *notes = getenv("PIDTRACK_TEST_NOTED");

	NEXT(syscall, "syscall");
	NEXT(clone, "__clone");
	NEXT(fcntl, "fcntl64");
	NEXT(mmap, "mmap64");
	NEXT(mprotect, "mprotect");
	NEXT(munmap, "munmap");
	NEXT(madvise, "madvise");
	NEXT(poll, "poll");
	NEXT(sched_yield, "sched_yield");
	NEXT(geteuid, "geteuid");
	NEXT(readlink, "readlink");
	NEXT(fstatfs, "fstatfs64");
	NEXT(fstatat, "fstatat64");
	NEXT(timerfd_settime, "timerfd_settime");
	refuse.number = -1;
	if (notes)
		map_notes(notes);
	if (refuse.notes || (text && sscanf(text, "%ld %d", &refuse.number,
					    &refuse.error) == 2))
		dl_iterate_phdr(find, NULL);
}

static bool is_refused(long number, const void *caller)
{
	if ((uintptr_t)caller - refuse.from >= refuse.to - refuse.from)
		return false;
	if (refuse.notes && number >= 0 && number < CALLS_MAX)
		refuse.notes[number] = 1;
	if (refuse.number != number)
		return false;
	errno = refuse.error;
	return true;
}

/* The call to libc that this is in, and that returns to the library. */
#define REFUSED(number) is_refused(number, __builtin_return_address(0))

__attribute__((visibility("default"))) long syscall(long number, ...)
{
	long a[6];
	va_list args;
	int i;

	if (REFUSED(number))
		return -1;
	va_start(args, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	return refuse.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

__attribute__((visibility("default"))) int
__clone(int (*run)(void *), void *stack, int flags, void *argument, ...)
{
	void *a[3];
	va_list args;
	int i;

	if (REFUSED(SYS_clone))
		return -1;
	va_start(args, argument);
	for (i = 0; i < 3; i++)
		a[i] = va_arg(args, void *);
	va_end(args);
	return refuse.clone(run, stack, flags, argument, a[0], a[1], a[2]);
}

__attribute__((visibility("default"))) int fcntl64(int fd, int command, ...)
{
	va_list args;
	void *a;

	if (REFUSED(CALL_64(fcntl)))
		return -1;
	va_start(args, command);
	a = va_arg(args, void *);
	va_end(args);
	return refuse.fcntl(fd, command, a);
}

__attribute__((visibility("default"))) void *
mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	return REFUSED(CALL_MMAP) ?
		       MAP_FAILED :
		       refuse.mmap(at, size, protection, flags, fd, offset);
}

__attribute__((visibility("default"))) int mprotect(void *at, size_t size,
						    int protection)
{
	return REFUSED(SYS_mprotect) ? -1 :
				       refuse.mprotect(at, size, protection);
}

__attribute__((visibility("default"))) int munmap(void *at, size_t size)
{
	return REFUSED(SYS_munmap) ? -1 : refuse.munmap(at, size);
}

__attribute__((visibility("default"))) int madvise(void *at, size_t size,
						   int advice)
{
	return REFUSED(SYS_madvise) ? -1 : refuse.madvise(at, size, advice);
}

__attribute__((visibility("default"))) int poll(struct pollfd *fds, nfds_t n,
						int timeout)
{
	return REFUSED(CALL_POLL) ? -1 : refuse.poll(fds, n, timeout);
}

__attribute__((visibility("default"))) int sched_yield(void)
{
	return REFUSED(SYS_sched_yield) ? -1 : refuse.sched_yield();
}

__attribute__((visibility("default"))) int fstatfs64(int fd,
						     struct statfs64 *fs)
{
	return REFUSED(CALL_64(fstatfs)) ? -1 : refuse.fstatfs(fd, fs);
}

__attribute__((visibility("default"))) int
fstatat64(int dir, const char *path, struct stat64 *file, int flags)
{
	return REFUSED(CALL_FSTATAT) ? -1 :
				       refuse.fstatat(dir, path, file, flags);
}

__attribute__((visibility("default"))) int
timerfd_settime(int fd, int flags, const struct itimerspec *at,
		struct itimerspec *was)
{
	return REFUSED(SYS_timerfd_settime) ?
		       -1 :
		       refuse.timerfd_settime(fd, flags, at, was);
}

/* Which cannot fail: libc returns whatever the kernel does. */
__attribute__((visibility("default"))) uid_t geteuid(void)
{
	return REFUSED(CALL_32(geteuid)) ? (uid_t)-refuse.error :
					   refuse.geteuid();
}

__attribute__((visibility("default"))) ssize_t
readlink(const char *path, char *target, size_t size)
{
	return REFUSED(SYS_readlink) ? -1 : refuse.readlink(path, target, size);
}
