/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What somebody keeps for us: pidfds, each by the name
 *
 *	pidtrack.INODE.LABEL
 *
 * so that ours can be told from others, and whose it is from what it is said to
 * be.  Knows no sockets.
 */
#ifndef PT_STORED_H
#define PT_STORED_H

#include "base.h"
#include "text.h"

#define PT_STORED_FIRST "pidtrack."
#define PT_STORED_SIZE_MAX 255 /* bytes, of systemd */
#define PT_STORED_LABEL_MAX \
	(PT_STORED_SIZE_MAX - strlen(PT_STORED_FIRST) - 20 - 1)

/* As in a name. */
void pt_stored_label(struct pt_text *text, const char *label);
void pt_stored_name(struct pt_text *text, uint64_t inode, const char *label);

bool pt_stored_is_ours(const char *name);

/* Whether @fd is who the name says, if it does. */
bool pt_stored_may_be(const char *name, int fd);

/* One that is kept. */
struct pt_stored {
	char *name;	/* owned */
	uint64_t inode; /* that it says */
	char *label;	/* owned; or NULL: the name is none of ours */
	char *payload;	/* owned; or NULL */
	size_t payload_size;
	int pidfd; /* owned; a copy */
	int given; /* the descriptor the service manager gave us, or -1 */
	int error; /* 0, or why it is not to be used */
};

struct pt_stored_list {
	struct pt_stored *all; /* owned */
	size_t n;
};

/*
 * Adds one; takes over @pidfd in any case, which is -1 if it is missing.
 *
 * Return: 0; -ENOMEM.
 */
int pt_stored_add(struct pt_stored_list *list, const char *name, int pidfd,
		  struct pt_stored **ret_stored);

void pt_stored_list_done(struct pt_stored_list *list);

#endif
