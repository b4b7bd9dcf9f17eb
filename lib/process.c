/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "process.h"

#include <errno.h>
#include <string.h>

#include "record.h"
#include "status.h"

int pt_payload_new(const void *bytes, size_t size,
		   struct pt_payload **ret_payload)
{
	struct pt_payload *payload = NULL;

	if (size > PT_RECORD_PAYLOAD_MAX || (size > 0 && !bytes))
		return -EINVAL;
	if (size > 0) {
		payload = malloc(sizeof(*payload) + size);
		if (!payload)
			return -ENOMEM;
		payload->size = size;
		memcpy(payload->bytes, bytes, size);
	}
	*ret_payload = payload;
	return 0;
}

/*
 * EXITED is told once, whichever comes first; REAPED only where EXITED could
 * not tell the status.  Somebody may reap a child of ours between our seeing
 * its status and the host's knowing it: the status stands.
 */
/* clang-format off */
static const struct pt_cell after[PT_STATE_MAX][PT_SEEN_MAX] = {
	[PT_STATE_RUNNING] = {
		[PT_SEEN_STATUS] = { PT_STATE_OURS, PT_DO_EXITED },
		[PT_SEEN_EXIT] = { PT_STATE_ZOMBIE, PT_DO_EXITED },
		[PT_SEEN_REAP] = { PT_STATE_REAPED, PT_DO_EXITED | PT_DO_REAPED },
		[PT_SEEN_STOLEN] = { PT_STATE_REAPED, PT_DO_EXITED },
		[PT_SEEN_ACK] = { PT_STATE_RUNNING, 0 },
	},
	[PT_STATE_ZOMBIE] = {
		[PT_SEEN_STATUS] = { PT_STATE_OURS, PT_DO_REAPED },
		[PT_SEEN_EXIT] = { PT_STATE_ZOMBIE, 0 },
		[PT_SEEN_REAP] = { PT_STATE_REAPED, PT_DO_REAPED },
		[PT_SEEN_STOLEN] = { PT_STATE_REAPED, PT_DO_REAPED },
		[PT_SEEN_ACK] = { PT_STATE_ZOMBIE, 0 },
	},
	[PT_STATE_OURS] = {
		[PT_SEEN_STATUS] = { PT_STATE_OURS, 0 },
		[PT_SEEN_EXIT] = { PT_STATE_OURS, 0 },
		[PT_SEEN_REAP] = { PT_STATE_OURS, 0 },
		[PT_SEEN_STOLEN] = { PT_STATE_OURS, 0 },
		[PT_SEEN_ACK] = { PT_STATE_REAPED, PT_DO_REAP },
	},
	[PT_STATE_REAPED] = {
		[PT_SEEN_STATUS] = { PT_STATE_REAPED, 0 },
		[PT_SEEN_EXIT] = { PT_STATE_REAPED, 0 },
		[PT_SEEN_REAP] = { PT_STATE_REAPED, 0 },
		[PT_SEEN_STOLEN] = { PT_STATE_REAPED, 0 },
		[PT_SEEN_ACK] = { PT_STATE_REAPED, 0 },
	},
};
/* clang-format on */

struct pt_cell pt_process_after(enum pt_state state, enum pt_seen seen)
{
	return after[state][seen];
}

int pt_process_look(int pidfd, int *ret_status, uint32_t *ret_source)
{
	int peeked, r;

	peeked = pt_status_peek(pidfd, ret_status);
	if (peeked > 0) {
		*ret_source = PIDTRACK_SOURCE_WAITED;
		return PT_SEEN_STATUS;
	}
	if (peeked == 0) /* not yet, or a tracer has it */
		return PT_SEEN_NONE;

	r = pt_status_recover(pidfd, ret_status);
	if (r > 0) {
		*ret_source = PIDTRACK_SOURCE_RECOVERED;
		return PT_SEEN_REAP;
	}
	*ret_source = PIDTRACK_SOURCE_UNKNOWN;
	if (r < 0 && pt_status_reaped(pidfd))
		return PT_SEEN_REAP;
	return peeked == -ECHILD ? PT_SEEN_EXIT : peeked;
}

bool pt_process_is_awaited(const struct pidtrack_process *process)
{
	return !process->released ||
	       (process->child && process->state == PT_STATE_RUNNING);
}

uint32_t pt_process_state(const struct pidtrack_process *process)
{
	if (process->tell & PT_TELL_EXITED)
		return PIDTRACK_STATE_RUNNING;
	if (process->tell & PT_TELL_REAPED)
		return PIDTRACK_STATE_EXITED;

	switch (process->state) {
	case PT_STATE_RUNNING:
		return PIDTRACK_STATE_RUNNING;
	case PT_STATE_REAPED:
		return PIDTRACK_STATE_REAPED;
	default:
		return PIDTRACK_STATE_EXITED;
	}
}

static const char *const state_names[] = {
	[PIDTRACK_STATE_RUNNING] = "running",
	[PIDTRACK_STATE_EXITED] = "exited",
	[PIDTRACK_STATE_REAPED] = "reaped",
};

PUBLIC const char *pidtrack_state_name(uint32_t state)
{
	return pt_name(state_names, ARRAY_SIZE(state_names), state);
}

static const char *const event_names[] = {
	[PIDTRACK_EXITED] = "exited",
	[PIDTRACK_REAPED] = "reaped",
	[PIDTRACK_STOPPED] = "stopped",
	[PIDTRACK_CONTINUED] = "continued",
	[PIDTRACK_ESCALATED] = "escalated",
	[PIDTRACK_STOP_TIMED_OUT] = "stop-timed-out",
	[PIDTRACK_STOP_DONE] = "stop-done",
	[PIDTRACK_ORPHAN] = "orphan",
};

PUBLIC const char *pidtrack_event_name(uint32_t kind)
{
	return pt_name(event_names, ARRAY_SIZE(event_names), kind);
}

static const char *const source_names[] = {
	[PIDTRACK_SOURCE_UNKNOWN] = "unknown",
	[PIDTRACK_SOURCE_WAITED] = "waited",
	[PIDTRACK_SOURCE_RECOVERED] = "recovered",
};

PUBLIC const char *pidtrack_source_name(uint32_t source)
{
	return pt_name(source_names, ARRAY_SIZE(source_names), source);
}
