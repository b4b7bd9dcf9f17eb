// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The old way: a reaper that asks for each child four times a second.
 */
#include <errno.h>
#include <sys/wait.h>
#include <time.h>

#include "peer.h"

#define PERIOD_NS 250000000

static pid_t pids[SLOTS];
static uint32_t whos[SLOTS];
static uint32_t n;

static int begin(void)
{
	return 0;
}

static int launch(char *const *argv, uint32_t who)
{
	pid_t pid = peer_vfork(argv);

	if (pid < 0)
		return pid;
	pids[n] = pid;
	whos[n++] = who;
	return 0;
}

/* The next quarter of a second. */
static void sleep_until_due(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += PERIOD_NS - until.tv_nsec % PERIOD_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL))
		;
}

static int turn(bool wait)
{
	uint32_t left = 0;

	if (wait)
		sleep_until_due();
	for (uint32_t i = 0; i < n; i++) {
		int status;
		pid_t pid = waitpid(pids[i], &status, WNOHANG);

		if (pid < 0)
			return -errno;
		if (pid > 0) {
			peer_ended(whos[i], status);
			continue;
		}
		pids[left] = pids[i];
		whos[left++] = whos[i];
	}
	n = left;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct peer peer = {
		.begin = begin,
		.launch = launch,
		.turn = turn,
	};

	return peer_main(&peer, argc, argv);
}
