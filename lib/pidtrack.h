/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libpidtrack: hold on to the process you meant, not to its number.
 *
 * A tracker launches processes and watches them; it never signals a stranger,
 * never loses an exit status the kernel still knows, and never waits for a
 * child that was not given to it.
 *
 * Calls return 0, or a documented positive value, on success and a negative
 * errno on failure; errno itself says nothing.  Output arguments are named ret_
 * and written only on success, those named reterr_ only on failure; a ret_ or
 * reterr_ argument may be NULL only where this is said.  Every descriptor is
 * close-on-exec.  The library prints nothing, installs no signal handler, needs
 * no SIGCHLD, and starts no thread unless PIDTRACK_THREAD asks for one.
 *
 * Threads: a tracker and its processes belong to the thread that made it; any
 * other gets -EBUSY while that thread lives, and becomes the owner once it has
 * ended.  With PIDTRACK_THREAD any thread may call at any time.  After fork()
 * the child's copy answers -ECHILD to everything and may only be freed.
 *
 * A process that was freed answers -EINVAL, and nothing is done, until its
 * place is another's.  Everything else that is freed twice, or used after it
 * was freed, is undefined; a library that was built with -Dchecked=true finds
 * what is freed twice, and trackers and processes that are used after that,
 * says where on standard error, and ends the program by SIGABRT.
 *
 * Linux 5.4 is the floor.  What newer kernels add is tried, not presumed, and
 * what a sandbox refuses is done without: see pidtrack_feature_probe().
 */
#ifndef PIDTRACK_H
#define PIDTRACK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PIDTRACK_VERSION "0.1.0"

struct pidtrack;	 /* a tracker: a set of processes, one pollable fd */
struct pidtrack_process; /* one of them; owned by its tracker */

/* The library's version: PIDTRACK_VERSION when it was built.  Any thread. */
const char *pidtrack_version(void);

/* ---- the tracker ---- */

/*
 * Options are structs that may grow: zero is the default of every field, size
 * is sizeof the struct as the caller knows it.  A field that this library does
 * not know is -E2BIG unless zero, an unknown flag is -EINVAL.
 */
struct pidtrack_options {
	uint32_t size;		 /* sizeof(struct pidtrack_options) */
	uint32_t flags;		 /* PIDTRACK_THREAD, PIDTRACK_PARK */
	const char *pins;	 /* directory for those of PIDTRACK_SPAWN_KEEP;
				    NULL: none */
	uint32_t orphans;	 /* enum pidtrack_orphans */
	uint32_t orphan_time_ms; /* since it was found; 0: a second */
	const char *store;	 /* who else keeps pidfds: the path of a socket
				    of `pidtrack hold`, or
				    PIDTRACK_STORE_SERVICE; NULL: nobody */
};

/*
 * What becomes of a child that has ended and that nobody gave to this tracker
 * or any other of this process: of the first process of a pid namespace and of
 * a subreaper those of others that were orphaned, but also those that the host
 * makes by itself.  Nobody can tell them apart afterwards, so each is left
 * alone for @orphan_time_ms, in which its host may wait for it, attach it, or
 * have popen(3) and the like do so.
 *
 * By COLLECT and DESCENDANTS they are then waited for, one by one by pidfd, and
 * their statuses are gone; it is the host's order to reap what was not given.
 * One whose end has another signal than SIGCHLD was cloned by the host and is
 * never touched, nor is one that another process traces.
 *
 * They are looked for as pidtrack_next() is called, some hundreds a call, and
 * pidtrack_fd() is readable when it is time: twice in @orphan_time_ms as long
 * as there are any, else once a second.  A launch that takes long, in any
 * thread, delays those that it could be mistaken for.
 */
enum pidtrack_orphans {
	PIDTRACK_ORPHANS_LEAVE = 0, /* nothing at all is done */
	PIDTRACK_ORPHANS_COLLECT,
	/*
	 * Those alone that are of a session which a tracked process leads, by
	 * DETACHED or SETSID, or when it was attached; also when that one is
	 * reaped, if they began 10 ms before that, or while another of the
	 * session was such an orphan.  Who began a session of its own, as
	 * daemons do, cannot be known to descend from anybody, and stays; and
	 * so do those of a session that there was no memory to note.
	 */
	PIDTRACK_ORPHANS_DESCENDANTS,
	PIDTRACK_ORPHANS_ASK, /* PIDTRACK_ORPHAN tells of each, once */
};

/*
 * The tracker gets a thread of its own; any thread may call.  It blocks all
 * signals but SIGCHLD, so a handler the host has for that one may run on it.
 * Events are still for one thread to take: the next call of pidtrack_next(),
 * whoever makes it, acknowledges the event before and writes over it.
 */
#define PIDTRACK_THREAD (UINT32_C(1) << 0)

/*
 * For hosts of hundreds and thousands: all pidfds but some 16 are parked where
 * they are no descriptors, by io_uring; a fork(2) of the host does not copy
 * them, and RLIMIT_NOFILE does not bound their number.  What needs a descriptor
 * makes one for as long as it takes, so signals, ladders of one process and
 * ends are told as ever, also where the host has no descriptor left: one is
 * held back.  The others may then fail with -EMFILE or -ENFILE, and of ends
 * that come all at once each is told when those before are acknowledged.
 *
 * pidtrack_process_pidfd() makes a descriptor that stays, and is for the
 * tracker's thread.  pidtrack_handoff_prepare() makes one of each: -EMFILE,
 * -ENFILE where they are too many, and all is as before.
 *
 * pidtrack_free() takes some 16 ms for every 4096 that were tracked at once, or
 * for as many as RLIMIT_NOFILE was, if fewer.  Linux 6.8; where
 * PIDTRACK_FEATURE_PARK fails, or on epoll, all are descriptors as without.
 */
#define PIDTRACK_PARK (UINT32_C(1) << 1)

/*
 * The store is that of the service manager whose service we are, at what
 * NOTIFY_SOCKET says; see pidtrack(7) for what its unit file must have.
 */
#define PIDTRACK_STORE_SERVICE "$NOTIFY_SOCKET"

#define PIDTRACK_OPTIONS(...)                                        \
	{                                                            \
		.size = sizeof(struct pidtrack_options), __VA_ARGS__ \
	}

/*
 * Makes a tracker.  @options may be NULL.  The environment variable
 * PIDTRACK_BACKEND=uring|epoll forces a way of waiting, for tests; it is not
 * read in set-user-id programs.
 *
 * Return: 0; -EINVAL, -E2BIG for @options, -EINVAL for another backend; if the
 * kernel or a sandbox has no waitid(2) for pidfds, whatever that refuses it
 * with (-EINVAL before Linux 5.4; -ENOSYS, -EPERM): no end could be told; the
 * same of what epoll needs where there is no ring; -EOPNOTSUPP if orphans
 * cannot be found, for there is no /proc of our pid namespace, and whatever a
 * sandbox refuses with of what they need: getdents64(2), pidfd_open(2),
 * timerfd_settime(2), for DESCENDANTS getsid(2); -ENOMEM, -EMFILE, -ENFILE,
 * -EAGAIN; with a forced backend whatever the kernel refuses it with; with pins
 * or a store what pidtrack_recover() says.
 */
int pidtrack_new(const struct pidtrack_options *options,
		 struct pidtrack **ret_tracker);

/*
 * Frees a tracker and all its processes.  Exits that were handed out are
 * reaped; everything else is left as it is: processes run on, and a child that
 * ended unreported stays a zombie that the host can still wait for.  NULL is
 * fine.  Who is pinned stays so; of a directory of pins without any nothing is
 * left.  With a ring it takes some 20 ms: the kernel interrupts the thread
 * whose ring was closed, once it has taken it apart, and nobody's epoll_wait(2)
 * is to fail for that.  Where a copy of the host that fork(2) made lives, it
 * has the ring, too: this takes 400 ms at most then, and the host's own
 * epoll_wait(2) may fail with EINTR when that copy ends or executes a program.
 * It takes as long where a sandbox has io_uring and refuses epoll.
 *
 * Return: NULL, for: tracker = pidtrack_free(tracker); or @tracker, untouched,
 * if it belongs to another thread that lives.
 */
