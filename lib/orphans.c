/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "orphans.h"

#include "parked.h"
#include "procfs.h"
#include "status.h"
#include "sys.h"
#include "timer.h"

#define MS INT64_C(1000000)
#define USUAL_MS 1000	    /* for somebody else to wait for it */
#define LEAST_NS (10 * MS)  /* between two rounds */
#define MOST_NS (1000 * MS) /* likewise */
#define LOOKS 256	    /* children that are looked at in one call */
#define PIECES 16	    /* of lists that are read in one call */
#define PATIENCE 64	    /* events told before it is our turn */
#define IDLE 3		    /* times as long as a round takes, between two */
#define MANY_ARE 8	    /* one in so many */
#define SESSIONS_MAX 4096   /* remembered when who led them is gone */
#define GONE 0		    /* as the round in which one was seen */
#define TICK_NS (10 * MS)   /* of a start time */

/* ---- whether it can be done, by trying ---- */

static int try_hold(void)
{
	CLEANUP(fd_closep) int fd = -1;

	fd = sys_pidfd_open(sys_getpid(), 0);
	return fd;
}

/*
 * What is refused here is refused each time: they would stay zombies, and
 * nobody would be told why.  An inode is not among it, see identify().
 */
static int try_all(const struct pt_place *place, uint32_t policy)
{
	int r;

	if (!place->numbers)
		return -EOPNOTSUPP;
	r = pt_pids_try();
	if (r >= 0)
		r = try_hold();
	if (r >= 0 && policy == PIDTRACK_ORPHANS_DESCENDANTS)
		r = sys_getsid(0);
	return r;
}

/* ---- the whole ---- */

static void wake_at(struct pt_orphans *orphans, int64_t ns)
{
	sys_timerfd_at(orphans->timer, ns);
}

int pt_orphans_new(const struct pt_place *place, struct pt_parked *parked,
		   uint32_t policy, uint32_t time_ms,
		   struct pt_orphans **ret_orphans)
{
	CLEANUP(fd_closep) int timer = -1;
	struct pt_orphans *orphans;
	int listed = 0, r;

	if (policy > PIDTRACK_ORPHANS_ASK)
		return -EINVAL;
	r = try_all(place, policy);
	if (r >= 0)
		listed = r = pt_pids_lists_children();
	if (r >= 0)
		timer = r = pt_timer_new(1); /* due at once */
	if (r < 0)
		return r;
	orphans = calloc(1, sizeof(*orphans));
	if (!orphans)
		return -ENOMEM;
	*orphans = (struct pt_orphans){
		.place = *place,
		.parked = parked,
		.policy = policy,
		.listed = listed,
		.timer = fd_take(&timer),
		.asked = -1,
		.time_ns = (time_ms ? time_ms : USUAL_MS) * MS,
		.interval_ns = LEAST_NS,
		.round = { .list = -1 },
	};
	*ret_orphans = orphans;
	return 0;
}

struct pt_orphans *pt_orphans_free(struct pt_orphans *orphans)
{
	if (!orphans)
		return NULL;
	fd_close(orphans->timer);
	fd_close(orphans->asked);
	fd_close(orphans->round.list);
	pt_pids_done(&orphans->round.threads);
	pt_pids_done(&orphans->round.pids);
	pt_sightings_done(&orphans->zombies);
	pt_sightings_done(&orphans->sessions);
	free(orphans);
	return NULL;
}

int pt_orphans_watch(struct pt_orphans *orphans, struct pt_ring *ring)
{
	return orphans ? pt_ring_watch(ring, PT_WATCH_EDGES, orphans->timer,
				       PT_ORPHANS_TIMER, NULL) :
			 0;
}

int pt_orphans_woken(struct pt_orphans *orphans, struct pt_ring *ring,
		     bool over)
{
	uint64_t count;

	if (!orphans)
		return 0;
	sys_read(orphans->timer, &count, sizeof(count));
	orphans->due = true;
	return over ? pt_orphans_watch(orphans, ring) : 0;
}

bool pt_orphans_are_due(const struct pt_orphans *orphans)
{
	return orphans && orphans->due;
}

bool pt_orphans_have_their_turn(struct pt_orphans *orphans)
{
	return pt_orphans_are_due(orphans) && ++orphans->told > PATIENCE;
}

/* ---- sessions ---- */

static int64_t since_boot_ns(void)
{
	return sys_clock_ns(CLOCK_BOOTTIME);
}

static bool is_reaped(const struct pt_orphans *orphans,
		      const struct pidtrack_process *process)
{
	CLEANUP(pt_lent_done)
	struct pt_lent lent = pt_parked_lend(orphans->parked, process);

	/* for want of a descriptor nothing is proven: so it may be */
	return lent.fd < 0 || pt_status_reaped(lent.fd);
}

