/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "label.h"

#include "sys.h"

#define LABEL "trusted.pidtrack.label"
#define PAYLOAD "trusted.pidtrack.payload"

int pt_label_put(int pidfd, const char *label, const void *payload, size_t size)
{
	int r;

	r = sys_set_xattr(pidfd, LABEL, label, strlen(label));
	if (r < 0 || size == 0)
		return r;
	return sys_set_xattr(pidfd, PAYLOAD, payload, size);
}

int pt_label_drop_payload(int pidfd)
{
	return sys_remove_xattr(pidfd, PAYLOAD);
}

/* Linux 6.17 and 6.18 tell 0 bytes of a process that never had any. */
static size_t get(int pidfd, const char *name, void *ret_bytes, size_t size)
{
	int r = sys_get_xattr(pidfd, name, ret_bytes, size);

	return r > 0 ? (size_t)r : 0;
}

size_t pt_label_get(int pidfd, char ret_label[PT_LABEL_MAX + 1])
{
	size_t size = get(pidfd, LABEL, ret_label, PT_LABEL_MAX);

	ret_label[size] = 0;
	if (strlen(ret_label) != size || pt_label_check(ret_label) < 0)
		return 0;
	return size;
}

size_t pt_label_get_payload(int pidfd,
			    unsigned char ret_payload[PT_RECORD_PAYLOAD_MAX])
{
	return get(pidfd, PAYLOAD, ret_payload, PT_RECORD_PAYLOAD_MAX);
}