struct pidtrack *pidtrack_free(struct pidtrack *tracker);

/*
 * The one descriptor to poll (POLLIN) for events, with poll, epoll or a ring of
 * the host's; level-triggered, O_NONBLOCK as the loops of some languages want
 * it, the same one all the tracker's life, and not to be read or closed.  Any
 * thread.
 */
int pidtrack_fd(const struct pidtrack *tracker);

/* What waits for the processes: "uring" or "epoll".  Any thread. */
const char *pidtrack_backend(const struct pidtrack *tracker);

/* Counters of a tracker's life.  May grow at its end. */
struct pidtrack_statistics {
	uint64_t tracked;    /* processes now held */
	uint64_t exits;	     /* ends seen, of any process */
	uint64_t recovered;  /* of these, status from the kernel's exit info */
	uint64_t unknown;    /* of these, status not to be had */
	uint64_t wakeups;    /* times the tracker's fd was found readable */
	uint64_t syscalls;   /* made by the library for this tracker */
	uint64_t rearmed;    /* watches made again after they were cancelled */
	uint64_t unwatched;  /* now looked at repeatedly, for want of room */
	uint64_t unrecorded; /* exit records that could not be written */
	uint64_t orphans;    /* collected */
};

/* Return: 0; -EBUSY, -ECHILD.  Fills at most @size bytes. */
int pidtrack_statistics(struct pidtrack *tracker,
			struct pidtrack_statistics *ret_statistics,
			size_t size);

/* ---- launching ---- */

/* One descriptor of the shim's: @child_fd there is @fd of ours. */
struct pidtrack_fd_map {
	int32_t child_fd;
	int32_t fd; /* or PIDTRACK_FD_NULL */
};

#define PIDTRACK_FD_NULL (-1) /* /dev/null, for reading and writing */

struct pidtrack_rlimit {
	uint32_t resource; /* RLIMIT_ */
	uint32_t reserved; /* 0 */
	uint64_t soft;	   /* UINT64_MAX: no limit */
	uint64_t hard;
};

/*
 * How to launch.  A descriptor, id or mask is read only when its flag is set,
 * since 0 is one; an id, mask or list of groups without its flag is -EINVAL.
 * Everything is copied or done with when the call returns.
 *
 * The shim starts with the descriptors of @fds; with 0, 1 and 2 of the host
 * where @fds has none for them, if they are not close-on-exec; and with no
 * other.  No signal is blocked and every signal is at its default, but for
 * @signal_mask and @signal_ignore.
 */
struct pidtrack_spawn_options {
	uint32_t size;	     /* sizeof(struct pidtrack_spawn_options) */
	uint32_t flags;	     /* PIDTRACK_SPAWN_ */
	uint64_t namespaces; /* CLONE_NEWCGROUP, IPC, NET, NS, PID, USER, UTS */
	uint64_t signal_mask;	/* bit n-1: signal n is blocked */
	uint64_t signal_ignore; /* bit n-1: signal n is ignored */

	const char *const *argv; /* NULL-terminated, at least one */
	const char *const *envp; /* NULL: the host's environment */
	const char *program;	 /* path, not searched for; NULL: argv[0] */
	const char *cwd;	 /* NULL: the host's */
	const struct pidtrack_fd_map *fds;     /* @n_fds of them */
	const struct pidtrack_rlimit *rlimits; /* @n_rlimits of them */
	const gid_t *groups; /* @n_groups supplementary groups, with GROUPS,
				none of them for 0; else the host's stay */
	const char *caps;    /* cap_from_text(3); NULL: unchanged; see below */
	const char *label;   /* the host's name for it: 1 to 255 bytes, no
				control characters; NULL: none */
	const char *record;  /* path of the record to write; NULL: none */
	const void *payload; /* @payload_size bytes of the host's, <= 1024, kept
				with the process and in its record */

	uint32_t n_fds;
	uint32_t n_rlimits;
	uint32_t n_groups;
	uint32_t payload_size;
	int32_t program_fd; /* what to execute, with PROGRAM_FD; a script
			       must be in @fds too, for its interpreter */
	int32_t cgroup_fd;  /* cgroup2 directory, with INTO_CGROUP */
	int32_t pgid;	    /* with PGID: 0 for a group of its own */
	int32_t parent_death_signal; /* 0: none; sent when the launching thread
					ends (prctl(2), PR_SET_PDEATHSIG) */
	uint32_t uid;		     /* with UID: real, effective and saved */
	uint32_t gid;		     /* with GID */
	uint32_t umask;		     /* with UMASK */
	uint32_t reserved;	     /* 0 */
};

/* Outlives the host: a session of its own, no terminal. */
#define PIDTRACK_SPAWN_DETACHED (UINT32_C(1) << 0)
/*
 * Dies with the host, by SIGKILL.  Before Linux 7.1 it is the end of the thread
 * that launched which counts, with PIDTRACK_THREAD the tracker's own, which
 * pidtrack_free() ends; see pidtrack_process_binding().
 */
#define PIDTRACK_SPAWN_BOUND (UINT32_C(1) << 1)
#define PIDTRACK_SPAWN_SETSID (UINT32_C(1) << 2)
#define PIDTRACK_SPAWN_PGID (UINT32_C(1) << 3)
#define PIDTRACK_SPAWN_INTO_CGROUP (UINT32_C(1) << 4)
#define PIDTRACK_SPAWN_PROGRAM_FD (UINT32_C(1) << 5)
#define PIDTRACK_SPAWN_UID (UINT32_C(1) << 6)
#define PIDTRACK_SPAWN_GID (UINT32_C(1) << 7)
#define PIDTRACK_SPAWN_GROUPS (UINT32_C(1) << 8)
#define PIDTRACK_SPAWN_UMASK (UINT32_C(1) << 9)
#define PIDTRACK_SPAWN_NO_NEW_PRIVS (UINT32_C(1) << 10)
/* The record is on disk, not only complete, before the shim runs: fsync(2). */
#define PIDTRACK_SPAWN_RECORD_SYNC (UINT32_C(1) << 11)
/*
 * Its end will be recorded beside @record, in PATH.exit, also when its object
 * is freed before: see pidtrack_record_ending().  What has that name becomes
 * PATH.exit.previous once the launch has succeeded; a native record there is
 * -EEXIST.
 */
#define PIDTRACK_SPAWN_EXIT_RECORD (UINT32_C(1) << 12)
/*
 * It is kept beyond the host under its label, by a pin in the tracker's
 * directory, in its store, or both, from before it executes until its end was
 * acknowledged: see pidtrack_recover().  -EINVAL without a label, or without
 * directory and store; -EOPNOTSUPP with a directory and CLONE_NEWUSER, in which
 * nothing of the host's may be mounted on.
 */
#define PIDTRACK_SPAWN_KEEP (UINT32_C(1) << 13)

/* C++20 wants the fields in their order; before, assign them one by one. */
#define PIDTRACK_SPAWN_OPTIONS(...)                                        \
	{                                                                  \
		.size = sizeof(struct pidtrack_spawn_options), __VA_ARGS__ \
	}