void pt_orphans_join(struct pt_orphans *orphans,
		     const struct pidtrack_process *process)
{
	struct pt_sighting *session;

	if (!orphans || orphans->policy != PIDTRACK_ORPHANS_DESCENDANTS)
		return;
	if (process->pid == 0 || sys_getsid(process->pid) != process->pid ||
	    is_reaped(orphans, process))
		return;
	session = pt_sightings_add(&orphans->sessions, process->pid);
	if (!session)
		return; /* then its orphans stay */
	session->process = process;
	session->round = UINT32_MAX;
}

/* Of those whose leaders are gone, the last ones are remembered. */
static void forget_sessions(struct pt_orphans *orphans)
{
	if (++orphans->n_ended % SESSIONS_MAX == 0 &&
	    orphans->n_ended > SESSIONS_MAX)
		pt_sightings_forget(&orphans->sessions,
				    orphans->n_ended - SESSIONS_MAX);
}

void pt_orphans_leave(struct pt_orphans *orphans,
		      const struct pidtrack_process *process)
{
	struct pt_sighting *session;

	if (!orphans)
		return;
	session = pt_sightings_find(&orphans->sessions, process->pid);
	if (!session || session->process != process)
		return;
	/* now, if nobody was faster; else its number may be another's */
	session->ns = since_boot_ns();
	if (is_reaped(orphans, process))
		session->ns = 0;
	session->process = NULL;
	session->round = orphans->n_ended;
	forget_sessions(orphans);
}

/* Whether it began before that, as far as a start time can tell. */
static bool began_before(pid_t pid, int64_t ns)
{
	struct pt_procfs_stat stat;

	return pt_procfs_stat(pid, &stat) >= 0 &&
	       stat.start < (uint64_t)(ns / TICK_NS);
}

/*
 * Whether our zombie is of a session that a tracked process leads, or led.  One
 * comes into a session by being made in it, or makes its own, so it descends
 * from the one who leads it.  The number of a session is nobody else's while
 * that one is not reaped; and after that it may be of another, but only of
 * those who began later.
 */
static bool descends(struct pt_orphans *orphans, pid_t pid)
{
	struct pt_sighting *session;
	int64_t now_ns;
	pid_t leader;

	if (orphans->sessions.n == 0)
		return false;
	now_ns = since_boot_ns();
	leader = sys_getsid(pid);
	session = leader > 0 && leader != pid ?
			  pt_sightings_find(&orphans->sessions, leader) :
			  NULL;
	if (!session)
		return false;
	if (session->process)
		return !is_reaped(orphans, session->process);
	if (!began_before(pid, session->ns))
		return false;
	/* it is there, so the session is */
	session->ns = now_ns;
	return true;
}

/* ---- one of them ---- */

/*
 * Not with __WALL: one with another signal than SIGCHLD for its end was cloned
 * by us, and is nobody's orphan.
 */
static bool is_our_zombie(int idtype, int id)
{
	siginfo_t siginfo;

	return sys_waitid(idtype, id, &siginfo, WEXITED | WNOHANG | WNOWAIT) >=
		       0 &&
	       siginfo.si_pid != 0;
}

/*
 * By its inode; where there is none, or a sandbox refuses to tell, by when it
 * began.  @ret_has: PT_HAS_ of it, for the one is not comparable to the other.
 */
static bool identify(struct pt_orphans *orphans, int pidfd, pid_t pid,
		     uint64_t *ret_identity, uint32_t *ret_has)
{
	struct pt_look look = { 0 };
	int r;

	*ret_has = PT_HAS_INODE;
	if (orphans->place.pidfs) {
		r = sys_inode(pidfd, ret_identity);
		if (r >= 0 || r == -ENOMEM)
			return r >= 0;
		/* who refuses that does so for good */
		orphans->place.pidfs = false;
	}
	if (pt_look_at(&orphans->place, pidfd, pid, &look) < 0 ||
	    !(look.has & PT_HAS_START))
		return false;
	*ret_identity = look.start;
	*ret_has = PT_HAS_START;
	return true;
}

static void want_by(struct pt_round *round, int64_t ns)
{
	round->next_ns = MIN(round->next_ns, ns);
}

static bool is_waiting(struct pt_orphans *orphans,
		       const struct pt_sighting *seen)
{
	const int64_t due_ns = seen->ns + orphans->time_ns;

	if (seen->settled || due_ns <= sys_now_ns())
		return false;
	want_by(&orphans->round, due_ns);
	return true;
}

/*
 * Where all processes are asked: whom we trace we could wait for, too, but it
 * is its parent's.  Of one of another user /proc may not tell that (hidepid),
 * where a pidfd does.
 */
