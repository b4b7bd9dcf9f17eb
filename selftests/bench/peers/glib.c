// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * GLib, a child watch each.
 */
#include <glib.h>

#include "peer.h"

static int begin(void)
{
	return 0;
}

static void ended(GPid pid, gint status, gpointer userdata)
{
	peer_ended(GPOINTER_TO_UINT(userdata), status);
	g_spawn_close_pid(pid);
}

static int launch(char *const *argv, uint32_t who)
{
	pid_t pid = peer_vfork(argv);

	if (pid < 0)
		return pid;
	g_child_watch_add(pid, ended, GUINT_TO_POINTER(who));
	return 0;
}

static int turn(bool wait)
{
	g_main_context_iteration(NULL, wait);
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