/* Where a launch failed. */
enum pidtrack_stage {
	PIDTRACK_STAGE_NONE = 0,
	PIDTRACK_STAGE_OPTIONS, /* nothing was tried: an argument is wrong */
	PIDTRACK_STAGE_RESERVE, /* memory, descriptors, the tracker itself */
	PIDTRACK_STAGE_CLONE,	/* no process could be made */
	PIDTRACK_STAGE_FDS,	/* a descriptor of @fds; -EBADF: it is closed */
	PIDTRACK_STAGE_SESSION, /* session, process group */
	PIDTRACK_STAGE_CGROUP,
	PIDTRACK_STAGE_LIMITS,
	PIDTRACK_STAGE_RECORD, /* -EREMOTE: neither clone3 nor /proc, and the
				  host's children in another pid namespace */
	PIDTRACK_STAGE_IDS,    /* uid, gid, groups */
	PIDTRACK_STAGE_CAPS,   /* of the text, or of what it asks for */
	PIDTRACK_STAGE_CWD,
	PIDTRACK_STAGE_BIND, /* parent-death signal; -ESRCH: host is gone */
	PIDTRACK_STAGE_SIGNALS,
	PIDTRACK_STAGE_EXEC,
	PIDTRACK_STAGE_KEEP, /* -EEXIST: the label is kept already; -ENOSPC: no
				further mount, see fs.mount-max, or the hold is
				full; -ESTALE: the directory is no longer
				mounted; -ECONNREFUSED, -ENOENT, -ECONNRESET,
				-EPIPE: the store is gone; -ETIMEDOUT: it does
				not answer */
};

/* A word for it, "unknown" for any other value.  Never NULL.  Any thread. */
const char *pidtrack_stage_name(uint32_t stage);

/*
 * Launches a shim as a child of this process (vfork-style: the calling thread
 * is suspended until the shim runs or failed, other threads are not), and
 * tracks it.  When it returns 0 the program has been executed and its record,
 * if one was asked for, is complete; on failure nothing is left of it: no
 * process, no descriptor, no record but the one that was there before, which is
 * lost only where the file system can neither exchange two names nor link.
 * Nobody but the host removes a record.
 *
 * @caps names what the shim holds.  Effective capabilities become ambient too,
 * so that they survive the exec of a program without file capabilities, and
 * those neither permitted nor inheritable leave the bounding set, so that not
 * even root regains them; this wants CAP_SETPCAP or NO_NEW_PRIVS.
 *
 * @reterr_stage may be NULL: a pidtrack_stage saying where it failed.
 *
 * Return: 0; -EINVAL, -E2BIG, -EOPNOTSUPP, -ENAMETOOLONG for @options; -EBADF
 *         if @cgroup_fd is no cgroup2 directory; -ECANCELED if the child was
 *         killed before it could execute; else the kernel's error of the stage.
 *
 * A launch that changes ids or capabilities keeps the host as dumpable as it
 * was; PR_SET_DUMPABLE called by another thread meanwhile may be undone, and so
 * may be what its change of ids did, and a fork(2) meanwhile makes a child that
 * is not dumpable.  Where a sandbox refuses prctl(2), to tell that or to
 * restore it, or madvise(2), there is no such launch.
 *
 * Linux 5.4; without clone3 (5.3, often refused by seccomp) by clone(2), then
 * the child moves itself into its cgroup.  Where that shares no
 * descriptors, as by qemu-user, by a fork: its cost grows with the host, and it
 * is over no sooner than those that other threads make meanwhile.
 */
int pidtrack_spawn(struct pidtrack *tracker,
		   const struct pidtrack_spawn_options *options,
		   struct pidtrack_process **ret_process,
		   uint32_t *reterr_stage);

/* ---- attaching ---- */

/* Never reap it, not even if it is or becomes our child. */
#define PIDTRACK_ATTACH_OBSERVE (UINT32_C(1) << 0)

/*
 * Tracks a process that exists already, child or not.  Attaching a child of
 * this process gives it to the tracker, which then reaps it, unless OBSERVE.
 * Whom this process only traces, by ptrace(2), is none, and is not reaped.
 *
 * @pid: in the caller's pid namespace, > 0
 * @inode: of its pidfd, as in PID:INODE of util-linux; 0 for whoever has @pid
 * @flags: PIDTRACK_ATTACH_
 *
 * Return: 0; -EINVAL for arguments; -ESRCH if no process has @pid, or only a
 *         thread; -ESTALE if it is not the one meant; -EOPNOTSUPP for @inode
 *         without pidfs; -EMFILE, -ENFILE, -ENOMEM, -EPERM.
 *
 * A process attached twice is two objects, and each is told of everything; the
 * status of a child comes by waiting to one and is recovered for the other.
 *
 * It has the label and payload that it carries itself: since Linux 6.17 those
 * that a tracker with CAP_SYS_ADMIN launched it with, found by such a one.
 *
 * Linux 5.3 (pidfd_open); @inode since Linux 6.9 (pidfs).
 */
int pidtrack_attach(struct pidtrack *tracker, pid_t pid, uint64_t inode,
		    uint32_t flags, struct pidtrack_process **ret_process);

/*
 * The same for a pidfd somebody passed to us; it is duplicated.
 *
 * Return: as above; -EBADF if @pidfd is none (/proc/PID is none); -ESRCH if its
 *         process was reaped before and the kernel cannot tell which it was;
 *         -EREMOTE for that of a thread outside our pid namespace.
 */
int pidtrack_attach_pidfd(struct pidtrack *tracker, int pidfd, uint32_t flags,
			  struct pidtrack_process **ret_process);

/* ---- waiting ---- */

enum pidtrack_event_kind {
	/*
	 * It has ended.  One for every process, and the LAST, with its status,
	 * but for one that others reap: there the status follows with REAPED;
	 * and while others are to end with it: there STOP_DONE or
	 * STOP_TIMED_OUT is the LAST, and has the status again.
	 */
	PIDTRACK_EXITED = 1,
	PIDTRACK_REAPED,    /* what EXITED could not tell yet; LAST */
	PIDTRACK_STOPPED,   /* asked for with pidtrack_process_notify() */
	PIDTRACK_CONTINUED, /* likewise */
	PIDTRACK_ESCALATED, /* pidtrack_process_stop() sent a further signal */
	PIDTRACK_STOP_TIMED_OUT, /* its last step is over, and not all ended:
				    in the kernel, or not ours to signal */
	PIDTRACK_STOP_DONE,	 /* all ended that were to end with it */
	/*
	 * Somebody ended of whom nobody knew: @process is NULL.  Attached by
	 * @pidfd it is tracked, told to have EXITED, and reaped; else it stays
	 * a zombie, for who else may want it.
	 */
	PIDTRACK_ORPHAN,
};

/* Where a status is from.  It is never invented. */
enum pidtrack_source {
	PIDTRACK_SOURCE_UNKNOWN = 0, /* nobody could tell */
	PIDTRACK_SOURCE_WAITED,	     /* waitid(2): our child, or traced by us */
	PIDTRACK_SOURCE_RECOVERED,   /* PIDFD_GET_INFO, Linux 6.15: others took
					it, SIGCHLD is ignored, or not a child */
};

/* Lent by the tracker until the next pidtrack_next() or _wait().  May grow. */
struct pidtrack_event {
	uint32_t kind;	 /* enum pidtrack_event_kind */
	uint32_t flags;	 /* PIDTRACK_EVENT_ */
	int32_t status;	 /* as of wait(2); -1 while the source is UNKNOWN */
	uint32_t source; /* enum pidtrack_source */
	struct pidtrack_process *process;
	int32_t signal;	  /* of ESCALATED and STOP_: the last one sent */
	uint32_t reached; /* of these: processes signalled so far */
	int32_t pid;	  /* of ORPHAN; else 0 */
	int32_t pidfd;	  /* likewise; lent, as the event is */
};

/* Nothing more will be told of this process; free it when done with it. */
#define PIDTRACK_EVENT_LAST (UINT32_C(1) << 0)
/* Its exit record could not be written; what had the name is still there. */
#define PIDTRACK_EVENT_UNRECORDED (UINT32_C(1) << 1)

