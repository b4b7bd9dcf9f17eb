/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Label and payload as a process carries them itself, in extended attributes of
 * its pidfd: they outlive its host and an exec, and no child inherits them.
 * They are trusted.*: whoever has CAP_SYS_ADMIN in the first user namespace
 * sets and reads them, others find none.  Linux 6.17.  Only system calls.
 */
#ifndef PT_LABEL_H
#define PT_LABEL_H

#include "base.h"
#include "record.h"

/*
 * Both; of 0 bytes of payload nothing becomes, whatever it carries.
 *
 * Return: 0; -EPERM, -EOPNOTSUPP and the like.
 */
int pt_label_put(int pidfd, const char *label, const void *payload,
		 size_t size);

/* From now on it carries no payload. */
int pt_label_drop_payload(int pidfd);

/*
 * Either, into as many bytes as there may be; anybody with the right may have
 * set it, so it is checked, and what could be none of ours is not there.
 *
 * Return: the length, 0 if it carries none.
 */
size_t pt_label_get(int pidfd, char ret_label[PT_LABEL_MAX + 1]);
size_t pt_label_get_payload(int pidfd,
			    unsigned char ret_payload[PT_RECORD_PAYLOAD_MAX]);

#endif
