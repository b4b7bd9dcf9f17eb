/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * One tracked process, from its start until the host has given it back, as
 * lib/process.c, seen.c, telling.c and handoff.c have it: what the kernel, a
 * parent or a thief do to it, in any order with what the tracker sees and the
 * host calls; exec at any time, and a SIGKILL of the host with a pin left.
 *
 * In all of it
 *
 *  - no status is lost: it is reaped by us once the host has answered the
 *    last event, and that has the status if anybody could tell;
 *  - nothing is told twice, and after it was answered never again, exec or
 *    SIGKILL;
 *  - nobody is waited for who was not given to us, nor by a descriptor that
 *    may be another's;
 *  - it comes to an end: given back, reaped, no pin left.
 *
 * model.sh runs it, against the table of lib/process.c, and against wrong ones.
 * Left out: stops, ladders, records, orphans, tracers, another ring when the
 * thread has ended, parking, and what is short of memory.
 */
#include "table.pml"

#ifndef N_EXECS
#define N_EXECS 2
#endif

/* ---- the kernel's ---- */

mtype = { ALIVE, ZOMBIE, LEAVING /* is just being reaped */, GONE };
mtype life = ALIVE;
bool ours;  /* a child of the host */
bool thief; /* somebody in the host reaps its children, or SIGCHLD is ignored */
bool edge;  /* its pidfd has become readable, or that anew */

bool pidfs; /* it tells when somebody else's child is reaped */
bool info;  /* it tells the status of who was reaped */

/* ---- the ring: io_uring, or epoll ---- */

mtype = { NONE, CHILD, EDGES };
mtype = { SUBMIT_CHILD, SUBMIT_EDGES, CANCEL, REAP, CLOSE };
mtype = { IS_STATUS, IS_ECHILD, IS_EDGE, IS_CANCELLED };
bool uring;
bool open = true;	      /* the number of the pidfd is its own */
mtype armed = NONE;	      /* in the kernel */
chan queue = [6] of { mtype }; /* to be submitted */
chan came = [6] of { mtype };

/* ---- the tracker's: struct pidtrack_process ---- */

#define TELL_EXITED 1
#define TELL_REAPED 2

byte state = PT_STATE_RUNNING;
byte tell;
mtype watch = NONE;
bool child, observed, known /* its status */, last, released, kept;
bool handed; /* an event is, and not answered yet */
bool given;  /* the slot, back */

byte seen, does; /* of the moment */
bool peeked;

#define is_settled (state == PT_STATE_OURS || state == PT_STATE_REAPED)
#define is_awaited (!released || (child && state == PT_STATE_RUNNING))
#define more_follows \
	((tell & TELL_REAPED) || (state == PT_STATE_ZOMBIE && pidfs))

/* ---- what is only here, to say what must hold ---- */

bool pinned;	  /* there is a directory of pins */
bool impatient;	  /* the host is done with it before it has ended */
bool told_exited, told_reaped, told_last;
bool answered;	  /* the host has called after the last */
bool knows;	  /* that call has come back, or another program began */
bool abandoned;	  /* no host has it any more: its pin went with the answer */
bool killed;

/* ---- submissions ---- */

inline arm(kind)
{
	assert(open);
	armed = kind;
	edge = (kind == EDGES && life != ALIVE)
}

inline reap()
{
	assert(open);
	if
	:: ours && life == ZOMBIE ->
		assert(!observed);
		assert(answered);
		life = LEAVING;
		edge = true
	:: else
	fi
}

inline submit_all()
{
	do
	:: queue?SUBMIT_CHILD -> arm(CHILD)
	:: queue?SUBMIT_EDGES -> arm(EDGES)
	:: queue?CANCEL ->
		if
		:: armed != NONE -> armed = NONE; came!IS_CANCELLED
		:: else
		fi
	:: queue?REAP -> reap()
	:: queue?CLOSE -> assert(armed == NONE); open = false
	:: empty(queue) -> break
	od
}

inline submit(request)
{
	queue!request;
	if
	:: !uring -> submit_all()
	:: else
	fi
}

/* What a ring does by itself, once its pidfd is readable. */
active proctype ring()
{
end:	do
	:: d_step { armed == CHILD && life != ALIVE ->
		assert(open); /* the second of the chain looks it up */
		armed = NONE;
		if
		:: ours && life == ZOMBIE -> came!IS_STATUS
		:: else -> came!IS_ECHILD
		fi }
	:: d_step { armed == EDGES && edge -> edge = false; came!IS_EDGE }
	od
}

