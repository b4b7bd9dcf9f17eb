/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The image of this process: which program it is executing, as seen from the
 * next one.
 */
#ifndef PT_IMAGE_H
#define PT_IMAGE_H

#include "fingerprint.h"

/* Names it, if it has no name yet; in any thread. */
void pt_image_name(void);

/* Its name; 0: none. */
uint64_t pt_image(void);

/* Of the process itself, as every image of it finds it.  Return: as
 * pt_look_at_self(). */
int pt_image_host(const struct pt_place *place,
		  struct pt_fingerprint *ret_fingerprint);

#endif
