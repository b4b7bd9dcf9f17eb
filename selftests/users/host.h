/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the hosts here share: words of failure, files put whole, and a process
 * stopped and waited for.  On pidtrack.h alone.
 *
 * Each is a command of a few words, and each call a new life of the host: it
 * knows nothing but what its files say.  It exits as pidtrack(1) does.
 */
#ifndef HOST_H
#define HOST_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pidtrack.h"

#define HOST_NO 1     /* not so, or refused */
#define HOST_USAGE 2  /* no such command */
#define HOST_UNSURE 3 /* nobody can tell whether it lives */
#define HOST_FAILED 4

#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Not every host needs all of this. */
#pragma GCC diagnostic ignored "-Wunused-function"

static void host_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void host_free(char **text)
{
	free(*text);
}

static void host_end(struct pidtrack **tracker)
{
	pidtrack_free(*tracker);
}

static void host_forget(struct pidtrack_record **record)
{
	pidtrack_record_free(*record);
}

static __attribute__((noreturn)) void host_fail(const char *what, int error)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-error));
	exit(HOST_FAILED);
}

/* A tracker, or the end of this life. */
static struct pidtrack *host_begin(void)
{
	struct pidtrack *tracker = NULL;
	int r = pidtrack_new(NULL, &tracker);

	if (r < 0)
		host_fail("no tracker", r);
	return tracker;
}

/* ---- files ---- */

struct host_path {
	char text[PATH_MAX];
};

static __attribute__((format(printf, 1, 2))) struct host_path
host_path(const char *format, ...)
{
	struct host_path path;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(path.text, sizeof(path.text), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(path.text))
		host_fail(format, -ENAMETOOLONG);
	return path;
}

/* All of @text at @path or what was there before, 0600. */
static int host_put(const char *path, const char *text)
{
	struct host_path temporary = host_path("%s.XXXXXX", path);
	size_t size = strlen(text);
	CLEANUP(host_close) int fd = mkostemp(temporary.text, O_CLOEXEC);

	if (fd < 0)
		return -errno;
	errno = EIO;
	if (write(fd, text, size) != (ssize_t)size || fsync(fd) ||
	    rename(temporary.text, path)) {
		int error = errno;

		unlink(temporary.text);
		return -error;
	}
	return 0;
}

/* All there is of a file of ours; "" if there is none. */
static char *host_get(const char *path)
{
	FILE *file = fopen(path, "re");
	size_t size = 0;
	char *text = NULL;

	if (!file || getdelim(&text, &size, EOF, file) < 0) {
		free(text);
		text = strdup("");
	}
	if (file)
		fclose(file);
	if (!text)
		host_fail(path, -ENOMEM);
	return text;
}

static int host_remove_one(const char *path, const struct stat *stat, int type,
			   struct FTW *ftw)
{
	return remove(path);
}

/* With all that is in it; links are not followed. */
static void host_remove_tree(const char *path)
{
	nftw(path, host_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- processes ---- */

/* The one question before anything of a shim's is taken away. */
static bool host_may_clean_up(uint32_t verdict)
{
	return verdict == PIDTRACK_VERDICT_GONE ||
	       verdict == PIDTRACK_VERDICT_REUSED ||
	       verdict == PIDTRACK_VERDICT_OTHER_BOOT;
}

/*
 * The ladder to its end, however long that takes.
 *
 * Return: 0, it has ended; -ETIMEDOUT, it lives; what pidtrack_process_stop()
 *         says, -EPERM above all: it lives, and is not ours.
 */
static int host_stop(struct pidtrack *tracker, struct pidtrack_process *process,
		     const struct pidtrack_stop_options *options)
{
	const struct pidtrack_event *event;
	uint32_t last = options->flags ? PIDTRACK_STOP_DONE : PIDTRACK_EXITED;
	int r = pidtrack_process_stop(process, options);

	if (r == -ESRCH)
		return 0;
	while (r >= 0) {
		r = pidtrack_wait(tracker, -1, &event);
		if (r == -EINTR)
			r = 0;
		if (r <= 0 || event->process != process)
			continue;
		if (event->kind == last)
			return 0;
		if (event->kind == PIDTRACK_STOP_TIMED_OUT)
			return -ETIMEDOUT;
	}
	return r;
}

#endif
