/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * From a record to the very process, or to the reason why not: opens first,
 * then looks, then compares, and what was verified is what is held.  Reads
 * only.
 */
#ifndef PT_VERIFY_H
#define PT_VERIFY_H

#include "base.h"
#include "fingerprint.h"
#include "pidtrack.h"
#include "recorded.h"

struct pt_verified {
	struct pidtrack_comparison comparison;
	int pidfd;   /* owned: of SAME and EXITED, and of a legacy; or -1, as of
			a pin, whose record has it */
	bool legacy; /* UNPROVEN, for want of more than a number in the record
		      */
};

/* Never fails: what the kernel does not tell is UNPROVEN. */
void pt_verify(const struct pt_place *place,
	       const struct pidtrack_record *record,
	       struct pt_verified *ret_verified);

/* UNPROVEN, for one that could not be looked at, because of @error. */
void pt_verify_unseen(int error, struct pt_verified *ret_verified);

#endif
