/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "stored.h"

#include "lines.h"
#include "sys.h"

/* ---- names ---- */

void pt_stored_label(struct pt_text *text, const char *label)
{
	for (; *label; label++) {
		/* which is what systemd has between two names */
		if (*label == ':')
			pt_text_string(text, "%3a");
		else
			pt_text_escaped(text, label, 1);
	}
}

void pt_stored_name(struct pt_text *text, uint64_t inode, const char *label)
{
	pt_text_field(text, PT_STORED_FIRST, inode);
	pt_text_byte(text, '.');
	pt_stored_label(text, label);
}

bool pt_stored_is_ours(const char *name)
{
	return strncmp(name, PT_STORED_FIRST, strlen(PT_STORED_FIRST)) == 0;
}

/* The label of "pidtrack.INODE.LABEL", and its inode: 0, -EBADMSG, -ENOMEM. */
static int parse_name(const char *name, uint64_t *ret_inode, char **ret_label)
{
	const char *digits = name + strlen(PT_STORED_FIRST), *dot;
	CLEANUP(freep) char *label = NULL;
	struct pt_span rest;
	size_t n;
	int r;

	if (!pt_stored_is_ours(name))
		return -EBADMSG;
	dot = strchr(digits, '.');
	if (!dot)
		return -EBADMSG;
	r = pt_text_parse_number(digits, (size_t)(dot - digits), ret_inode);
	if (r < 0)
		return r;
	rest = (struct pt_span){ dot + 1, strlen(dot + 1) };
	r = pt_span_unescape(rest, &label, &n);
	if (r < 0)
		return r;
	if (n == 0 || strlen(label) != n)
		return -EBADMSG;
	*ret_label = label;
	label = NULL;
	return 0;
}

/* Whether it is the process that its name says: 0, -EBADF, -ESTALE. */
static int check_named(const struct pt_stored *stored)
{
	uint64_t its;

	if (stored->pidfd < 0)
		return -EMFILE; /* it did not come along */
	if (sys_on_pidfs(stored->pidfd) <= 0 ||
	    sys_inode(stored->pidfd, &its) < 0)
		return -EBADF;
	return its == stored->inode ? 0 : -ESTALE;
}

bool pt_stored_may_be(const char *name, int fd)
{
	struct pt_stored stored = { .pidfd = fd };
	CLEANUP(freep) char *label = NULL;

	return parse_name(name, &stored.inode, &label) < 0 ||
	       check_named(&stored) == 0;
}

/* ---- lists ---- */

static void stored_done(struct pt_stored *stored)
{
	free(stored->name);
	free(stored->label);
	free(stored->payload);
	fd_close(stored->pidfd);
}

void pt_stored_list_done(struct pt_stored_list *list)
{
	while (list->n > 0)
		stored_done(&list->all[--list->n]);
	free(list->all);
	list->all = NULL;
}

int pt_stored_add(struct pt_stored_list *list, const char *name, int pidfd,
		  struct pt_stored **ret_stored)
{
	struct pt_stored *all, *stored;
	int r;

	all = realloc(list->all, (list->n + 1) * sizeof(*all));
	if (!all) {
		fd_close(pidfd);
		return -ENOMEM;
	}
	list->all = all;
	stored = &all[list->n++];
	*stored = (struct pt_stored){ .pidfd = pidfd, .given = -1 };
	stored->name = strdup(name);
	if (!stored->name)
		return -ENOMEM;
	r = parse_name(name, &stored->inode, &stored->label);
	if (r == -ENOMEM)
		return r;
	stored->error = r < 0 ? r : check_named(stored);
	*ret_stored = stored;
	return 0;
}
