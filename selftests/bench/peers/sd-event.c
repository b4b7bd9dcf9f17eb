// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * libsystemd's sd-event, which wants SIGCHLD blocked.
 */
#include <signal.h>
#include <systemd/sd-event.h>

#include "peer.h"

static sd_event *event;

static int begin(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return sd_event_new(&event);
}

static int ended(sd_event_source *source, const siginfo_t *child,
		 void *userdata)
{
	peer_ended((uint32_t)(uintptr_t)userdata,
		   peer_status(child->si_code, child->si_status));
	sd_event_source_disable_unref(source);
	return 0;
}

static int launch(char *const *argv, uint32_t who)
{
	pid_t pid = peer_vfork(argv);
	sd_event_source *source;

	if (pid < 0)
		return pid;
	return sd_event_add_child(event, &source, pid, WEXITED, ended,
				  (void *)(uintptr_t)who);
}

static int turn(bool wait)
{
	return sd_event_run(event, wait ? UINT64_MAX : 0);
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
