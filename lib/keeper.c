/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "keeper.h"

#include <errno.h>

int pt_keeper_open(struct pt_keeper *keeper, const char *pins)
{
	return pins ? pt_pins_open(pins, &keeper->pins) : 0;
}

void pt_keeper_close(struct pt_keeper *keeper)
{
	keeper->pins = pt_pins_close(keeper->pins);
}

void pt_keeper_abandon(struct pt_keeper *keeper)
{
	keeper->pins = pt_pins_abandon(keeper->pins);
}

bool pt_keeper_is_open(const struct pt_keeper *keeper)
{
	return keeper->pins;
}

int pt_keeper_claim(const struct pt_keeper *keeper, const char *label,
		    struct pt_place_kept *ret_place)
{
	int r;

	r = pt_pin_name(label, ret_place->name);
	if (r < 0)
		return r;
	ret_place->dir = keeper->pins->dir;
	return pt_pin_claim(ret_place->dir, ret_place->name);
}

int pt_keeper_keep_self(void *argument, int fd, int self)
{
	const struct pt_place_kept *place = argument;

	return pt_pin_mount(fd, place->name, self);
}

int pt_keeper_keep(const struct pt_keeper *keeper, const char *label, int pidfd)
{
	struct pt_place_kept place;
	int r;

	r = pt_keeper_claim(keeper, label, &place);
	if (r < 0)
		return r;
	r = pt_pin_mount(place.dir, place.name, pidfd);
	if (r < 0)
		pt_keeper_let_go(keeper, label, 0);
	return r;
}

void pt_keeper_let_go(const struct pt_keeper *keeper, const char *label,
		      uint64_t inode)
{
	const struct pt_pins *pins = keeper->pins;
	char name[PT_PIN_NAME_SIZE];

	/* what fails here is told to the next host, which lets it go */
	if (pt_pin_name(label, name) == 0)
		pt_pin_drop(pins->dir, pins->path, name, inode);
}
