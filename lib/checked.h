/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Finds what a host frees twice, or uses after it was freed, in a library that
 * is built for that, with PT_CHECKED: there nothing that was freed is given
 * back, so that it can still say so.
 */
#ifndef PT_CHECKED_H
#define PT_CHECKED_H

#include "base.h"

#ifdef PT_CHECKED

#include <assert.h>
#include <stdatomic.h>

#ifdef NDEBUG
#error "what is found is told by assert(): not with NDEBUG"
#endif

#define PT_KEEPS_FREED true
#define pt_checked(holds) assert(holds)

struct pt_kept {
	struct pt_kept *before;
	void *memory;
};

/* It stays where a leak checker finds it. */
static inline void pt_checked_free(void *memory)
{
	static struct pt_kept *_Atomic last;
	struct pt_kept *kept = malloc(sizeof(*kept));

	if (!kept)
		return;
	kept->memory = memory;
	kept->before = atomic_load(&last);
	while (!atomic_compare_exchange_weak(&last, &kept->before, kept))
		;
}

#else

#define PT_KEEPS_FREED false
#define pt_checked(holds) ((void)0)

static inline void pt_checked_free(void *memory)
{
	free(memory);
}

#endif

#endif