const char *pidtrack_event_name(uint32_t kind);
const char *pidtrack_source_name(uint32_t source);

/*
 * Takes the next event; never waits for one.  It may wait as the steps of a
 * GROUP, TREE or CGROUP do, see pidtrack_process_stop(), of one ladder at a
 * time; and five seconds for a store that does not answer, once each time that
 * it stalls.  The call acknowledges the event that the call before handed out:
 * only then is that child reaped and its pid free, so a host that dies or
 * re-execs in between finds the zombie still there.  Events of one process come
 * in order; none is dropped, however late the call.
 *
 * Return: 1 and *ret_event; 0 if there is none; -EBUSY, -ECHILD; -ENOMEM,
 *         -EMFILE and the like after the owner's thread has ended, and events
 *         once there is room for another ring.
 */
int pidtrack_next(struct pidtrack *tracker,
		  const struct pidtrack_event **ret_event);

/*
 * The same, and waits for an event if there is none.
 *
 * @timeout_ms: milliseconds; 0 returns at once, negative waits for ever
 *
 * Return: 1 and *ret_event; 0 when the time is up; -EINTR if a signal handler
 *         of the host's ran; else as pidtrack_next().
 */
int pidtrack_wait(struct pidtrack *tracker, int timeout_ms,
		  const struct pidtrack_event **ret_event);

/* ---- one process ---- */

/*
 * Done with it: the object is gone when this returns, and no further event
 * names it.  A child of ours that still runs is reaped when it ends, silently;
 * if it is kept (PIDTRACK_SPAWN_KEEP) it stays so until then, and
 * pidtrack_recover() of another tracker finds it.  So does it another's child,
 * unless that is reaped by now.  NULL is fine.  Return: NULL.
 */
struct pidtrack_process *
pidtrack_process_free(struct pidtrack_process *process);

/*
 * Fixed for its life; any thread.  The pid is 0 for a pidfd whose process has
 * none in our pid namespace, or was reaped before.  The pidfd is lent: do not
 * close it; it may be made O_NONBLOCK.  The label is NULL if it was given none.
 *
 * Of a tracker with PIDTRACK_PARK the first that asks for a pidfd has it made a
 * descriptor: in the thread that every other call is for; -EMFILE, -ENFILE,
 * -ENOMEM, -EBUSY, -ECHILD.
 */
pid_t pidtrack_process_pid(const struct pidtrack_process *process);
int pidtrack_process_pidfd(const struct pidtrack_process *process);
const char *pidtrack_process_label(const struct pidtrack_process *process);

/*
 * Bytes of the host's that go where its label goes: into records that are
 * written of it, from a record that it is attached from; and where a process
 * carries its label, it carries these, as they were set last.
 *
 * @payload: @size bytes, at most 1024, copied; 0 of them: none from now on
 *
 * Return: 0; -EINVAL, -ENOMEM, -EBUSY, -ECHILD: then it has those of before.
 */
int pidtrack_process_set_payload(struct pidtrack_process *process,
				 const void *payload, size_t size);

/* Lent until set anew; NULL and 0 if none.  Any thread, one at a time. */
const void *pidtrack_process_payload(const struct pidtrack_process *process,
				     size_t *ret_size);

/* A pointer of the host's, NULL at first.  Any thread, one at a time. */
void pidtrack_process_set_userdata(struct pidtrack_process *process,
				   void *userdata);
void *pidtrack_process_userdata(const struct pidtrack_process *process);

enum pidtrack_state {
	PIDTRACK_STATE_RUNNING = 1,
	PIDTRACK_STATE_EXITED, /* ended; its pid is not free yet */
	PIDTRACK_STATE_REAPED, /* its pid may be anybody's by now */
};

/* As events have told it so far: a pidtrack_state; -EBUSY, -ECHILD. */
int pidtrack_process_state(struct pidtrack_process *process);
const char *pidtrack_state_name(uint32_t state);

/*
 * Its exit status, as often as asked.
 *
 * Return: a pidtrack_source > 0 and *ret_status as of wait(2); -EAGAIN while it
 *         has not ended, or not told yet; -ENODATA if nobody can tell.
 */
int pidtrack_process_status(struct pidtrack_process *process, int *ret_status);

/*
 * Sends a signal, through the pidfd only: to this process or to none.  0 sends
 * nothing and tells whether it could.
 *
 * Return: 0; -ESRCH if it has been reaped, -EPERM, -EINVAL; of one that is
 * parked -EMFILE, -ENFILE.
 */
int pidtrack_process_signal(struct pidtrack_process *process, int signal);

/* One step of a ladder. */
struct pidtrack_stop_step {
	int32_t signal;	  /* 1 to 64; 0: waits, and sends nothing */
	uint32_t time_ms; /* for it to end, before the next step */
};

/*
 * May grow, as pidtrack_options.  @cgroup_fd is read only with CGROUP; it may
 * be closed when the call has returned.
 */
struct pidtrack_stop_options {
	uint32_t size;	/* sizeof(struct pidtrack_stop_options) */
	uint32_t flags; /* PIDTRACK_STOP_; 0: this process alone */
	const struct pidtrack_stop_step *steps; /* @n_steps, at most 16; NULL:
					SIGTERM for 10 s, SIGKILL for 2 s */
	uint32_t n_steps;
	int32_t cgroup_fd; /* cgroup2 directory that is the process's own */
};

/* And all of the process group that it leads, but never our own. */
#define PIDTRACK_STOP_GROUP (UINT32_C(1) << 0)
/*
 * And its children, theirs, and so on.  Who was orphaned before the call is
 * none of them; nor is who a process makes that just ends by a signal it caught
 * or was not sent by us: for those there are cgroups.
 */
#define PIDTRACK_STOP_TREE (UINT32_C(1) << 1)
/*
 * And all of a cgroup and those below it: one that the process is in, or was
 * when it ended, and the host is not.
 */
#define PIDTRACK_STOP_CGROUP (UINT32_C(1) << 2)

#define PIDTRACK_STOP_OPTIONS(...)                                        \
	{                                                                 \
		.size = sizeof(struct pidtrack_stop_options), __VA_ARGS__ \
	}

/*
 * Has it end, child or not, step by step, through the pidfd only.  Sends the
 * first signal and returns; the rest happens as pidtrack_next() is called, and
 * pidtrack_fd() is readable when it is time.  Each further signal is told with
 * ESCALATED; its end with EXITED, as ever, which ends the ladder; and that it
 * has not ended when the time of the last step is over with STOP_TIMED_OUT.
 * Several may be stopped at once.  A second call takes the place of the first.
 * One that is parked takes a descriptor for each signal: where there is none a
 * step waits for it, for as long as it and those after it may take; then
 * STOP_TIMED_OUT tells what was sent before.
 *
 * With GROUP, TREE and CGROUP, of which there may be several, others are to end
 * with it.  They are found, held by pidfds, and then signalled, at each step
 * those that are still there and those that came, until none is left: that is
 * told with STOP_DONE.  The LAST is what comes later of EXITED and STOP_DONE or
 * STOP_TIMED_OUT.  Those that come between two steps are sent
 * the signal once the process itself has ended.  Where descriptors are short it
 * takes longer, and those with children that cannot be held are not signalled;
 * but a group or cgroup that the kernel kills at once is so after a second, if
 * the step lasts as long.  Before SIGKILL all are stopped, for which the call
 * waits where they have to wait for a processor, for 2 s at most, after 2 s at
 * most of finding them; not where the kernel kills a group or a cgroup at once,
 * without TREE.
 *
 * GROUP and CGROUP find those that a process has left behind: it may have ended
 * then, even been reaped, if the kernel knows that they are its own (Linux 6.9
 * for GROUP, 6.15 for CGROUP).  If nobody was there, reached is 0.
 *
 * @options: may be NULL
 *
 * Return: 0; -EINVAL, -E2BIG for @options; -ESRCH if it has ended, and with
 *         GROUP or CGROUP if what it left behind cannot be known; -EPERM if it
 *         may not be signalled; -EDEADLK if with GROUP, TREE or CGROUP we
 *         would be among those who end;
 *         -EINVAL if it leads no process group; -EBADF if @cgroup_fd is no
 *         cgroup2 directory, -ENODEV if that was removed, -ESTALE if the
 *         process is not in it nor below; -EREMOTE if it has no number here,
 *         -EOPNOTSUPP if there is no /proc, for GROUP and TREE: then nothing
 *         was begun; what a sandbox refuses timerfd_settime(2) with, for no
 *         further step would be taken, or with GROUP, TREE and CGROUP
 *         epoll_ctl(2) or epoll_wait(2), or with GROUP and TREE getdents64(2),
 *         or with GROUP getpgid(2): nothing was sent; -ENOMEM, -EMFILE and the
 *         like; -EBUSY, -ECHILD.
 *
 * Linux 5.4; whole groups at once since 6.9, cgroups since 5.14.
 */
