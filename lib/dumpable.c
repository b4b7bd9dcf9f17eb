/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "dumpable.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>

#include "sys.h"

/*
 * How many launches are under way, and what it was before the first of them:
 * what a later one would find may be another one's doing.  One word, so that no
 * lock can be left locked in a child of fork(), where the word is 0.  By its
 * pid a child is not told for certain: in a pid namespace it may have ours.
 *
 * Only the last may restore it.  As long as any child runs on our memory with
 * the ids of somebody else, this is what keeps that one from tracing it.
 */
#define COUNT_ONE BIT(0)
#define COUNT_MASK (BIT(23) - 1)
#define CHANGING BIT(23) /* by one of them; the others wait */
#define WAS_SHIFT 24	 /* 8 bits: PR_GET_DUMPABLE */

static _Atomic uint64_t *_Atomic launches; /* for the life of this process */

static int get_ready(void)
{
	const size_t size = sizeof(*launches);
	_Atomic uint64_t *before = NULL;
	void *memory = NULL;
	int r;

	if (launches)
		return 0;
	r = sys_map_wiped(size, 0, &memory);
	if (!memory)
		return r;
	if (!atomic_compare_exchange_strong(&launches, &before, memory))
		sys_unmap(memory, size); /* another thread was first */
	return 0;
}

/* What it is; if it is to be restored, only where that may be done. */
static int look_at_dumpable(void)
{
	int was, r;

	was = sys_prctl(PR_GET_DUMPABLE, 0, 0);
	if (was != 1)
		return was;
	r = sys_prctl(PR_SET_DUMPABLE, 1, 0);
	return r < 0 ? r : was;
}

/* Nobody has ids of others on our memory, nor will have until this is done. */
static int begin_first(void)
{
	int was = look_at_dumpable();

	atomic_store(launches,
		     was < 0 ? 0 : (uint64_t)was << WAS_SHIFT | COUNT_ONE);
	return MIN(was, 0);
}

int pt_dumpable_hold(void)
{
	uint64_t before, after;
	int r;

	r = get_ready();
	if (r < 0)
		return r;
	do {
		before = atomic_load(launches);
		while (before & CHANGING) {
			sched_yield();
			before = atomic_load(launches);
		}
		after = before & COUNT_MASK ? before + COUNT_ONE : CHANGING;
	} while (!atomic_compare_exchange_strong(launches, &before, after));
	return after & CHANGING ? begin_first() : 0;
}

void pt_dumpable_restore(void)
{
	uint64_t before = atomic_load(launches), after;

	do {
		after = (before & COUNT_MASK) == 1 ? before | CHANGING :
						     before - COUNT_ONE;
	} while (!atomic_compare_exchange_strong(launches, &before, after));

	if (!(after & CHANGING))
		return;
	if ((after >> WAS_SHIFT & 0xff) == 1)
		sys_prctl(PR_SET_DUMPABLE, 1, 0);
	atomic_store(launches, 0);
}
