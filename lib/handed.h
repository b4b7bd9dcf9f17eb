/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a host hands over to its next image, as text in a sealed memfd, and
 * nothing of whether it is true:
 *
 *	pidtrack-handoff1
 *	host=pidtrack1:pid=…
 *	image=1234567890
 *	process=7
 *	pid=4711
 *	…
 *	process=9
 *	…
 *	crc32=89abcdef
 *
 * A process begins with the number of its pidfd; what is 0 or not had is left
 * out.  A key that is not known is somebody's later one and passed over, unless
 * it begins with "!": then whoever does not know it must not go on.
 */
#ifndef PT_HANDED_H
#define PT_HANDED_H

#include "base.h"
#include "pidtrack.h"
#include "text.h"

#define PT_HANDED_CHILD (1U << 0)
#define PT_HANDED_OBSERVED (1U << 1)
#define PT_HANDED_LAST (1U << 2)
#define PT_HANDED_UNRECORDED (1U << 3)
#define PT_HANDED_RELEASED (1U << 4)
#define PT_HANDED_FAILED (1U << 5) /* its ladder's last step is over */
#define PT_HANDED_SYNC (1U << 6)   /* of its exit record */
#define PT_HANDED_KEPT (1U << 7)   /* by a pin */

#define PT_HANDED_STEPS_MAX 16
#define PT_HANDED_PAYLOAD_MAX 1024

/* One process.  Numbers of enums are those of text in files: they stay. */
struct pt_handed {
	uint64_t fd;
	uint64_t pid; /* 0: none here */
	uint64_t has; /* PT_HAS_INODE, PT_HAS_START */
	uint64_t inode;
	uint64_t start;
	uint64_t flags;	 /* PT_HANDED_ */
	uint64_t state;	 /* enum pt_state */
	uint64_t tell;	 /* PT_TELL_EXITED, REAPED */
	uint64_t source; /* enum pidtrack_source */
	uint64_t status; /* if that is not UNKNOWN */
	uint64_t binding;
	uint64_t notify; /* 1 << PIDTRACK_STOPPED, CONTINUED */

	uint64_t started_ns; /* of its exit record */
	uint64_t ended_ns;
	uint64_t steps_taken; /* of its ladder */
	uint64_t steps_told;
	uint64_t reached;
	uint64_t left_ns; /* of the step it is at */
	uint64_t n_steps;
	struct pidtrack_stop_step steps[PT_HANDED_STEPS_MAX];

	char *fingerprint; /* this and what follows owned; or NULL */
	char *text;	   /* the same as the host was given it */
	char *label;
	char *ending_path;
	char *ending_label;
	char *ending_exe;
	char *ending_fingerprint;
	void *payload;
	size_t payload_size; /* at most PT_HANDED_PAYLOAD_MAX */
};

struct pt_handed_list {
	char *host;	/* owned: its fingerprint */
	uint64_t image; /* which program it executed then; 0: not said */
	struct pt_handed *all;
	size_t n;
};

/* Begins the text, adds to it, ends it. */
void pt_handed_begin(struct pt_text *text, const char *host, uint64_t image);
void pt_handed_format(struct pt_text *text, const struct pt_handed *handed);
void pt_handed_end(struct pt_text *text);

/*
 * Return: 0; -EBADMSG if it is none, torn or damaged; -EPROTONOSUPPORT of a
 * later version; -ENOMEM.
 */
int pt_handed_parse(const char *bytes, size_t size,
		    struct pt_handed_list *ret_list);

void pt_handed_done(struct pt_handed_list *list);

#endif