int pidtrack_process_stop(struct pidtrack_process *process,
			  const struct pidtrack_stop_options *options);

/*
 * Asks for events that are not told otherwise, of children only: a bit
 * 1 << PIDTRACK_STOPPED and 1 << PIDTRACK_CONTINUED; 0 ends it.  A stop that is
 * in force is told too, a continuation only if it comes later.  On the ring
 * such a child makes the end of any other a little dearer; without a ring it is
 * looked at every 50 ms.
 *
 * Return: 0; -EINVAL, -ECHILD if it is not our child, -ESRCH if it has ended;
 *         -ENOMEM, -EMFILE and the like as pidtrack_next().
 */
int pidtrack_process_notify(struct pidtrack_process *process, uint32_t kinds);

/* How a process launched with PIDTRACK_SPAWN_BOUND is bound. */
enum pidtrack_binding {
	PIDTRACK_BINDING_NONE = 0,
	/* PR_SET_PDEATHSIG: when the launching thread ends; lost if the shim
	   executes a set-user-id program. */
	PIDTRACK_BINDING_PARENT_DEATH,
	/* CLONE_PIDFD_AUTOKILL, Linux 7.1: when the last copy of our pidfd is
	   closed. */
	PIDTRACK_BINDING_AUTOKILL,
};

/* Return: a pidtrack_binding.  Fixed for its life; any thread. */
int pidtrack_process_binding(const struct pidtrack_process *process);

/* ---- fingerprints ---- */

#define PIDTRACK_FINGERPRINT_MAX 640 /* bytes, the final NUL included */

/*
 * What the process is known by, as one line of printable ASCII without blanks,
 * quotes or backslashes.  It names this incarnation, and still does when the
 * number is somebody else's; keep it, and compare later.  A child's is taken
 * when first asked for, so ask before its exit is acknowledged; afterwards it
 * has no start time, and on kernels without pidfs it is always there.  Two
 * texts of one process need not be the same to the byte, the path it executes
 * is only a hint: pidtrack_process_compare() tells.
 *
 * Return: the length; -ENOBUFS if @size is less than that and a NUL; where
 * pidfs and /proc both tell nothing: -ESRCH if it is reaped, -ENODATA, -EACCES
 *         if it is hidden, -EMFILE and the like; -ENOMEM.
 */
int pidtrack_process_fingerprint(struct pidtrack_process *process,
				 char *ret_text, size_t size);

enum pidtrack_verdict {
	PIDTRACK_VERDICT_SAME = 1,   /* the very process, running */
	PIDTRACK_VERDICT_EXITED,     /* the very process; it has ended, and may
					have been waited for */
	PIDTRACK_VERDICT_REUSED,     /* another one has its number */
	PIDTRACK_VERDICT_GONE,	     /* none has its number, or who had it was
					waited for while it was looked at */
	PIDTRACK_VERDICT_OTHER_BOOT, /* it was before the last boot */
	PIDTRACK_VERDICT_UNPROVEN,   /* nothing decisive could be compared, or
					with a process of another number */
};

/* What was compared; several bits. */
#define PIDTRACK_EVIDENCE_BOOT (UINT32_C(1) << 0)  /* boot id */
#define PIDTRACK_EVIDENCE_PID (UINT32_C(1) << 1)   /* number, pid namespace */
#define PIDTRACK_EVIDENCE_START (UINT32_C(1) << 2) /* start time, 10 ms */
#define PIDTRACK_EVIDENCE_INODE (UINT32_C(1) << 3) /* of pidfs, unique */
#define PIDTRACK_EVIDENCE_EXE (UINT32_C(1) << 4)   /* path; never decides */
#define PIDTRACK_EVIDENCE_PIN (UINT32_C(1) << 5)   /* the pidfd was kept */

/* May grow at its end. */
struct pidtrack_comparison {
	uint32_t verdict;   /* enum pidtrack_verdict */
	uint32_t evidence;  /* PIDTRACK_EVIDENCE_ */
	const char *reason; /* a sentence in English, static, without a dot */
};

/* Words for them; "unknown" for any other.  An evidence is one bit. */
const char *pidtrack_verdict_name(uint32_t verdict);
const char *pidtrack_evidence_name(uint32_t evidence);

/*
 * Whether @text was taken of @process.
 *
 * Return: 0; -EBADMSG if @text is no fingerprint; -EPROTONOSUPPORT if it is of
 *         a later version; else as pidtrack_process_fingerprint().  Fills at
 *         most @size bytes.
 */
int pidtrack_process_compare(struct pidtrack_process *process, const char *text,
			     struct pidtrack_comparison *ret_comparison,
			     size_t size);

/* ---- records ---- */

/* Whose text a record is. */
enum pidtrack_record_format {
	PIDTRACK_RECORD_NATIVE = 1,  /* pidtrack_spawn_options.record */
	PIDTRACK_RECORD_FINGERPRINT, /* pidtrack_process_fingerprint() */
	PIDTRACK_RECORD_BOXLITE,     /* pid, start time or "", capability */
	PIDTRACK_RECORD_BROOD_BOX,   /* pid, path of the program */
	PIDTRACK_RECORD_PID,	     /* a pid file, and boxlite's v0 */
	PIDTRACK_RECORD_EXIT,	     /* PATH.exit: pidtrack_record_ending() */
	PIDTRACK_RECORD_PIN,	     /* a pidfd that is mounted on a file */
};

/* A word for it, "unknown" for any other value.  Never NULL.  Any thread. */
const char *pidtrack_record_format_name(uint32_t format);

#define PIDTRACK_RECORD_MAX 4096 /* bytes */

/* What a record says; owned by who read it, unchanged until it is freed. */
struct pidtrack_record;

/*
 * Reads a record, native or of the others above, and says nothing about its
 * process: see pidtrack_verify().  Only a regular file or a pin is read, no
 * symbolic link is followed at its end, and nothing blocks.  That of a pin
 * holds its process, reaped or not, by a descriptor until it is freed; where
 * the pin is not mounted, as in another mount namespace, the file is empty and
 * so no record.  Any thread.
 *
 * Return: 0; -ENOENT, -EACCES and the like if it cannot be opened; -ELOOP for a
 *         link, -EISDIR, -ENXIO for what is no file either; -EFBIG beyond
 *         PIDTRACK_RECORD_MAX; -EBADMSG if it is none, torn or damaged;
 *         -EPROTONOSUPPORT of a later version; -EAGAIN if it changed again and
 *         again meanwhile; -ENOMEM, -EMFILE, -ENFILE.
 */
int pidtrack_record_read(const char *path, struct pidtrack_record **ret_record);

/* The same for @size bytes that are at hand.  Any thread. */
int pidtrack_record_parse(const void *bytes, size_t size,
			  struct pidtrack_record **ret_record);

