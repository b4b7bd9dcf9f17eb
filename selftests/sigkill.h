/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the processes of sigkill_storm have in common: memory that none of them
 * takes along when it is killed.  A field is written by one of them at a time:
 * by a host, by the shim, or by the driver, as it says.
 */
#ifndef SIGKILL_H
#define SIGKILL_H

#include <pidtrack.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define IDS_MAX 60000
#define PLACES 48 /* labels, used again and again: shims at a time */
#define NOBODY_HERE UINT32_MAX

/* One shim that was to be. */
struct life {
	/* by hosts */
	_Atomic uint8_t asked;	   /* pidtrack_spawn() was called */
	_Atomic uint8_t refused;   /* and failed */
	_Atomic uint8_t launched;  /* or returned 0 */
	_Atomic uint8_t told;	   /* hosts that were told how it ended */
	_Atomic uint8_t acking;	   /* a host was killed acknowledging it */
	_Atomic uint8_t acked;	   /* the call that does so returned */
	_Atomic uint8_t removed;   /* the last file of it */
	_Atomic uint8_t recovered; /* hosts that found it left */
	_Atomic uint8_t denied;	   /* it is said that it will never execute */
	_Atomic uint8_t unknown;   /* it is said that nobody can tell how */
	_Atomic uint8_t nameless;  /* reaped before its end could be recorded */

	/* by the shim */
	_Atomic uint32_t started; /* times */
	_Atomic int32_t pid;
	_Atomic int32_t will; /* how it ends, as of wait(2) */
	/* or by the driver, of one that waits for it */
	_Atomic uint8_t ending;

	/* by the driver */
	_Atomic uint8_t reaped;
	_Atomic uint32_t dead; /* when that was certain, by the clock */
};

enum windows {
	CLONED,	    /* between clone and exec */
	KEPT,	    /* while it is pinned, or its record is written */
	UNTOLD,	    /* between exit and event */
	UNACKED,    /* between event and acknowledgement */
	RECOVERING, /* while a host takes up what the one before left */
	WINDOWS
};

struct storm {
	_Atomic uint32_t clock; /* of what was before what */
	_Atomic uint32_t born;
	_Atomic uint32_t random;
	_Atomic uint32_t finish; /* no more are launched */
	_Atomic uint32_t tells;	 /* the kernel, how those of others end */
	_Atomic uint32_t late;	 /* it takes too long */

	/* the host, for the driver to know where it was killed */
	_Atomic uint32_t host_is_up; /* it has recovered */
	_Atomic uint32_t launching;  /* id + 1 */
	_Atomic uint32_t handed;     /* id + 1, told and not acknowledged */
	_Atomic uint32_t acking;

	/* what hosts found wrong */
	_Atomic uint32_t wrong_status;
	_Atomic uint32_t not_known; /* which the kernel tells */
	_Atomic uint32_t wrong_verdict;
	_Atomic uint32_t told_again; /* although acknowledged */
	_Atomic uint32_t failed;     /* calls that should not */
	_Atomic uint32_t refused;    /* of them, by the sandbox */
	_Atomic uint32_t left;	     /* by the last one, of its own */
	_Atomic uint32_t busy;	     /* ms that they waited for the lock */
	_Atomic uint32_t taken_up;
	_Atomic uint32_t denied;
	_Atomic uint32_t written; /* ends found in exit records */
	_Atomic uint32_t hosts;
	_Atomic uint32_t clashes; /* of a label with a launch cut short */

	_Atomic uint32_t places[PLACES]; /* whose label it is: id or nobody */
	_Atomic uint32_t cut[PLACES];	 /* the host that was killed launching
					    under it */
	struct life lives[IDS_MAX];
};

/*
 * How hosts keep their shims.  One more has its line in mode_names of the
 * driver, in make_tracker() of the host, in is_keeping() of who strikes, and in
 * is_left(); pidtrack_recover() is for all but records.
 */
enum storm_mode { STORM_PINS, STORM_STORE, STORM_RECORDS, STORM_MODES };

extern struct storm *storm;
extern const char *storm_self; /* path of the program */
extern char storm_room[64];    /* a directory for all of it */

/* Descriptors that shims have. */
#define SHIM_STORM 3  /* the memory */
#define SHIM_SOCKET 4 /* takes pidfds to the driver; ends with it */

uint32_t storm_draw(uint32_t below);
void storm_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A host's life; @memory and @socket are for its shims. */
_Noreturn void storm_host(enum storm_mode mode, int memory, int socket);

/* What the driver does while the host is stopped. */
struct storm_bystander {
	void (*tend)(void);	/* to shims, now and then */
	uint32_t (*fell)(void); /* kills one that waits: its id, or nobody */
};

/*
 * Follows a host, which starts when @go is written to, from system call to
 * system call, and kills it in that window.
 *
 * @first: it was not hit so far
 * @ret_late: a child that it left between clone and exec, which is stopped
 *            until storm_release(); or 0
 *
 * Return: whether it was that window; the host is dead and reaped in any case.
 */
bool storm_strike(pid_t host, int go, enum storm_mode mode, enum windows window,
		  bool first, const struct storm_bystander *bystander,
		  pid_t *ret_late);
void storm_release(pid_t late);

/* Who holds, of the store's mode: why nobody can, or NULL. */
const char *storm_hold_refused(void);
void storm_hold_path(char path[80]);
void storm_hold_start(void);

/* It executes itself anew, now or soon. */
void storm_hold_again(void);

/* Whether that is who holds. */
bool storm_hold_is(pid_t pid);

/* Whether it is the one that was reaped, which it never should be. */
bool storm_hold_has_ended(pid_t pid);

/* Return: whether it had nothing left, and has left nothing. */
bool storm_hold_end(void);

#endif
