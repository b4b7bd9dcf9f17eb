/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The file of a record removed, or a pin, and never another that took its
 * place.
 */
#ifndef PT_REMOVAL_H
#define PT_REMOVAL_H

#include "recorded.h"

/* Return: as pidtrack_record_remove(). */
int pt_removal(const char *path, const struct pidtrack_record *record);

#endif