/* NULL is fine.  Return: NULL.  Any thread. */
struct pidtrack_record *pidtrack_record_free(struct pidtrack_record *record);

/*
 * Of a record; lent as long as it lives.  NULL, and 0 bytes, for what it does
 * not have: only native and exit records have a label, and with those that are
 * one a fingerprint; only native ones have a payload, only boxlite's a
 * capability.  Any thread.
 */
uint32_t pidtrack_record_format(const struct pidtrack_record *record);
pid_t pidtrack_record_pid(const struct pidtrack_record *record);
const char *pidtrack_record_fingerprint(const struct pidtrack_record *record);
const char *pidtrack_record_label(const struct pidtrack_record *record);
const char *pidtrack_record_capability(const struct pidtrack_record *record);
const char *pidtrack_record_exe(const struct pidtrack_record *record);
const void *pidtrack_record_payload(const struct pidtrack_record *record,
				    size_t *ret_size);

/*
 * Whether the process of a record is there.  Reads only: nothing is signalled,
 * written, waited for or kept.  Opens first, then looks, then compares, with
 * the strongest evidence that the record and the kernel have.  Only GONE,
 * REUSED and OTHER_BOOT may lead a host to clean up: what could not be seen is
 * UNPROVEN, and the reason says why.  Of a pid file that somebody is just
 * writing in place half a number may be read, and that can be GONE.  A pin has
 * the process: it is SAME, or EXITED, also once it is reaped.
 *
 * @tracker: NULL will do, if all of that happens once or twice: what is the
 * same for all records, as the boot id, is then looked at each time
 *
 * Return: 0, also if the kernel refuses to tell; -ECHILD.  Fills at most @size
 *         bytes.  Any thread.
 *
 * Linux 5.4; three system calls for a native record since Linux 6.17, and no
 * /proc since Linux 6.9, but for the boot id.
 */
int pidtrack_verify(struct pidtrack *tracker,
		    const struct pidtrack_record *record,
		    struct pidtrack_comparison *ret_comparison, size_t size);

/*
 * Takes a record at its word that has nothing to compare but a number: its
 * verdict stays UNPROVEN, and the process with that number is attached; not if
 * the file is older than this boot, or than that process, or when that began
 * cannot be seen.  Write a record of it, then this was the last time.
 */
#define PIDTRACK_ATTACH_LEGACY (UINT32_C(1) << 1)

/*
 * Verifies, and attaches what was verified, with the label and the payload of
 * the record, or those it carries, as pidtrack_attach() has them;
 * @ret_comparison is filled in either way, and may be NULL.
 *
 * @flags: PIDTRACK_ATTACH_
 *
 * Return: 0 for SAME and EXITED, and as LEGACY says; -ESRCH for GONE, -ESTALE
 *         for REUSED and OTHER_BOOT, -ENODATA for UNPROVEN; -EINVAL for @flags;
 *         -ENOMEM, -EMFILE and the like, -EBUSY, -ECHILD, with no comparison.
 */
int pidtrack_attach_record(struct pidtrack *tracker,
			   const struct pidtrack_record *record, uint32_t flags,
			   struct pidtrack_process **ret_process,
			   struct pidtrack_comparison *ret_comparison,
			   size_t size);

/* May grow, as pidtrack_options. */
struct pidtrack_record_options {
	uint32_t size;	     /* sizeof(struct pidtrack_record_options) */
	uint32_t flags;	     /* PIDTRACK_RECORD_SYNC, WITH_EXIT */
	const char *path;    /* of the record; never NULL */
	const char *label;   /* as in a launch; NULL: that of the process */
	const void *payload; /* @payload_size bytes, at most 1024; with 0 of
				them, those of the process */
	uint32_t payload_size;
	uint32_t reserved; /* 0 */
};

/* It is on disk when the call returns, not only complete: fsync(2). */
#define PIDTRACK_RECORD_SYNC (UINT32_C(1) << 0)
/*
 * Its end will be recorded in PATH.exit, as of a launch with EXIT_RECORD, and
 * no longer where it was to be before; at once if it was told already.  Of one
 * that is not our child only as long as its object lives.
 */
#define PIDTRACK_RECORD_WITH_EXIT (UINT32_C(1) << 1)

#define PIDTRACK_RECORD_OPTIONS(...)                                        \
	{                                                                   \
		.size = sizeof(struct pidtrack_record_options), __VA_ARGS__ \
	}

/*
 * Writes the native record of a process, child or not, running or not, with all
 * the evidence that there is of it: of one attached with LEGACY, this takes the
 * place of what proved nothing.  The record before, or whatever file or link
 * has the name, is there until the new one is complete, and stays as it is when
 * that fails; but for the sync of the directory, which comes last.
 *
 * Return: 0; -EINVAL, -E2BIG, -ENAMETOOLONG for @options, -EINVAL also of a
 *         process with pid 0 or 1; -ENODATA if nothing of it could ever be
 *         compared; what pidtrack_process_fingerprint() refuses; -ENOENT,
 *         -EACCES, -EROFS, -ENOSPC, -EDQUOT and the like; -EISDIR, -EEXIST in
 *         the place of a directory or a device; -EFBIG beyond RLIMIT_FSIZE,
 *         without its signal; -EBUSY, -ECHILD.
 */
int pidtrack_process_record(struct pidtrack_process *process,
			    const struct pidtrack_record_options *options);

/* How a process ended, as its host saw it.  May grow at its end. */
struct pidtrack_ending {
	int32_t status;	    /* as of wait(2); -1 while the source is UNKNOWN */
	uint32_t source;    /* enum pidtrack_source */
	int64_t started_ns; /* CLOCK_REALTIME, to 10 ms; 0: not known */
	int64_t ended_ns;   /* likewise, when it was seen */
};

/*
 * What an exit record says.  It is written when the end of its process is told,
 * before the host can see that event, so before the process is reaped: a host
 * that is killed leaves the one or the other.  Of one whose status nobody could
 * tell it says so.  Of a pin it is what the kernel says now, RECOVERED and
 * without times, once the process is reaped.  Any thread.
 *
 * Return: 0; -ENODATA if it is a record of another format, or of a pin if the
 *         kernel does not tell; -EAGAIN of a pin that is not reaped.  Fills at
 *         most @size bytes.
 *
 * Of pins Linux 6.15.
 */
int pidtrack_record_ending(const struct pidtrack_record *record,
			   struct pidtrack_ending *ret_ending, size_t size);

/*
 * How the process of a record ended: from PATH.exit or PATH.exit.previous,
 * whichever is of that very process.  Of an exit record and of a pin as
 * pidtrack_record_ending().  Any thread.
 *
 * @path: where @record was read
 *
 * Return: 0; -ENOENT if there is none; -ESTALE if it is of another process,
 *         -ENODATA if that cannot be told, as of a record with nothing but a
 *         number; -EBADMSG if it is damaged; else as pidtrack_record_read().
 *         Fills at most @size bytes.
 */
int pidtrack_ending_read(const char *path, const struct pidtrack_record *record,
			 struct pidtrack_ending *ret_ending, size_t size);

/*
 * Removes the file of a record, if it still is the one that was read: what
 * another has put there meanwhile stays, or is put back.  Nothing is lost but
 * what is written in place, not renamed, at that very moment.
 *
 * A pin is let go of, whose process was reaped, in a directory that a tracker
 * of this process has; with it goes how that ended, unless it was told before.
 *
 * @path: where it is; need not be spelt as when it was read
 * @record: read from a file, by pidtrack_record_read() or from a registry
 *
 * Return: 0; -ESTALE if the file is another, -ENOENT if there is none, -EINVAL
 *         if @record is not from a file, or a pin in another directory; -EBUSY
 *         of a pin whose process was not reaped; -EAGAIN while others remove
 *         some of the same directory, by whose flock(2) they take turns; what
 *         looking at it or removing it fails with, and then it is still there.
 *         Any thread; of a pin no other may call that tracker meanwhile.
 */