static bool is_of_another(const struct pt_orphans *orphans, pid_t pid,
			  int pidfd)
{
	struct pt_pidfd_info told;
	struct pt_procfs_stat stat;

	if (orphans->listed)
		return false;
	if (sys_pidfd_info(pidfd, PT_PIDFD_INFO_PID, &told) >= 0 &&
	    told.mask & PT_PIDFD_INFO_PID)
		return told.ppid != (uint32_t)sys_getpid();
	return pt_procfs_stat(pid, &stat) < 0 || stat.ppid != sys_getpid();
}

static struct pt_sighting *sight(struct pt_orphans *orphans, pid_t pid,
				 int pidfd)
{
	struct pt_sighting *seen;
	uint64_t identity;
	uint32_t has;

	if (!identify(orphans, pidfd, pid, &identity, &has))
		return NULL;
	seen = pt_sightings_find(&orphans->zombies, pid);
	if (seen && seen->has == has && seen->identity == identity)
		return seen;
	if (is_of_another(orphans, pid, pidfd) ||
	    !is_our_zombie(PT_P_PIDFD, pidfd))
		return NULL;
	seen = pt_sightings_add(&orphans->zombies, pid);
	if (!seen)
		return NULL;
	seen->ns = sys_now_ns();
	seen->identity = identity;
	seen->has = has;
	seen->settled = false;
	/* now, while it is easier to tell: those it descends from end too */
	seen->proven = descends(orphans, pid);
	orphans->round.news = true;
	return seen;
}

static bool collect(struct pt_orphans *orphans, struct pt_sighting *seen,
		    int pidfd, uint64_t *collected)
{
	siginfo_t siginfo;

	if (sys_waitid(PT_P_PIDFD, pidfd, &siginfo, WEXITED | WNOHANG) < 0 ||
	    siginfo.si_pid == 0)
		return false;
	seen->round = GONE;
	orphans->round.collected++;
	++*collected;
	return false;
}

static bool ask(struct pt_orphans *orphans, struct pt_sighting *seen,
		int *pidfd, struct pidtrack_event *ret_event)
{
	int status;

	if (pt_status_peek(*pidfd, &status) <= 0)
		return false;
	seen->settled = true;
	orphans->asked = fd_take(pidfd);
	*ret_event = (struct pidtrack_event){
		.kind = PIDTRACK_ORPHAN,
		.status = status,
		.source = PIDTRACK_SOURCE_WAITED,
		.pid = seen->pid,
		.pidfd = orphans->asked,
	};
	return true;
}

/* Its time is up.  Return: whether there is an event. */
static bool settle(struct pt_orphans *orphans, struct pt_sighting *seen,
		   int *pidfd, uint64_t *collected,
		   struct pidtrack_event *ret_event)
{
	/* a launch that is under way may have made it */
	if (!pt_claims_are_calm(&orphans->calm, seen->ns)) {
		want_by(&orphans->round, sys_now_ns() + LEAST_NS);
		return false;
	}
	if (pt_claims_has(seen->pid))
		return false;
	if (orphans->policy == PIDTRACK_ORPHANS_ASK)
		return ask(orphans, seen, pidfd, ret_event);
	if (orphans->policy == PIDTRACK_ORPHANS_DESCENDANTS && !seen->proven &&
	    !descends(orphans, seen->pid)) {
		seen->settled = true;
		return false;
	}
	return collect(orphans, seen, *pidfd, collected);
}

/* Return: whether there is an event. */
static bool consider(struct pt_orphans *orphans, pid_t pid, uint64_t *collected,
		     struct pidtrack_event *ret_event)
{
	CLEANUP(fd_closep) int pidfd = -1;
	struct pt_sighting *seen;

	/* by its number, to see whom to pin; nothing is decided by that */
	if (!is_our_zombie(P_PID, pid))
		return false;
	seen = pt_sightings_find(&orphans->zombies, pid);
	if (seen)
		seen->round = orphans->round.number;
	if (seen && is_waiting(orphans, seen))
		return false;
	pidfd = sys_pidfd_open(pid, 0);
	if (pidfd < 0)
		return false;
	seen = sight(orphans, pid, pidfd);
	if (!seen)
		return false;
	seen->round = orphans->round.number;
	if (seen->settled || is_waiting(orphans, seen))
		return false;
	return settle(orphans, seen, &pidfd, collected, ret_event);
}

/* ---- all of them ---- */

static int begin_round(struct pt_orphans *orphans)
{
	struct pt_round *round = &orphans->round;

	round->number++;
	round->news = false;
	round->looks = round->collected = 0;
	round->next_ns = INT64_MAX;
	round->busy_ns = 0;
	round->thread = round->threads.n = 0;
	round->again = 0;
	round->at = round->pids.n = 0;
	if (orphans->listed)
		return pt_pids_threads(&round->threads, sys_getpid());
	round->list = sys_open(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY, 0);
	return MIN(round->list, 0);
}

