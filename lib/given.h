/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the service manager kept for us, and gave us when we were executed:
 * descriptors from 3 on, and their names in the environment.
 */
#ifndef PT_GIVEN_H
#define PT_GIVEN_H

#include "stored.h"

/*
 * Adds those of our names that nobody has taken yet: each is given once in a
 * process, whatever trackers it has.
 *
 * Return: 0; -ENOMEM and the like, and some of them may be in @list.
 */
int pt_given_list(struct pt_stored_list *list);

/* It could not be used now; one that was not given is fine. */
void pt_given_return(const struct pt_stored *stored);

#endif