int pidtrack_record_remove(const char *path,
			   const struct pidtrack_record *record);

/* ---- directories of records ---- */

/*
 * A directory of records, one a file.  Hidden names, NAME.exit and
 * NAME.exit.previous, and what is neither a regular file nor a pin are none and
 * passed over.  In a directory of pins it is hidden names alone, and a file
 * that a pin is just to be mounted on is followed, but not told before that.
 */
struct pidtrack_registry;

/* Goes on after the scan: tells what comes, changes and goes, by inotify(7). */
#define PIDTRACK_REGISTRY_FOLLOW (UINT32_C(1) << 0)

/*
 * Opens a directory, and does not read it yet.
 *
 * @flags: PIDTRACK_REGISTRY_
 *
 * Return: 0; -EINVAL for @flags; -ENOENT, -ENOTDIR, -EACCES and the like if it
 *         cannot be opened; -ESTALE if it was moved just now; -ENOMEM, -EMFILE,
 *         -ENFILE.  With FOLLOW also -EMFILE beyond the user's
 *         fs.inotify.max_user_instances, -ENOSPC beyond max_user_watches, and
 *         -ENOSYS.  Any thread.
 */
int pidtrack_registry_open(const char *path, uint32_t flags,
			   struct pidtrack_registry **ret_registry);

/*
 * NULL is fine.  With FOLLOW it takes the kernel some 10 ms to close.
 *
 * Return: NULL.
 */
struct pidtrack_registry *
pidtrack_registry_free(struct pidtrack_registry *registry);

/*
 * With FOLLOW, the descriptor to poll (POLLIN): readable when there is, or may
 * be, something to tell; level-triggered, O_NONBLOCK, and not to be read or
 * closed.  It stays readable once the directory is gone.
 *
 * Return: the descriptor; -EINVAL without FOLLOW.
 */
int pidtrack_registry_fd(const struct pidtrack_registry *registry);

enum pidtrack_change {
	PIDTRACK_FOUND = 1, /* the scan came to it */
	PIDTRACK_CHANGED,   /* it is new, or another, or was written anew */
	PIDTRACK_REMOVED,   /* what was told with that name is not there now */
};

/* A word for it, "unknown" for any other value.  Never NULL.  Any thread. */
const char *pidtrack_change_name(uint32_t change);

/* Lent by the registry until the next call.  May grow. */
struct pidtrack_found {
	uint32_t change;  /* enum pidtrack_change */
	int32_t error;	  /* why there is no record, as pidtrack_record_read()
			     has it; 0 if there is, and of REMOVED */
	const char *name; /* in the directory */
	const struct pidtrack_record *record;	      /* or NULL */
	const struct pidtrack_comparison *comparison; /* if @record; or NULL */
};

/*
 * Tells the next record, read and verified as by pidtrack_record_read() and
 * pidtrack_verify(); never blocks.  What is in the directory all the time of a
 * scan is found exactly once, whoever starts or finishes meanwhile; what comes
 * or goes, at most once.
 *
 * With FOLLOW, what has been told is what is there once there is nothing more
 * to tell: several changes of one name may be told as one, or not at all if
 * they cancel each other out; a REMOVED name was told before.  A record that
 * cannot be read is told once for each error.
 *
 * @tracker: as of pidtrack_verify(), NULL will do
 *
 * Return: 1 and *ret_found; 0 if there is nothing more, with FOLLOW for now;
 *         -ENOMEM, and what reading the directory fails with: call again;
 *         -ECHILD for @tracker.  With FOLLOW, when all that was told has been
 *         told to be REMOVED: -ENOENT if the directory was removed, -ESTALE if
 *         it was moved or unmounted, each time.
 *
 * A registry is nobody's thread's, but for one thread at a time, and not for
 * children of fork().
 */
int pidtrack_registry_next(struct pidtrack_registry *registry,
			   struct pidtrack *tracker,
			   const struct pidtrack_found **ret_found);

/* ---- what an earlier life of the host left ---- */

/*
 * A pin is a pidfd mounted on a file: whoever opens it has the very process,
 * certain, without a pid, and the status of one that ended and was reaped while
 * no host ran.  The directory that a tracker is given for its pins has one for
 * each process that is to be kept, named by its label: '/' and '%', a dot in
 * front, blanks and all but printable ASCII are %XX, with small letters, and
 * more than 255 bytes of that are -ENAMETOOLONG.  A host that is killed leaves
 * them; the next takes them up with pidtrack_recover().  The pin of a process
 * goes when its end, the LAST of its events, was acknowledged: at the next
 * pidtrack_next(), or when it is freed after that.  Of a child freed while it
 * runs it goes when that ends.
 *
 * The directory is made if there is none, and a small file system is mounted on
 * it, nosuid, nodev, noexec, for this user alone, whose mounts are not passed
 * on to other mount namespaces.  One tracker at a time has it: it is locked for
 * as long as this process runs that program, or until pidtrack_free(), which
 * removes all of it if no pin is left.  pidtrack_new() answers:
 *
 * -EBUSY      another tracker has it
 * -ENOTEMPTY  something else is in it: it was not made for pins
 * -EPERM      CAP_SYS_ADMIN is wanting, or is a user namespace's, whose root
 *             may not open pins; or it is another user's, or group and
 *             others may write to it, or what is mounted there is not ours
 * -EREMOTE    its pins are in another mount namespace, or a later version's
 * -EOPNOTSUPP pidfds cannot be mounted: before Linux 6.14, or by a sandbox;
 *             or one refuses what would let a pin go again: umount2(2),
 *             unlinkat(2).  Pins that there are can be recovered all the same
 * -EFBIG      RLIMIT_FSIZE leaves no room for the hidden file in it
 * -ENOENT, -ENOTDIR, -ENAMETOOLONG, -EMFILE and the like
 *
 * and launching and tracking work without pins then.  Nobody else should open
 * the hidden file in it: in the host itself that would give the lock away.
 *
 * Linux 6.14; the status of who was reaped meanwhile since 6.15.
 *
 * A store is another process that has a copy of each pidfd, and needs no
 * capability: `pidtrack hold` of the same user, which answers, and says what it
 * could not do; or the service manager, with what systemd calls its fd store,
 * which does not: it keeps a label more than once, and what is beyond its
 * FileDescriptorStoreMax= is not kept, in silence, nor is whom its
 * NotifyAccess= does not hear: a shim of a host without CAP_SYS_ADMIN, which
 * needs "all".  Labels are escaped as those of pins, with their colons, and 225
 * bytes of that are the most.  Each is let go as a pin is.  pidtrack_new()
 * answers:
 *
 * -ENOENT, -ECONNREFUSED, -EACCES, -ENAMETOOLONG, -EPROTOTYPE  no such socket
 * -EPERM      the hold is another user's
 * -EUSERS     it has too many hosts
 * -EBADMSG    it is no hold
 * -ETIMEDOUT  it does not answer within five seconds
 * -ENOTCONN   there is no NOTIFY_SOCKET
 * -EOPNOTSUPP pidfds are not told apart: before Linux 6.9; or NOTIFY_SOCKET is
 *             of a family that is not known
 *
 * A hold that ended and was begun anew is given all again with the next that is
 * to be kept.  Linux 6.9; the status of who was reaped meanwhile since 6.15.
 */

/* Processes that were found again, and those that could not be. */
struct pidtrack_recovery;

/* Lent by the recovery until it is freed.  May grow. */
struct pidtrack_recovered {
	struct pidtrack_process *process; /* tracked from now on; or NULL */
	const struct pidtrack_comparison *comparison; /* never NULL */
	int32_t error;		 /* 0, or why there is no process */
	uint32_t reserved;	 /* 0 */
	const char *name;	 /* that it was kept under, in a store with its
				    inode before its label; NULL of a handoff */
	const char *label;	 /* or NULL */
	const char *fingerprint; /* as it was handed over; or NULL */
	const void *payload;	 /* @payload_size bytes; NULL if there are 0 */
	size_t payload_size;
};

