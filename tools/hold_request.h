/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What hosts ask of `pidtrack hold`, as pidtrack(1) has it: lines KEY=VALUE, a
 * message each, as for the fd store of systemd; and what they are answered.
 */
#ifndef HOLD_REQUEST_H
#define HOLD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOLD_REQUEST_MAX 4096 /* bytes */
#define HOLD_NAME_MAX 255     /* likewise */
#define HOLD_PAYLOAD_MAX 3072 /* of text: 1024, if all are escaped */

enum hold_asked {
	HOLD_NOTHING,
	HOLD_HELLO,  /* HELLO=1: is there anybody? */
	HOLD_STORE,  /* FDSTORE=1: with a pidfd */
	HOLD_REMOVE, /* FDSTOREREMOVE=1 */
	HOLD_PAY,    /* FDPAYLOAD=1: another payload, or none */
	HOLD_LIST,   /* FDLIST=SERIAL: what was stored after that one */
};

struct hold_request {
	enum hold_asked asked;
	const char *name;    /* lent by the message; or NULL */
	const char *payload; /* likewise: text without blanks */
	uint64_t after;	     /* of LIST */
	uint64_t tag;
	bool tagged; /* it is to be answered */
};

/*
 * Takes a message apart where it lies; @text has room for a NUL behind its
 * @size bytes.
 *
 * Return: 0; -EBADMSG if it is none.  The tag is there also then, if it was
 * understood.
 */
int hold_request_parse(char *text, size_t size,
		       struct hold_request *ret_request);

/* Whether systemd would take that for the name of a descriptor. */
bool hold_name_is_good(const char *name);

#endif
