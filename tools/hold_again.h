/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * `pidtrack hold` executed anew, as a later version of itself: what it holds
 * and whom it serves stay open, and their numbers are in a sealed memfd.
 */
#ifndef HOLD_AGAIN_H
#define HOLD_AGAIN_H

#include <stdbool.h>

#include "hold_peer.h"

/*
 * Executes @program in our place.  Returns only if that cannot be: a negative
 * errno, and everything is as before.
 */
int hold_again(const char *program, char *const *argv,
	       const struct holding *holding);

/*
 * Takes over what was handed to us.  What it says of descriptors that are no
 * pidfds is passed over.
 *
 * Return: 1; 0 if nothing was; -EBADMSG if it is damaged; -ENOMEM.
 */
int hold_taken_over(struct holding *holding);

#endif
