/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A record read from where it is: a file of text, or a pin, which the kernel
 * tells of.
 */
#ifndef PT_READING_H
#define PT_READING_H

#include "base.h"
#include "fingerprint.h"
#include "pidtrack.h"
#include "recorded.h"

/*
 * @place: ours, for the fingerprint of a pin; NULL: it is looked at then
 * @path: from @dir, as openat(2)
 *
 * Return: as pidtrack_record_read().
 */
int pt_recorded_read(const struct pt_place *place, int dir, const char *path,
		     struct pidtrack_record **ret_record);

/*
 * What it says by itself, for which an exit record has it written, and a pin
 * asks the kernel.
 *
 * Return: as pidtrack_record_ending().
 */
int pt_recorded_ending(const struct pidtrack_record *record,
		       struct pidtrack_ending *ret_ending);

#endif
