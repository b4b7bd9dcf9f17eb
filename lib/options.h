/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Takes in options structs older or newer than ours, and gives out results to
 * callers older or newer than us.
 */
#ifndef PT_OPTIONS_H
#define PT_OPTIONS_H

#include <errno.h>
#include <string.h>

#include "base.h"

static inline bool pt_options_zero(const char *bytes, size_t size)
{
	while (size > 0 && bytes[size - 1] == 0)
		size--;
	return size == 0;
}

/*
 * Copies @src, of its own idea of a size, into @dst of ours, as the kernel
 * does: what it lacks is zero, what we do not know must be zero.
 *
 * @first_size: of the struct in its first release, which never changes
 *
 * Return: 0; -EINVAL if it is shorter than ever, -E2BIG if it asks for more
 * than we know.
 */
static inline int pt_options_copy(void *dst, size_t dst_size, const void *src,
				  size_t src_size, size_t first_size)
{
	if (src_size < first_size)
		return -EINVAL;
	if (src_size > dst_size &&
	    !pt_options_zero((const char *)src + dst_size, src_size - dst_size))
		return -E2BIG;

	memset(dst, 0, dst_size);
	memcpy(dst, src, MIN(dst_size, src_size));
	return 0;
}

/* Gives a result of ours to a caller whose struct has @dst_size bytes. */
static inline void pt_options_give(void *dst, size_t dst_size, const void *src,
				   size_t src_size)
{
	memcpy(dst, src, MIN(dst_size, src_size));
	if (dst_size > src_size)
		memset((char *)dst + src_size, 0, dst_size - src_size);
}

#endif
