// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * libev, whose loop waits for any child.
 */
#include <errno.h>
#include <ev.h>

#include "peer.h"

static struct ev_loop *loop;
static struct ev_child watchers[SLOTS];

static int begin(void)
{
	loop = ev_default_loop(0);
	return loop ? 0 : -ENOMEM;
}

static void ended(struct ev_loop *in, struct ev_child *watcher, int revents)
{
	peer_ended((uint32_t)(watcher - watchers), watcher->rstatus);
	ev_child_stop(in, watcher);
}

static int launch(char *const *argv, uint32_t who)
{
	struct ev_child *watcher = &watchers[who];
	pid_t pid = peer_vfork(argv);

	if (pid < 0)
		return pid;
	/* as ev_child_init() does, without a warning for its casts */
	ev_init(watcher, ended);
	ev_child_set(watcher, pid, 0);
	ev_child_start(loop, watcher);
	return 0;
}

static int turn(bool wait)
{
	ev_run(loop, wait ? EVRUN_ONCE : EVRUN_NOWAIT);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct peer peer = {
		.begin = begin,
		.launch = launch,
		.turn = turn,
		.any_sigchld = true,
	};

	return peer_main(&peer, argc, argv);
}
