/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the host is told of the processes of a tracker, in which order, and what
 * comes of its having been told.
 */
#ifndef PT_TELLING_H
#define PT_TELLING_H

#include "base.h"
#include "pidtrack.h"
#include "set.h"

/* The next event: 1, 0 or a negative errno.  Acknowledges the one before. */
int pt_set_next(struct pt_set *set, struct pidtrack_event *ret_event);

/* The host knows of what was handed out. */
void pt_set_acknowledge_handed(struct pt_set *set);

/* Acknowledges what was handed out, and has all that follows from it happen. */
int pt_set_settle(struct pt_set *set);

/* The host is done with a process. */
void pt_set_release(struct pt_set *set, struct pidtrack_process *process);

/*
 * Has the end of a process recorded from now on; takes @ending over.  If it was
 * told already, at once.
 */
int pt_set_record_end(struct pt_set *set, struct pidtrack_process *process,
		      struct pt_ending *ending);

#endif
