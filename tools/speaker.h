/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What happens, told on standard output: in lines for people, in JSON for
 * programs, or as a table that is drawn over itself.
 */
#ifndef SPEAKER_H
#define SPEAKER_H

#include <stdbool.h>

#include "audience.h"
#include "table.h"

struct speaker {
	struct listener listener;
	bool json;
	struct table *table; /* owned; NULL: lines */
};

/* Before anything is complained of: where there is to be a table, that is told
 * when it is done. */
void speaker_expect(bool json);

/* Return: 0, -ENOMEM; speaker_done() in any case. */
int speaker_begin(struct speaker *speaker, bool json);
void speaker_done(struct speaker *speaker);

#endif
