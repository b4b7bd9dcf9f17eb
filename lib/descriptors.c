/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "descriptors.h"

#include <sched.h>

#include "sys.h"
#include "text.h"

/* One above the highest target. */
static int above_targets(const struct pt_descriptors *fds)
{
	return fds->moves[fds->n_moves - 1].target + 1;
}

/* ---- a table of our own ---- */

#define FAR 256	   /* a table that ends there is copied in no time */
#define FAR_MAX 32 /* are sent; the kernel takes 253 */

/* Where the numbers of those of the host's that are needed are written down. */
struct sources {
	int *far[FAR_MAX];
	size_t n_far;	  /* may be more than there is room for */
	int highest;	  /* of all */
	int highest_near; /* of those that are not far */
};

static void add_source(struct sources *sources, int *source)
{
	sources->highest = MAX(sources->highest, *source);
	if (*source < FAR)
		sources->highest_near = MAX(sources->highest_near, *source);
	else if (sources->n_far++ < FAR_MAX)
		sources->far[sources->n_far - 1] = source;
}

static void find_sources(struct pt_descriptors *fds,
			 struct sources *ret_sources)
{
	ret_sources->n_far = 0;
	ret_sources->highest = ret_sources->highest_near = MAX(2, fds->post);
	for (size_t i = 0; i < fds->n_moves; i++)
		add_source(ret_sources, &fds->moves[i].source);
	for (size_t i = 0; i < PT_SPECIAL_MAX; i++)
		add_source(ret_sources, &fds->specials[i]);
}

/* A message of one byte, with as many descriptors as there is room for. */
struct parcel {
	struct msghdr header;
	struct iovec part;
	char byte;
	union {
		struct cmsghdr rights;
		char bytes[CMSG_SPACE(FAR_MAX * sizeof(int))];
	};
};

static void make_parcel(struct parcel *parcel, size_t n)
{
	*parcel = (struct parcel){
		.header = { .msg_iov = &parcel->part,
			    .msg_iovlen = 1,
			    .msg_control = &parcel->rights,
			    .msg_controllen = CMSG_SPACE(n * sizeof(int)) },
		.part = { &parcel->byte, 1 },
	};
	parcel->rights = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(n * sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	};
}

void pt_descriptors_post(struct pt_descriptors *fds, const int ends[2])
{
	struct sources sources;
	struct parcel parcel;

	fds->post = -1;
	find_sources(fds, &sources);
	if (sources.n_far == 0 || sources.n_far > FAR_MAX || ends[1] < 0 ||
	    ends[1] >= FAR)
		return;
	make_parcel(&parcel, sources.n_far);
	for (size_t i = 0; i < sources.n_far; i++)
		((int *)CMSG_DATA(&parcel.rights))[i] = *sources.far[i];
	if (sys_sendmsg(ends[0], &parcel.header) > 0)
		fds->post = ends[1];
}

