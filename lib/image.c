/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "image.h"

#include <stdatomic.h>

#include "sys.h"

/* gone at execve(2), with all memory */
static _Atomic uint64_t image;

void pt_image_name(void)
{
	uint64_t none = 0;

	atomic_compare_exchange_strong(&image, &none, (uint64_t)sys_now_ns());
}

uint64_t pt_image(void)
{
	return atomic_load(&image);
}

int pt_image_host(const struct pt_place *place,
		  struct pt_fingerprint *ret_fingerprint)
{
	struct pt_look look;
	int r;

	r = pt_look_at_self(place, &look);
	pt_fingerprint_of(place, sys_getpid(), &look, ret_fingerprint);
	return r;
}
