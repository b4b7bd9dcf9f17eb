/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a launch is asked for: seen to be possible before anything is tried, and
 * put into the order the child works in.
 */
#ifndef PT_REQUEST_H
#define PT_REQUEST_H

#include "child.h"
#include "pidtrack.h"

/* What can be seen to be wrong without trying; see pidtrack_spawn(). */
int pt_request_check(const struct pidtrack_spawn_options *options);

/*
 * The map of @options, and 0, 1 and 2 as they are unless it has them; by
 * target, to be freed; or NULL.
 */
struct pt_move *pt_request_moves(const struct pidtrack_spawn_options *options,
				 size_t *ret_n);

#endif
