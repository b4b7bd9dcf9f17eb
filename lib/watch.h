/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a watch on a pidfd is for, and what happened to it.
 */
#ifndef PT_WATCH_H
#define PT_WATCH_H

#include "base.h"

/* What a watch is for. */
enum pt_watch {
	PT_WATCH_NONE,	 /* nobody wants to know */
	PT_WATCH_CHILD,	 /* poll, then wait for the status without reaping */
	PT_WATCH_ENDS,	 /* poll alone; for a child, STATUS comes after it */
	PT_WATCH_STATUS, /* of a child that has ended: wait, as CHILD does */
	PT_WATCH_EDGES,	 /* every change of readability */
	PT_WATCH_STOPS,	 /* a child was stopped or continued */
	PT_WATCH_TICK,	 /* look for yourself at what could not be watched */
};

struct pt_happened {
	uint32_t cookie;
	uint8_t watch; /* enum pt_watch */
	bool ended;    /* the watch is over; nothing of it is in flight */
	int result; /* of CHILD, STATUS: 0 and the siginfo, or a negative errno;
		       of the others: poll events, or a negative errno */
};

/* A watch's name in 64 bits of the kernel's, and back. */
static inline uint64_t pt_watch_name(unsigned int watch, uint32_t cookie)
{
	return (uint64_t)watch << 32 | cookie;
}

static inline struct pt_happened pt_watch_happened(uint64_t name)
{
	return (struct pt_happened){
		.cookie = (uint32_t)name,
		.watch = (uint8_t)(name >> 32),
	};
}

#endif
