/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What an earlier life of the host left, process by process; knows nothing of
 * where it was kept.
 */
#ifndef PT_RECOVERY_H
#define PT_RECOVERY_H

#include "base.h"
#include "pidtrack.h"

/* An empty list; -ENOMEM. */
int pt_recovery_new(struct pidtrack_recovery **ret_recovery);

/*
 * Adds one at the end, with copies of its texts, its payload and its
 * comparison, which may be NULL for now.
 *
 * Return: 0, and in *ret_own the list's own; -ENOMEM, and nothing was added.
 */
int pt_recovery_add(struct pidtrack_recovery *recovery,
		    const struct pidtrack_recovered *recovered,
		    struct pidtrack_recovered **ret_own);

/* What goes along with it, copied; -ENOMEM. */
int pt_recovery_pay(struct pidtrack_recovered *own, const void *payload,
		    size_t size);

/* What has become of one that was added. */
void pt_recovery_conclude(struct pidtrack_recovered *own,
			  struct pidtrack_process *process,
			  const struct pidtrack_comparison *comparison,
			  int error);

#endif
