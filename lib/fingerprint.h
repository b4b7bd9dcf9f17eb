/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What makes a process itself and not the next with its number: take, as text
 * and back, compare.
 */
#ifndef PT_FINGERPRINT_H
#define PT_FINGERPRINT_H

#include "base.h"
#include "pidtrack.h"
#include "text.h"

/* What is the same for every process this host looks at. */
struct pt_place {
	uint8_t boot[16];
	uint64_t pidns;	  /* inode of our pid namespace */
	int64_t boottime; /* ns our time namespace adds to times since boot */
	uint32_t has;	  /* PT_HAS_BOOT, PIDNS, BOOTTIME */
	bool pidfs;	  /* pidfds have inodes of their own; Linux 6.9 */
	bool numbers;	  /* /proc has the numbers of our pid namespace */
};

struct pt_fingerprint {
	uint64_t inode; /* of its pidfd, never used again in this boot */
	uint64_t start; /* clock ticks since boot, as read at our place */
	pid_t pid; /* in our pid namespace; 0: not known, as of a reaped one */
	uint32_t has; /* PT_HAS_: which of these are known */
	struct pt_place place;
};

#define PT_HAS_INODE (1U << 0)
#define PT_HAS_START (1U << 1)
#define PT_HAS_BOOT (1U << 2)
#define PT_HAS_PIDNS (1U << 3)
#define PT_HAS_BOOTTIME (1U << 4)

/* What a process shows of itself; the rest of its fingerprint is the place. */
struct pt_look {
	uint64_t inode;
	uint64_t start;
	uint32_t has; /* PT_HAS_INODE, PT_HAS_START */
	bool zombie;
};

/*
 * What cannot be learnt is not had.
 *
 * Return: 0; -EMFILE and the like if it might be learnt another time: whoever
 *         keeps the place would miss it for good.
 */
int pt_place_look(struct pt_place *ret_place);

/*
 * Looks at the process that @pidfd holds and that has, or had, the number @pid:
 * what is told of the number counts only if the pidfd's process still had it
 * afterwards.
 *
 * Return: 0; -ESRCH if it is reaped and has no inode to be known by; -ENODATA,
 *         -EACCES if it is not, and not to be seen; -EMFILE and the like.
 */
int pt_look_at(const struct pt_place *place, int pidfd, pid_t pid,
	       struct pt_look *ret_look);

/*
 * The calling process looks at itself, as between clone and exec.
 *
 * Return: 0, also if nothing can be seen here; a negative errno if nothing was
 *         seen for a want that passes.
 */
int pt_look_at_self(const struct pt_place *place, struct pt_look *ret_look);

void pt_fingerprint_of(const struct pt_place *place, pid_t pid,
		       const struct pt_look *look,
		       struct pt_fingerprint *ret_fingerprint);

/* Writes the text form; @exe, @exe_length may be NULL, 0. */
void pt_fingerprint_format(const struct pt_fingerprint *fingerprint,
			   const char *exe, size_t exe_length,
			   struct pt_text *text);

/* Return: 0; -EBADMSG; -EPROTONOSUPPORT for a later version of the text. */
int pt_fingerprint_parse(const char *text,
			 struct pt_fingerprint *ret_fingerprint);

/*
 * Whether @found, now, is what was recorded: SAME, REUSED, OTHER_BOOT or
 * UNPROVEN; whether it has ended is for the caller to add.
 */
void pt_fingerprint_compare(const struct pt_fingerprint *recorded,
			    const struct pt_fingerprint *found,
			    struct pidtrack_comparison *ret_comparison);

/*
 * When a process began that has @start at our place: ns of CLOCK_REALTIME, as
 * the clocks have it now.
 */
int64_t pt_start_ns(uint64_t start);

#endif