/* ---- watches ---- */

inline start_watch(kind)
{
	watch = kind;
	if
	:: kind == CHILD -> submit(SUBMIT_CHILD)
	:: else -> submit(SUBMIT_EDGES)
	fi
}

inline watch_it()
{
	if
	:: child && uring -> start_watch(CHILD)
	:: else -> start_watch(EDGES)
	fi
}

/* Of epoll it is over at once, and nothing of it comes any more. */
inline end_watch()
{
	if
	:: watch != NONE && uring -> submit(CANCEL)
	:: watch != NONE && !uring ->
		watch = NONE;
		armed = NONE;
		do
		:: came?_
		:: empty(came) -> break
		od
	:: else
	fi
}

inline finish()
{
	if
	:: !given && !is_awaited && watch == NONE ->
		submit(CLOSE);
		given = true
	:: else
	fi
}

/* ---- what is seen ---- */

inline acknowledge()
{
	after(PT_SEEN_ACK);
	kept = kept && state != PT_STATE_REAPED;
	if
	:: does & PT_DO_REAP -> submit(REAP)
	:: else
	fi
}

inline see()
{
	if
	:: seen == PT_SEEN_STATUS && observed -> seen = PT_SEEN_EXIT
	:: seen == PT_SEEN_REAP && child -> seen = PT_SEEN_STOLEN
	:: else
	fi;
	if
	:: seen == 0
	:: seen == PT_SEEN_EXIT && child && pidfs
	:: else ->
		after(seen);
		known = known || peeked;
		tell = tell | ((does & PT_DO_EXITED) -> TELL_EXITED : 0) |
			((does & PT_DO_REAPED) -> TELL_REAPED : 0);
		if
		:: does & PT_DO_REAP -> submit(REAP) /* no cell has it */
		:: else
		fi;
		if
		:: released -> tell = 0; acknowledge()
		:: !released && last -> tell = 0; acknowledge()
		:: else
		fi;
		if
		:: is_settled || !is_awaited ->
			end_watch()
		:: else
		fi
	fi;
	seen = 0; does = 0; peeked = false
}

/* In two: it may be reaped, or become ours, between the questions. */
inline look()
{
	d_step { if
	:: ours && life == ALIVE -> seen = 0
	:: ours && life == ZOMBIE -> seen = PT_SEEN_STATUS; peeked = true
	:: else -> seen = PT_SEEN_EXIT
	fi };
	if
	:: d_step { seen == PT_SEEN_EXIT ->
		assert(life != ALIVE);
		if
		:: life == GONE -> seen = PT_SEEN_REAP; peeked = info
		:: else
		fi }
	:: else
	fi;
	atomic { see() }
}

inline happened_to_child(what)
{
	watch = NONE;
	if
	:: what == IS_STATUS -> seen = PT_SEEN_STATUS; peeked = true; see()
	:: what != IS_STATUS && !is_awaited
	:: what == IS_CANCELLED && is_awaited -> start_watch(CHILD)
	:: what == IS_ECHILD && is_awaited -> start_watch(EDGES)
	fi
}

inline happened_to_edges(what)
{
	if
	:: what == IS_EDGE -> look()
	:: else -> watch = NONE
	fi;
	if
	:: watch != NONE || is_settled || !is_awaited
	:: else -> start_watch(EDGES)
	fi
}

inline happen()
{
	if
	:: watch == CHILD -> atomic { came?what; happened_to_child(what) }
	:: watch == EDGES -> came?what; happened_to_edges(what)
	fi;
	what = 0;
	atomic { finish() }
}

/* ---- what the host calls ---- */

inline answer()
{
	answered = answered || told_last;
	if
	:: handed && tell == 0 -> acknowledge()
	:: else
	fi;
	handed = false
}

inline tell_end()
{
	assert(!told_last && !knows && !released);
	if
	:: tell & TELL_EXITED ->
		assert(!told_exited);
		told_exited = true;
		tell = tell & TELL_REAPED;
		last = !more_follows
	:: else ->
		assert(told_exited && !told_reaped);
		told_reaped = true;
		tell = 0;
		last = true
	fi;
	told_last = last;
	/* who can be waited for, or is remembered, has a status */
	assert(!last || known || (!info && !(ours && life == ZOMBIE)) ||
	       (!info && !child));
	handed = true
}

