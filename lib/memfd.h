/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Bytes in a sealed memfd: nobody, not even the host, changes them any more.
 */
#ifndef PT_MEMFD_H
#define PT_MEMFD_H

#include "base.h"
#include "text.h"

/* Return: it, close-on-exec; -EMFILE, -ENOMEM and the like. */
int pt_memfd_write(const char *name, const struct pt_text *text);

/*
 * All that is in it.
 *
 * @ret_bytes: freed with free(3)
 *
 * Return: 0; -EINVAL if it is no memfd sealed like ours, -EBADMSG if it is
 *         empty or too large; -EBADF, -ENOMEM and the like.
 */
int pt_memfd_read(int fd, char **ret_bytes, size_t *ret_size);

#endif
