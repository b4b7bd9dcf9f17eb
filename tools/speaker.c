/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "speaker.h"

#include <errno.h>
#include <stdio.h>

#include "complain.h"
#include "output.h"
#include "record.h"

static struct speaker *speaker_of(struct listener *listener)
{
	return (struct speaker *)listener; /* its first member */
}

/* ---- lines ---- */

static int say_attached(struct listener *listener, const struct target *target)
{
	target_print_attached(target, speaker_of(listener)->json);
	return 0;
}

static void say_event(struct listener *listener, const struct target *target)
{
	target_print_event(target, speaker_of(listener)->json);
}

static void say_absent(struct listener *listener, const struct target *target,
		       const struct absence *absence)
{
	const char *path = target->id.record;

	if (!absence->record)
		record_not_read(path, absence->error);
	else if (absence->comparison->verdict)
		target_print_verdict(target, absence->record,
				     absence->comparison,
				     speaker_of(listener)->json);
	else
		record_not_attached(path, absence->comparison, absence->flags,
				    absence->error);
}

static void say_removed(struct listener *listener, const struct target *target)
{
	struct json object;

	if (!speaker_of(listener)->json) {
		printf("%s removed\n", target->name);
		return;
	}
	json_begin(&object);
	target_json(target, "removed", &object);
	json_end(&object);
}

static int flush(struct listener *listener, const struct audience *audience)
{
	return output_flush();
}

static const struct listener_calls lines = {
	.attached = say_attached,
	.event = say_event,
	.absent = say_absent,
	.removed = say_removed,
	.settle = flush,
};

/* ---- the table, which looks at its targets whenever it is drawn ---- */

static int add_row(struct listener *listener, const struct target *target)
{
	return table_add(speaker_of(listener)->table, target);
}

static void remove_row(struct listener *listener, const struct target *target)
{
	table_remove(speaker_of(listener)->table, target);
}

/* Keys and signals come first. */
static int draw(struct listener *listener, const struct audience *audience)
{
	struct table *table = speaker_of(listener)->table;

	if (!table_heed(table))
		return -EPIPE;
	table_draw(table, audience->lost);
	return 0;
}

/* Ages grow. */
static int until_drawn(const struct listener *listener)
{
	return TABLE_INTERVAL_MS;
}

static const struct listener_calls rows = {
	.attached = add_row,
	.forget = remove_row,
	.settle = draw,
	.patience = until_drawn,
};

void speaker_expect(bool json)
{
	if (!json && screen_wanted())
		complain_later();
}

int speaker_begin(struct speaker *speaker, bool json)
{
	int r = 0;

	*speaker = (struct speaker){
		.listener = { .calls = &lines, .fd = -1 },
		.json = json,
	};
	if (!json && screen_wanted())
		r = table_open(&speaker->table);
	if (!speaker->table) {
		complain_now();
		return r;
	}
	speaker->listener.calls = &rows;
	speaker->listener.fd = screen_fd();
	return 0;
}

void speaker_done(struct speaker *speaker)
{
	table_close(speaker->table);
	speaker->table = NULL;
	complain_now();
}