/* How many there were, or a negative errno. */
static int receive(int post, int ret_fds[FAR_MAX])
{
	struct parcel parcel;
	size_t n = 0;
	int r;

	make_parcel(&parcel, FAR_MAX);
	r = sys_recvmsg(post, &parcel.header);
	if (r < 0)
		return r;
	if (parcel.header.msg_controllen >= CMSG_LEN(0))
		n = (parcel.rights.cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(ret_fds, CMSG_DATA(&parcel.rights), n * sizeof(int));
	return (int)n;
}

int pt_descriptors_unpost(struct pt_descriptors *fds)
{
	int left[FAR_MAX], n;

	if (fds->post < 0)
		return 0;
	n = receive(fds->post, left);
	fds->post = -1;
	if (n < 0) /* taken, and nobody was left to say so? */
		return n == -EAGAIN ? 0 : n;
	while (n > 0)
		sys_close(left[--n]);
	return 0;
}

/* Puts those that were sent into our table, and their new numbers down. */
static int take_far(struct pt_descriptors *fds, const struct sources *sources)
{
	int fars[FAR_MAX];
	int n = receive(fds->post, fars);

	if (n < 0)
		return n;
	fds->post = -1;
	if ((size_t)n != sources->n_far)
		return -EPERM; /* the kernel withholds some */
	for (int i = 0; i < n; i++)
		*sources->far[i] = fars[i];
	return 0;
}

/*
 * The copy ends where our needs do.  This is also what closes the host's other
 * descriptors, which are many, in one call.
 */
int pt_descriptors_own(struct pt_descriptors *fds)
{
	struct sources sources;
	int last, r;

	if (!fds->shared)
		return 0;
	find_sources(fds, &sources);
	last = fds->post < 0 ? sources.highest : sources.highest_near;
	r = sys_close_range((unsigned int)last + 1, ~0U,
			    PT_CLOSE_RANGE_UNSHARE);
	if (r < 0)
		return sys_unshare(CLONE_FILES);
	return fds->post < 0 ? r : take_far(fds, &sources);
}

/* A copy of @fd that is nobody's target, close-on-exec. */
static int set_aside(const struct pt_descriptors *fds, int fd)
{
	int r = sys_dup_above(fd, above_targets(fds));

	return r == -EINVAL ? -EMFILE : r; /* beyond RLIMIT_NOFILE */
}

static bool is_target(const struct pt_descriptors *fds, int fd)
{
	for (size_t i = 0; i < fds->n_moves; i++) {
		if (fds->moves[i].target == fd)
			return true;
	}
	return false;
}

/* Takes the descriptors we need ourselves out of the way of the targets. */
static int move_specials(struct pt_descriptors *fds)
{
	for (size_t i = 0; i < PT_SPECIAL_MAX; i++) {
		int *special = &fds->specials[i], r;

		if (*special < 0)
			continue;
		if (!is_target(fds, *special)) {
			/* whoever uses it finds out if it is closed */
			sys_set_cloexec(*special, true);
			continue;
		}
		r = set_aside(fds, *special);
		if (r < 0 && r != -EBADF)
			return r;
		*special = r;
	}
	return 0;
}

/* Whether a move that is still to be made needs @fd as it is. */
static bool is_needed(const struct pt_descriptors *fds, int fd)
{
	for (size_t i = 0; i < fds->n_moves; i++) {
		const struct pt_move *move = &fds->moves[i];

		if (move->source == fd && move->target != fd)
			return true;
	}
	return false;
}

static int move_null(int target)
{
	int fd, r;

	fd = sys_open(AT_FDCWD, "/dev/null", O_RDWR, 0);
	if (fd < 0)
		return fd;
	if (fd == target)
		return sys_set_cloexec(fd, false);

	r = sys_dup3(fd, target, 0);
	sys_close(fd);
	return r;
}

static int make_move(struct pt_move *move)
{
	int r;

	if (move->source == PT_SOURCE_NULL) {
		r = move_null(move->target);
	} else {
		r = sys_dup3(move->source, move->target, 0);
		/* the source is open, so it is the target that cannot be */
		if (r == -EBADF && sys_file_flags(move->source) >= 0)
			r = -EMFILE;
	}
	if (r < 0)
		return r;
	move->source = move->target;
	return 0;
}

/* Two that change places, or more in a ring: one steps aside. */
static int break_ring(struct pt_descriptors *fds, int source)
{
	int aside = set_aside(fds, source);

	if (aside < 0)
		return aside;
	for (size_t i = 0; i < fds->n_moves; i++) {
		if (fds->moves[i].source == source)
			fds->moves[i].source = aside;
	}
	return 0;
}

static bool is_made(const struct pt_move *move)
{
	return move->source == move->target || move->source == PT_SOURCE_SAME;
}

/* Makes the moves whose targets nobody needs any more; how many. */
static int make_moves(struct pt_descriptors *fds)
{
	int made = 0;

	for (size_t i = 0; i < fds->n_moves; i++) {
		struct pt_move *move = &fds->moves[i];
		int r;

		if (is_made(move) || is_needed(fds, move->target))
			continue;
		r = make_move(move);
		if (r < 0)
			return r;
		made++;
	}
	return made;
}

static struct pt_move *first_left(const struct pt_descriptors *fds)
{
	for (size_t i = 0; i < fds->n_moves; i++) {
		if (!is_made(&fds->moves[i]))
			return &fds->moves[i];
	}
	return NULL;
}

/* Those that are mapped to themselves must still survive the exec. */
static int keep_unmoved(struct pt_descriptors *fds)
{
	for (size_t i = 0; i < fds->n_moves; i++) {
		const struct pt_move *move = &fds->moves[i];
		int r;

		if (move->source != move->target)
			continue;
		r = sys_set_cloexec(move->target, false);
		if (r < 0)
			return r;
	}
	return 0;
}

static int move_all(struct pt_descriptors *fds)
{
	const struct pt_move *left;
	int r;

	r = keep_unmoved(fds);
	while (r >= 0 && (left = first_left(fds))) {
		r = make_moves(fds);
		if (r == 0)
			r = break_ring(fds, left->target);
	}
	return r;
}

static bool is_kept(const struct pt_descriptors *fds, int fd)
{
	for (size_t i = 0; i < PT_SPECIAL_MAX; i++) {
		if (fds->specials[i] == fd)
			return true;
	}
	for (size_t i = 0; i < fds->n_moves; i++) {
		if (fds->moves[i].target == fd)
			return true;
	}
	return false;
}

/* The lowest descriptor from @from on that is kept, or INT_MAX. */
static int next_kept(const struct pt_descriptors *fds, int from)
{
	int next = INT_MAX;

	for (size_t i = 0; i < PT_SPECIAL_MAX; i++) {
		if (fds->specials[i] >= from)
			next = MIN(next, fds->specials[i]);
	}
	/* targets are sorted */
	for (size_t i = 0; i < fds->n_moves; i++) {
		if (fds->moves[i].target >= from)
			return MIN(next, fds->moves[i].target);
	}
	return next;
}

/* Closes the gaps between those that are kept. */
static int close_gaps(const struct pt_descriptors *fds)
{
	int from = 0;

	for (;;) {
		int kept = next_kept(fds, from), r;

		if (kept > from) {
			r = sys_close_range(
				(unsigned int)from,
				kept == INT_MAX ? ~0U : (unsigned int)kept - 1,
				0);
			if (r < 0)
				return r;
		}
		if (kept == INT_MAX)
			return 0;
		from = kept + 1;
	}
}

static void close_listed(const struct pt_descriptors *fds, int listing,
			 const char *bytes, int n)
{
	while (n > 0) {
		const struct pt_listed *listed = (const void *)bytes;
		uint64_t fd;

		if (pt_text_parse_number(listed->name, strlen(listed->name),
					 &fd) == 0 &&
		    (int)fd != listing && !is_kept(fds, (int)fd))
			sys_close((int)fd);
		bytes += listed->length;
		n -= listed->length;
	}
}

/* The same without close_range(): as /proc lists them. */
static int close_by_list(const struct pt_descriptors *fds)
{
	_Alignas(struct pt_listed) char bytes[4096];
	int listing, n;

	listing =
		sys_open(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);
	if (listing < 0)
		return listing;

	while ((n = sys_getdents(listing, bytes, sizeof(bytes))) > 0)
		close_listed(fds, listing, bytes, n);
	sys_close(listing);
	return n;
}

#define NUMBERS_MAX (1 << 20) /* of fs.nr_open's default */

/* And without /proc: every number there can be. */
static int close_by_number(const struct pt_descriptors *fds)
{
	uint64_t limit[2];
	int r;

	r = sys_prlimit(RLIMIT_NOFILE, NULL, limit);
	if (r < 0)
		return r;
	for (int fd = 0; fd < (int)MIN(limit[1], NUMBERS_MAX); fd++) {
		if (!is_kept(fds, fd))
			sys_close(fd);
	}
	return 0;
}

int pt_descriptors_move(struct pt_descriptors *fds)
{
	int r;

	r = move_specials(fds);
	if (r < 0)
		return r;
	r = move_all(fds);
	if (r < 0)
		return r;

	r = close_gaps(fds);
	if (r < 0)
		r = close_by_list(fds);
	if (r < 0)
		r = close_by_number(fds);
	return r;
}