/*
 * When to begin the next: soon when somebody is due or lists have moved up, so
 * that some were missed; else as long as nobody comes, less and less often.
 */
static int64_t next_round(struct pt_orphans *orphans)
{
	const struct pt_round *round = &orphans->round;
	const int64_t now_ns = sys_now_ns();
	int64_t least_ns = MAX(orphans->time_ns / 2, LEAST_NS);

	least_ns = MIN(least_ns, MOST_NS);
	if (round->news)
		orphans->interval_ns = least_ns;
	else
		orphans->interval_ns =
			MIN(MAX(2 * orphans->interval_ns, least_ns), MOST_NS);
	if (round->collected > round->looks / MANY_ARE)
		return now_ns;
	return MAX(MIN(now_ns + orphans->interval_ns, round->next_ns),
		   now_ns + MIN(IDLE * round->busy_ns, MOST_NS));
}

static void end_round(struct pt_orphans *orphans, bool whole)
{
	struct pt_round *round = &orphans->round;

	round->begun = false;
	round->list = fd_close(round->list);
	if (whole)
		pt_sightings_forget(&orphans->zombies, round->number);
	wake_at(orphans, next_round(orphans));
}

/* The list of the next thread.  Return: 1; 0 if there is none; or -errno. */
static int open_list(struct pt_round *round)
{
	while (round->thread < round->threads.n) {
		round->rest = (struct pt_number){ 0 };
		round->list = pt_pids_open_children(
			sys_getpid(), round->threads.at[round->thread++]);
		if (round->list >= 0)
			return 1;
		/* it has ended: its children are another's */
		if (round->list != -ENOENT && round->list != -ESRCH)
			return round->list;
	}
	return 0;
}

/* More numbers.  Return: > 0; 0 if there are no more; or -errno. */
static int read_piece(struct pt_orphans *orphans)
{
	struct pt_round *round = &orphans->round;
	int r;

	round->at = round->pids.n = 0;
	if (round->list < 0) {
		r = open_list(round);
		if (r <= 0)
			return r;
	}
	if (!orphans->listed)
		return pt_pids_list(&round->pids, round->list);
	r = pt_pids_read(&round->pids, round->list, &round->rest);
	if (r != 0 && r != -ESRCH)
		return r;
	round->list = fd_close(round->list);
	return 1;
}

/*
 * Those who were seen before and not now: a list that is read in pieces moves
 * up when those in front go, and then some are passed over.  They are still
 * known, or their time would begin anew, and they would be told of again.
 *
 * Return: -EAGAIN if that was enough for a call; 0.
 */
static int look_again(struct pt_orphans *orphans, int looks)
{
	struct pt_round *round = &orphans->round;

	while (round->again < orphans->zombies.size) {
		struct pt_sighting *seen =
			&orphans->zombies.places[round->again++];

		if (seen->pid == 0 || seen->round == GONE ||
		    seen->round >= round->number)
			continue;
		if (is_our_zombie(P_PID, seen->pid))
			seen->round = round->number;
		if (++looks >= LOOKS)
			return -EAGAIN;
	}
	return 0;
}

/* Return: -EAGAIN if that was enough for a call; 1 if there is an event; 0. */
static int look_on(struct pt_orphans *orphans, uint64_t *collected,
		   struct pidtrack_event *ret_event)
{
	struct pt_round *round = &orphans->round;
	int looks = 0, pieces = 0;

	while (looks < LOOKS) {
		pid_t pid;

		if (round->at == round->pids.n) {
			int r = pieces++ < PIECES ? read_piece(orphans) :
						    -EAGAIN;

			if (r == 0)
				return look_again(orphans, looks);
			if (r < 0)
				return r;
			continue;
		}
		pid = round->pids.at[round->at++];
		if (pt_claims_has(pid))
			continue;
		looks++;
		round->looks++;
		if (consider(orphans, pid, collected, ret_event))
			return 1;
	}
	return -EAGAIN;
}

bool pt_orphans_look(struct pt_orphans *orphans, uint64_t *collected,
		     struct pidtrack_event *ret_event)
{
	const int64_t start_ns = sys_now_ns();
	struct pt_round *round = &orphans->round;
	int r = 0;

	orphans->due = false;
	orphans->told = 0;
	orphans->asked = fd_close(orphans->asked);
	if (!round->begun) {
		r = begin_round(orphans);
		round->begun = true;
	}
	if (r >= 0)
		r = look_on(orphans, collected, ret_event);
	round->busy_ns += sys_now_ns() - start_ns;
	if (r == 1 || r == -EAGAIN)
		wake_at(orphans, 1); /* to go on; the host has its turn */
	else
		end_round(orphans, r == 0);
	return r == 1;
}
