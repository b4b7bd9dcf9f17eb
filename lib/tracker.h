/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A tracker, as the files see it that have its public calls: tracker.c what is
 * about the set, launch.c and attach.c the ways into it, member.c what is about
 * one process.  Each call is a recipe of what stands below.
 */
#ifndef PT_TRACKER_H
#define PT_TRACKER_H

#include <stdatomic.h>

#include "launchpad.h"
#include "owner.h"
#include "pidtrack.h"
#include "set.h"

struct pidtrack {
	struct pt_owner owner;
	struct pt_set set;
	struct pt_launchpad pad;
	struct pidtrack_event event; /* the one handed out */
	int handoff; /* owned: memfd of one that is prepared; -1: none */
	_Atomic uint64_t syscalls;
	bool freed; /* looked at where it is checked */
};

/*
 * Runs @run in the tracker's owner: every public call goes through here.
 *
 * Return: what @run returned; -EINVAL where there is no tracker, as of a
 * process that was freed, -EBUSY for another's thread, -ECHILD after fork(),
 * -EINPROGRESS while a handoff is prepared.
 */
int pt_tracker_call(struct pidtrack *tracker,
		    int (*run)(struct pidtrack *tracker, void *argument),
		    void *argument);

/* The same while a handoff is prepared, when that answers -EINPROGRESS. */
int pt_tracker_call_frozen(struct pidtrack *tracker,
			   int (*run)(struct pidtrack *tracker, void *argument),
			   void *argument);

#endif
