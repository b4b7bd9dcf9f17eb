/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The `pidtrack hold` of sigkill_storm, which no host's end concerns.  It is
 * executed anew now and then; killed it is not, for then it has lost all.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sigkill.h"

#define DESCRIPTORS 512 /* beside the 96 that it spares, all of a storm */
#define PATIENCE 5000	/* ms until it has seen that the last host is gone */

static struct {
	pid_t pid; /* or 0 */
	int fds;   /* that it has with nobody and nothing */
	uint32_t executed;
} hold;

void storm_hold_path(char path[80])
{
	snprintf(path, 80, "%s/hold", storm_room);
}

const char *storm_hold_refused(void)
{
	const char *tool = getenv("PIDTRACK_TEST_TOOL");
	struct rlimit limit;

	if (!tool || access(tool, X_OK) < 0)
		return "no pidtrack: built without tools";
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    limit.rlim_max < DESCRIPTORS)
		return "RLIMIT_NOFILE is too low for who holds";
	return pidtrack_feature_probe(PIDTRACK_FEATURE_PIDFS) ? "no pidfs" :
								NULL;
}

static int count_fds(void)
{
	char path[32];
	DIR *directory;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", hold.pid);
	directory = opendir(path);
	while (directory && readdir(directory))
		n++;
	if (directory)
		closedir(directory);
	return n;
}

void storm_hold_start(void)
{
	const char *tool = getenv("PIDTRACK_TEST_TOOL");
	char path[80], byte;
	int ready[2];

	storm_hold_path(path);
	if (pipe2(ready, O_CLOEXEC) < 0)
		err(1, "pipe");
	hold.pid = fork();
	if (hold.pid < 0)
		err(1, "fork");
	if (hold.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ready[1], STDOUT_FILENO);
		execl(tool, tool, "hold", path, NULL);
		_exit(127);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		errx(1, "nobody holds");
	close(ready[0]);
	hold.fds = count_fds();
}

void storm_hold_again(void)
{
	if (!hold.pid)
		return;
	kill(hold.pid, SIGHUP);
	hold.executed++;
}

bool storm_hold_is(pid_t pid)
{
	return pid == hold.pid;
}

bool storm_hold_has_ended(pid_t pid)
{
	if (!storm_hold_is(pid))
		return false;
	hold.pid = 0;
	return true;
}

bool storm_hold_end(void)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	int status = -1, fds = -1;
	char path[80];

	if (!hold.pid)
		return false;
	for (int i = 0; i < PATIENCE && fds != hold.fds; i++) {
		fds = count_fds();
		nanosleep(&moment, NULL);
	}
	kill(hold.pid, SIGTERM);
	while (waitpid(hold.pid, &status, 0) < 0 && errno == EINTR)
		;
	hold.pid = 0;
	storm_hold_path(path);
	printf("# executed anew %u times, who holds had %d descriptors, then "
	       "%d, and ended with %#x\n",
	       hold.executed, hold.fds, fds, (unsigned int)status);
	return status == 0 && fds == hold.fds && access(path, F_OK) < 0;
}