inline next()
{
	atomic { answer() };
	do
	:: atomic { tell != 0 -> tell_end(); break }
	:: nempty(came) -> happen() /* others are told of first */
	:: atomic { tell == 0 && empty(came) && nempty(queue) -> submit_all() }
	:: tell == 0 && empty(came) && empty(queue) -> break
	od;
	knows = answered
}

inline release()
{
	atomic {
		impatient = impatient || !told_last;
		answered = true;
		released = true;
		handed = false;
		tell = 0;
		acknowledge();
		if
		:: !is_awaited -> end_watch()
		:: else
		fi;
		finish()
	};
	knows = told_last
}

/* ---- over exec ---- */

/* Of the program before, nothing is in flight any more. */
inline new_ring()
{
	armed = NONE; watch = NONE; edge = false;
	do
	:: came?_
	:: queue?_
	:: empty(came) && empty(queue) -> break
	od;
	if
	:: uring = true
	:: uring = false
	fi
}

inline restore()
{
	if
	:: !is_settled -> watch_it()
	:: else
	fi
}

inline execute()
{
	atomic { answer() };
	atomic { submit_all() };
	knows = answered;
	if
	:: true /* exec fails, the host goes on */
	:: atomic { is_awaited -> new_ring(); restore() }
	:: atomic { !is_awaited -> new_ring(); open = false; given = true }
	fi
}

/* ---- SIGKILL, and the next host finds the pin ---- */

inline begin_again()
{
	killed = false;
	ours = false; /* others reap it now */
	new_ring();
	state = PT_STATE_RUNNING;
	tell = 0; known = false; last = false; released = false;
	child = false; handed = false; given = false;
	open = true;
	seen = 0; does = 0; peeked = false;
	told_exited = false; told_reaped = false; told_last = false;
	answered = false
}

/* ---- who acts ---- */

#define something_to_do \
	(handed || tell != 0 || nempty(came) || nempty(queue))

active proctype host()
{
	byte execs;
	mtype what;

	/* launched, given to us, or another's; to be reaped, or only watched */
	atomic {
		if
		:: child = true; ours = true
		:: observed = true; ours = true
		:: observed = true
		:: true
		fi;
		if
		:: thief = true
		:: thief = false
		fi;
		if
		:: true
		:: pidfs = true
		:: pidfs = true; info = true
		:: pidfs = true; info = true; pinned = true; kept = true
		fi;
		new_ring()
	};
again:	{
		atomic { watch_it(); submit_all() };
		do
		:: !given && something_to_do -> next()
		:: !released && (told_last || !pinned) -> release()
		:: !given && execs < N_EXECS -> execs++; execute()
		:: given && nempty(queue) -> atomic { submit_all() }
		:: given && empty(queue) -> break
		od
	} unless {
		atomic { killed ->
			what = 0;
			assert(kept || answered);
			begin_again();
			if
			:: kept -> assert(!knows)
			:: else -> given = true; abandoned = true; goto over
			fi
		};
		goto again
	};
over:	skip
}

/* It ends; whose child it is may change; others reap theirs, or ours. */
active proctype world()
{
	bool orphaned;

end:	do
	:: atomic { life == ALIVE ->
		edge = true;
		if
		:: life = ZOMBIE
		:: ours && thief -> life = LEAVING
		fi }
	:: atomic { life == ZOMBIE && (!ours || thief || observed) ->
		life = LEAVING }
	:: atomic { !ours && !orphaned && (life == ALIVE || life == ZOMBIE) ->
		orphaned = true;
		ours = true;
		edge = edge || life == ZOMBIE }
	:: atomic { life == LEAVING -> life = GONE; edge = edge || pidfs; break }
	od
}

active proctype sigkill()
{
	if
	:: pinned -> killed = true
	:: true
	fi
}

/* When nobody has anything left to do. */
active proctype end_of_all()
{
	timeout;
	assert(given);
	assert(!child || life == GONE);
	if
	:: !abandoned && !impatient ->
		assert(told_last);
		assert(!kept);
		assert(!pidfs || state == PT_STATE_REAPED);
		assert(!pidfs || observed || life == GONE)
	:: else
	fi
}
