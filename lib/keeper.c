/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "keeper.h"

#include "sys.h"

int pt_keeper_open(struct pt_keeper *keeper, const char *pins,
		   const char *store)
{
	int r;

	r = store ? pt_store_open(store, &keeper->store) : 0;
	if (r >= 0 && pins)
		r = pt_pins_open(pins, &keeper->pins);
	if (r < 0)
		keeper->store = pt_store_close(keeper->store);
	return r;
}

void pt_keeper_close(struct pt_keeper *keeper)
{
	keeper->pins = pt_pins_close(keeper->pins);
	keeper->store = pt_store_close(keeper->store);
}

void pt_keeper_abandon(struct pt_keeper *keeper)
{
	keeper->pins = pt_pins_abandon(keeper->pins);
	keeper->store = pt_store_close(keeper->store);
}

bool pt_keeper_is_open(const struct pt_keeper *keeper)
{
	return keeper->pins || keeper->store;
}

int pt_keeper_ensure(const struct pt_keeper *keeper)
{
	return keeper->store ? pt_store_ensure(keeper->store) : 0;
}

static int claim_pin(const struct pt_pins *pins, const char *label,
		     struct pt_place_kept *place)
{
	char name[PT_PIN_NAME_SIZE];
	int file, r;

	if (!pins)
		return 0;
	r = pt_pin_name(label, name);
	if (r < 0)
		return r;
	if (!pins->takes)
		return -EOPNOTSUPP;
	file = pt_pin_claim(pins->dir, name);
	if (file < 0)
		return file;
	place->file = file;
	return 0;
}

static int claim_deposit(struct pt_store *store,
			 const struct pt_keepsake *keepsake,
			 struct pt_place_kept *place)
{
	if (!store)
		return 0;
	place->socket = store->socket;
	return pt_store_prepare(store, keepsake->label, keepsake->payload,
				keepsake->payload_size, &place->deposit);
}

int pt_keeper_claim(const struct pt_keeper *keeper,
		    const struct pt_keepsake *keepsake,
		    struct pt_place_kept *ret_place)
{
	int r;

	ret_place->file = ret_place->socket = -1;
	/* in this order: the last is what would have to be undone */
	r = claim_deposit(keeper->store, keepsake, ret_place);
	return r < 0 ? r : claim_pin(keeper->pins, keepsake->label, ret_place);
}

/* Marked last: who is killed before that has not executed. */
static int mount_marked(int file, int self)
{
	int r = pt_pin_mount(file, self);

	return r < 0 ? r : pt_pin_mark(file);
}

int pt_keeper_keep_self(void *argument, int file, int socket, int self)
{
	const struct pt_place_kept *place = argument;
	int r;

	r = file >= 0 ? mount_marked(file, self) : 0;
	return r >= 0 && socket >= 0 ?
		       pt_store_keep(&place->deposit, socket, self) :
		       r;
}

void pt_keeper_take_back(void *argument, int socket, int self)
{
	const struct pt_place_kept *place = argument;

	pt_store_take_back(&place->deposit, socket, self);
}

static void drop_pin(const struct pt_pins *pins, const char *label,
		     uint64_t inode)
{
	char name[PT_PIN_NAME_SIZE];

	/* what fails here is told to the next host, which lets it go */
	if (pins && pt_pin_name(label, name) == 0)
		pt_pin_drop(pins->dir, pins->path, name, inode);
}

int pt_keeper_keep(const struct pt_keeper *keeper,
		   const struct pt_keepsake *keepsake, int pidfd)
{
	CLEANUP(pt_place_kept_done) struct pt_place_kept place = { .file = -1 };
	uint64_t inode;
	int r;

	r = sys_inode(pidfd, &inode);
	if (r >= 0)
		r = pt_keeper_claim(keeper, keepsake, &place);
	if (r < 0)
		return r;
	/* marked before as well: this one has executed */
	r = place.file >= 0 ? pt_pin_mark(place.file) : 0;
	if (r >= 0)
		r = pt_keeper_keep_self(&place, place.file, place.socket,
					pidfd);
	/* one that is there already is not ours to take away */
	if (r < 0 && r != -EEXIST)
		pt_keeper_let_go(keeper, keepsake->label, inode);
	else if (r < 0)
		drop_pin(keeper->pins, keepsake->label, inode);
	return r;
}

int pt_keeper_keep_again(const struct pt_keeper *keeper,
			 const struct pt_keepsake *keepsake, int pidfd)
{
	struct pt_place_kept place;
	int r;

	if (!keeper->store)
		return 0;
	r = claim_deposit(keeper->store, keepsake, &place);
	if (r >= 0)
		r = pt_store_keep(&place.deposit, place.socket, pidfd);
	return r == -EEXIST ? 0 : r;
}

void pt_keeper_doubt(const struct pt_keeper *keeper)
{
	if (keeper->store)
		pt_store_doubt(keeper->store);
}

void pt_keeper_lose(const struct pt_keeper *keeper)
{
	/* who is there is still to be let go */
	if (keeper->store)
		keeper->store->doubted = true;
}

int pt_keeper_pay(const struct pt_keeper *keeper,
		  const struct pt_keepsake *keepsake, uint64_t inode)
{
	return keeper->store ?
		       pt_store_pay(keeper->store, keepsake->label, inode,
				    keepsake->payload, keepsake->payload_size) :
		       0;
}

void pt_keeper_let_go(const struct pt_keeper *keeper, const char *label,
		      uint64_t inode)
{
	drop_pin(keeper->pins, label, inode);
	if (keeper->store && inode != 0)
		pt_store_let_go(keeper->store, label, inode);
}
