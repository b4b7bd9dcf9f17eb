// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * libpidtrack, which launches by itself; PIDTRACK_BACKEND says what waits, and
 * BENCH_PARK that pidfds are no descriptors.
 */
#include "pidtrack.h"

#include <errno.h>
#include <stdlib.h>

#include "peer.h"

static struct pidtrack *tracker;

static int begin(void)
{
	const struct pidtrack_options options =
		PIDTRACK_OPTIONS(.flags = getenv("BENCH_PARK") ? PIDTRACK_PARK :
								 0);

	return pidtrack_new(&options, &tracker);
}

static int launch(char *const *argv, uint32_t who)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = (const char *const *)argv);
	struct pidtrack_process *process;
	int r;

	r = pidtrack_spawn(tracker, &options, &process, NULL);
	if (r < 0)
		return r;
	pidtrack_process_set_userdata(process, (void *)(uintptr_t)who);
	return 0;
}

static void tell(const struct pidtrack_event *event)
{
	struct pidtrack_process *process = event->process;

	if (!(event->flags & PIDTRACK_EVENT_LAST))
		return;
	peer_ended((uint32_t)(uintptr_t)pidtrack_process_userdata(process),
		   event->status);
	pidtrack_process_free(process);
}

static int turn(bool wait)
{
	const struct pidtrack_event *event;
	int r = pidtrack_wait(tracker, wait ? -1 : 0, &event);

	for (; r > 0; r = pidtrack_next(tracker, &event))
		tell(event);
	return r;
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
