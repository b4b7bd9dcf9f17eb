/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a sandbox refuses; sandbox/launch.c tells.  PIDTRACK_TEST_SANDBOX is its
 * name; PIDTRACK_TEST_REFUSED is "ERRNO NAME" where one thing is refused, or
 * has a low limit, and there is no other way.
 */
#ifndef REFUSAL_H
#define REFUSAL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What is refused here, or NULL. */
static inline const char *refusal_here(void)
{
	const char *text = getenv("PIDTRACK_TEST_REFUSED");
	const char *what = text ? strchr(text, ' ') : NULL;

	return what ? what + 1 : NULL;
}

/* The negative errno that tells so; 0 where nothing is refused. */
static inline int refusal_errno(void)
{
	const char *text = getenv("PIDTRACK_TEST_REFUSED");

	return text ? -atoi(text) : 0;
}

/*
 * What is refused here if a call that returned @r was told so; or NULL.
 * -EOPNOTSUPP is the library's word for what there is no call for.
 */
static inline const char *refusal_told(int r)
{
	return r == refusal_errno() || r == -EOPNOTSUPP ? refusal_here() : NULL;
}

/* Whether the sandbox is, or has in it, one that refuses that call by name. */
static inline bool sandbox_refuses(const char *call)
{
	const char *word = getenv("PIDTRACK_TEST_SANDBOX");
	const size_t length = strlen(call);

	while (word && (strncmp(word, call, length) || word[length] != '=')) {
		word = strchr(word, '+');
		word += word != NULL;
	}
	return word;
}

/* Whether it is one that refuses more than a call, or a limit. */
static inline bool sandbox_is_place(void)
{
	const char *word = getenv("PIDTRACK_TEST_SANDBOX");

	return word && !strchr(word, '=') && strcmp(word, "as-it-is") != 0;
}

#endif