/*
 * Tells the next.  Take all of them before the first event: a process that is
 * freed meanwhile is told nevertheless.
 *
 * Return: 1 and *ret_recovered; 0 if there is nothing more.
 *
 * A recovery is nobody's thread's, but for one thread at a time.
 */
int pidtrack_recovery_next(struct pidtrack_recovery *recovery,
			   const struct pidtrack_recovered **ret_recovered);

/*
 * Tracks all processes that are kept in the tracker's directory of pins and in
 * its store, but for those that it tracks already, as it does a child that was
 * freed and runs.  The service manager gives what it keeps when it starts the
 * host, as LISTEN_FDS and LISTEN_FDNAMES say; those descriptors stay open,
 * close-on-exec, and none is taken up twice.  A child of ours is so again, also
 * one that was orphaned and is ours as we are its subreaper; the end of any
 * other is told as of one that was attached, of one that is gone already at
 * once.  Its verdict is SAME or EXITED, by EVIDENCE_PIN.  Call it before the
 * first launch: a label that is kept cannot be used again.
 *
 * Who cannot be tracked now, as with -EMFILE, is told with its error, and stays
 * kept.  So does what is mounted there and is no pidfd, or a file that somebody
 * wrote to, -EBADF, what has a name of no label, -EBADMSG, and what is stored
 * and another process than its name says, -ESTALE.  Where a host was killed
 * before anything was mounted on the file of a pin, that is removed and told
 * with -ENODATA: such a shim has not executed, and will not.  It may, while
 * that cannot be removed, which is told with what refuses it, or -EBUSY.
 *
 * Return: 0; -EINVAL without a directory of pins and a store; -ENOMEM, -EMFILE,
 *         -ENFILE, and what a store that is gone is answered with, as in
 *         PIDTRACK_STAGE_KEEP, or -EBADMSG, and nothing was done; -EBUSY,
 *         -ECHILD.
 */
int pidtrack_recover(struct pidtrack *tracker,
		     struct pidtrack_recovery **ret_recovery);

/*
 * Keeps a process that runs already, child or not, under its label, as KEEP
 * does one that is launched.
 *
 * Return: 0; -EINVAL without a label, or a directory of pins or a store;
 *         -EEXIST if its label is kept already, be it of itself; -ESRCH if its
 *         end was acknowledged; -ENAMETOOLONG, and -ENOSPC, -ESTALE and the
 *         others as of PIDTRACK_STAGE_KEEP, -EMFILE and the like; -EBUSY,
 *         -ECHILD.
 */
int pidtrack_process_keep(struct pidtrack_process *process);

/*
 * Hands all processes over to the program that this one executes next: takes a
 * descriptor of what there is to know, which that passes to
 * pidtrack_handoff_resume().  It, and the pidfds of all processes, are not
 * close-on-exec from here on, so execve(2) is to follow at once, in this very
 * process; the number is for the host to pass on, as an argument or in the
 * environment.
 *
 * Acknowledges the event handed out before, as pidtrack_next() does.  Each end
 * is told exactly once, here or there; labels, payloads, ladders of one process
 * alone, exit records to be written and what pidtrack_process_notify() asked
 * for go along; userdata does not.  A process that was freed while it ran is
 * reaped there silently.
 *
 * Until pidtrack_handoff_cancel() every call that is not for any thread answers
 * -EINPROGRESS, but for pidtrack_free(), which closes all of it.
 *
 * Return: 0; -EINPROGRESS if it is prepared already, or a ladder of several
 *         processes is under way; -EOPNOTSUPP if a running process is bound to
 *         the tracker's own thread, which execve(2) ends: of one that another
 *         thread launched than the one that executes nobody knows; -EFBIG
 *         beyond RLIMIT_FSIZE; -ENOMEM, -EMFILE, -ENFILE, -ENOSYS; -EBUSY,
 *         -ECHILD.  Then all is as it was.
 */
int pidtrack_handoff_prepare(struct pidtrack *tracker, int *ret_fd);

/*
 * There was no execve(2), or it failed: all is as before, and the descriptor of
 * the handoff is closed.  Return: 0; -EINVAL if none is prepared; -EBUSY,
 * -ECHILD.
 */
int pidtrack_handoff_cancel(struct pidtrack *tracker);

/*
 * Takes over what the program before has prepared: it may have had another
 * version of this library, another backend, a thread or none.  Each pidfd is
 * looked at, whether it is still the one of that very process, before it is
 * used, and is close-on-exec again; where it is not, the process is looked for
 * by its fingerprint.  What is not found either is told with its error: -ESRCH,
 * -ESTALE or -ENODATA, as pidtrack_attach_record() has them.  No other
 * descriptor is touched.  Takes @fd on success, and only then.  Before
 * everything else: a tracker that has processes could have some of them twice.
 *
 * Return: 0; -EINVAL if @fd is no sealed memfd, -EBADF if it is none at all;
 *         -EBADMSG if it holds something else, or is damaged; -EPROTONOSUPPORT
 *         if a later version asks for what this one cannot; -ESTALE if it is
 *         another process's; -EINPROGRESS if this very program has prepared
 *         it, and is still to execute the next; -EEXIST if @tracker has
 *         processes already; -ENOMEM, -EMFILE, -ENFILE: all is as it was, try
 *         again; -EBUSY, -ECHILD.
 *
 * Linux 5.4; certain since 6.9 (pidfs).
 */
int pidtrack_handoff_resume(struct pidtrack *tracker, int fd,
			    struct pidtrack_recovery **ret_recovery);

/* The processes stay tracked.  NULL is fine.  Return: NULL. */
struct pidtrack_recovery *
pidtrack_recovery_free(struct pidtrack_recovery *recovery);

/* ---- what works here ---- */

enum pidtrack_feature {
	PIDTRACK_FEATURE_CLONE3 = 0,
	PIDTRACK_FEATURE_CLONE_INTO_CGROUP,
	PIDTRACK_FEATURE_CLONE_AUTOKILL,
	PIDTRACK_FEATURE_CLOSE_RANGE,
	PIDTRACK_FEATURE_PIDFD_OPEN,
	PIDTRACK_FEATURE_PIDFD_WAIT,
	PIDTRACK_FEATURE_RING,
	PIDTRACK_FEATURE_RING_WAITID,
	PIDTRACK_FEATURE_PIDFS,
	PIDTRACK_FEATURE_HANDLE,
	PIDTRACK_FEATURE_HANDLE_OPEN,
	PIDTRACK_FEATURE_INFO,
	PIDTRACK_FEATURE_EXIT_INFO,
	PIDTRACK_FEATURE_PIN,
	PIDTRACK_FEATURE_XATTR,
	PIDTRACK_FEATURE_PROC,
	PIDTRACK_FEATURE_PARK,
};

/*
 * Tries one feature, in this very thread, kernel and sandbox, and leaves
 * nothing behind.  Costs a few system calls, for some a short-lived child, for
 * those of a ring some 20 ms.  -EAGAIN where the child would be the first of a
 * pid namespace, and take that along.  Any thread.
 *
 * Return: 0 if it works; else the negative errno it was refused with; -ERANGE
 *         if there is no such feature, so that a loop from 0 finds the end.
 */
int pidtrack_feature_probe(uint32_t feature);

/* Its name, first Linux version, and what its lack costs; NULL if none such. */
const char *pidtrack_feature_name(uint32_t feature);
const char *pidtrack_feature_linux(uint32_t feature);
const char *pidtrack_feature_loss(uint32_t feature);

#ifdef __cplusplus
}
#endif

#endif
