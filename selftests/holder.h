/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A real `pidtrack hold`, as a child of the test.
 */
#ifndef HOLDER_H
#define HOLDER_H

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

/* False, and the test skipped, where there is no such tool. */
static inline bool holder_start(struct __test_metadata *_metadata,
				const char *socket, int max, pid_t *ret_holder)
{
	const char *tool = getenv("PIDTRACK_TEST_TOOL");
	char number[16], byte;
	int ready[2];

	if (!tool || access(tool, X_OK))
		SKIP(return false, "no pidtrack: built without tools");
	snprintf(number, sizeof(number), "%d", max);
	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	*ret_holder = fork();
	ASSERT_GE(*ret_holder, 0);
	if (!*ret_holder) {
		dup2(ready[1], STDOUT_FILENO);
		/* what it has to say of its end is not for the log */
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
		execl(tool, tool, "hold", "--max", number, socket, NULL);
		_exit(127);
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	close(ready[0]);
	return true;
}

/* How many pidfds it has. */
static inline int holder_count(pid_t holder)
{
	char path[400], target[64];
	struct dirent *entry;
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", holder);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		ssize_t length =
			readlinkat(dirfd(dir), entry->d_name, target, 63);

		target[length > 0 ? length : 0] = '\0';
		n += strstr(target, "pidfd") != NULL;
	}
	if (dir)
		closedir(dir);
	return n;
}

static inline void holder_end(pid_t holder, int signal)
{
	int status;

	kill(holder, signal);
	waitpid(holder, &status, 0);
}

#endif
