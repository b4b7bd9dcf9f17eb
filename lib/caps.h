/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a shim is allowed to hold: from libcap's text to sets in the parent, and
 * into effect between clone and exec, by system calls alone.  The one user of
 * libcap.
 */
#ifndef PT_CAPS_H
#define PT_CAPS_H

#include "base.h"

/* A bit per capability, 1 << CAP_X. */
struct pt_caps {
	uint64_t permitted;
	uint64_t effective;
	uint64_t inheritable; /* the ambient ones included */
	uint64_t ambient;     /* survive exec without file capabilities */
	uint64_t bounding;    /* no exec gives more than these */
};

/* Return: 0; -EINVAL if @text is none of cap_from_text(3); -ENOMEM. */
int pt_caps_parse(const char *text, struct pt_caps *ret_caps);

/*
 * In the child, before its ids change: lowers the bounding set and makes the
 * permitted set survive the change.
 *
 * @lenient: no exec will raise privileges (no_new_privs), so a bounding set
 * that may not be lowered for want of CAP_SETPCAP does no harm
 */
int pt_caps_limit(const struct pt_caps *caps, bool lenient);

/* In the child, after its ids have changed. */
int pt_caps_apply(const struct pt_caps *caps);

#endif
