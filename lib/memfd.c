/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "memfd.h"

#include "file.h"
#include "sys.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

#define SIZE_MAX_READ (INT64_C(1) << 30)

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		int n = sys_write(fd, bytes, size);

		if (n < 0)
			return n;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

int pt_memfd_write(const char *name, const struct pt_text *text)
{
	CLEANUP(fd_closep) int fd = -1;
	int r;

	r = pt_file_check_limit(text->length);
	if (r < 0)
		return r;
	fd = sys_memfd(name);
	if (fd < 0)
		return fd;
	r = write_all(fd, text->start, text->length);
	if (r >= 0)
		r = sys_seal(fd, SEALS);
	return r < 0 ? r : fd_take(&fd);
}

static int read_all(int fd, char *bytes, size_t size)
{
	int r;

	r = sys_rewind(fd);
	while (r >= 0 && size > 0) {
		r = sys_read(fd, bytes, size);
		if (r == 0)
			return -EBADMSG;
		if (r > 0) {
			bytes += r;
			size -= (size_t)r;
		}
	}
	return r;
}

int pt_memfd_read(int fd, char **ret_bytes, size_t *ret_size)
{
	CLEANUP(freep) char *bytes = NULL;
	struct statx found;
	int r;

	r = sys_seals(fd);
	if (r < 0)
		return r;
	if ((r & SEALS) != SEALS)
		return -EINVAL;
	r = sys_file(fd, &found);
	if (r < 0)
		return r;
	if (found.stx_size == 0 || found.stx_size > SIZE_MAX_READ)
		return -EBADMSG;
	bytes = malloc(found.stx_size);
	if (!bytes)
		return -ENOMEM;
	r = read_all(fd, bytes, found.stx_size);
	if (r < 0)
		return r;
	*ret_bytes = bytes;
	bytes = NULL;
	*ret_size = found.stx_size;
	return 0;
}
