// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The least there is: one system call and no descriptor.  Waits for the one
 * that is due, which only a benchmark can know; where that may be anybody, for
 * any.
 */
#include <errno.h>
#include <sys/wait.h>

#include "peer.h"

static pid_t pids[SLOTS];
static uint32_t whos[PID_MAX];

static int begin(void)
{
	return 0;
}

static int launch(char *const *argv, uint32_t who)
{
	pids[who] = peer_vfork(argv);
	if (pids[who] < 0)
		return pids[who];
	whos[pids[who]] = who;
	return 0;
}

static int turn(bool wait)
{
	uint32_t who = peer_due();
	siginfo_t ended = { 0 };

	if (waitid(who < SLOTS ? P_PID : P_ALL,
		   who < SLOTS ? (id_t)pids[who] : 0, &ended,
		   WEXITED | (wait ? 0 : WNOHANG)) < 0)
		return -errno;
	if (ended.si_pid)
		peer_ended(whos[ended.si_pid],
			   peer_status(ended.si_code, ended.si_status));
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
